// SPDX-License-Identifier: BSD-3-Clause
// What is on the wire between two gateways, version 1. Inside UDP over IPv4 or IPv6:
//
//   outer header, 16 octets, authenticated, not encrypted
//     0  version (4 bits) | type (4 bits)
//     1  sending worker
//     2  path
//     3  key phase
//     4  receiver index, 4 octets: the receiver's name for (session, service)
//     8  packet number, 8 octets: counts per (session, worker, path)
//   inner header, 6 octets (segments only), in the manner of RFC 9188 (GMA)
//     0  flags: bit 0: a fragment, bit 1: more of them follow, bit 2: even delay, bit 3: sent
//     again,
//        bit 4: a redundant copy; others are 0
//     1  Flow ID = lane
//     2  Flow SN, 4 octets
//     6  fragments only: where it begins in the packet, in octets, 2 octets
//   the client's IP packet, or the fragment of it
// Other types carry a beat (beat.h), a challenge or its response (roam.cc), acknowledgements
// (ack.h), or a segment that will not come: its receiver index (4), lane (1), Flow SN (4).
//   tag, 16 octets
//
// Integers are big-endian. 20 (IPv4) + 8 (UDP) + 16 + 6 + 16 = 66 octets a segment, 86 over IPv6.
#pragma once

#include <span>

#include "dataplane/bytes.h"

namespace anabranch::dataplane {

inline constexpr uint8_t kWireVersion = 1;
enum class SegmentType : uint8_t { data = 1, beat, challenge, response, ack, forward };

inline constexpr uint16_t kUdpHeader = 8;
inline constexpr uint16_t kOuterIp = 20 + kUdpHeader, kOuterIp6 = 40 + kUdpHeader;
inline constexpr uint16_t kOuterHeader = 16;
inline constexpr uint16_t kInnerHeader = 6;
inline constexpr uint16_t kFragmentHeader = kInnerHeader + 2;
inline constexpr uint16_t kTag = 16;
// `outer_ip` is kOuterIp or kOuterIp6.
constexpr uint16_t segment_overhead(uint16_t outer_ip) {
  return static_cast<uint16_t>(outer_ip + kOuterHeader + kInnerHeader + kTag);
}
inline constexpr uint16_t kSegmentOverhead = segment_overhead(kOuterIp);
static_assert(kSegmentOverhead == 66 && segment_overhead(kOuterIp6) == 86);

struct Outer {
  SegmentType type = SegmentType::data;
  uint8_t worker = 0;
  uint8_t path = 0;
  uint8_t key_phase = 0;
  uint32_t receiver_index = 0;
  uint64_t packet_number = 0;
};

inline void store_outer(uint8_t* p, const Outer& h) {
  const auto first = static_cast<uint8_t>(kWireVersion << 4 | static_cast<uint8_t>(h.type));
  store_be64(p, uint64_t{first} << 56 | uint64_t{h.worker} << 48 | uint64_t{h.path} << 40 |
                    uint64_t{h.key_phase} << 32 | h.receiver_index);
  store_be64(p + 8, h.packet_number);
}

// False when the version or type is not ours.
inline bool load_outer(const uint8_t* p, Outer& h) {
  if (p[0] >> 4 != kWireVersion) return false;
  const uint8_t type = p[0] & 0x0f;
  if (type == 0 || type > static_cast<uint8_t>(SegmentType::forward)) return false;
  h = Outer{static_cast<SegmentType>(type), p[1], p[2], p[3], load_be32(p + 4), load_be64(p + 8)};
  return true;
}

inline constexpr uint8_t kInnerFragment = 1 << 0;
inline constexpr uint8_t kInnerMore = 1 << 1;
inline constexpr uint8_t kInnerEven = 1 << 2;
inline constexpr uint8_t kInnerRepair = 1 << 3;
inline constexpr uint8_t kInnerCopy = 1 << 4;
inline constexpr uint8_t kInnerFlags =
    kInnerFragment | kInnerMore | kInnerEven | kInnerRepair | kInnerCopy;
inline constexpr uint16_t kForwardLength = 9;

struct Inner {
  uint8_t flags = 0;
  uint8_t lane = 0;
  uint32_t sn = 0;
  uint16_t offset = 0;  // of a fragment
  bool has(uint8_t flag) const { return (flags & flag) != 0; }
  uint16_t length() const { return has(kInnerFragment) ? kFragmentHeader : kInnerHeader; }
};

inline void store_inner(uint8_t* p, const Inner& h) {
  store_be16(p, static_cast<uint16_t>(h.flags << 8 | h.lane));
  store_be32(p + 2, h.sn);
  if (h.has(kInnerFragment)) store_be16(p + kInnerHeader, h.offset);
}

// False when `content` is no longer than its header, or flags are set that version 1 does not know.
inline bool load_inner(std::span<const uint8_t> content, Inner& h) {
  if (content.size() <= kInnerHeader || (content[0] & ~kInnerFlags) != 0) return false;
  h = Inner{.flags = content[0], .lane = content[1], .sn = load_be32(&content[2])};
  if (content.size() <= h.length() || (h.has(kInnerMore) && !h.has(kInnerFragment))) return false;
  if (h.has(kInnerFragment)) h.offset = load_be16(&content[kInnerHeader]);
  return true;
}

}  // namespace anabranch::dataplane
