// SPDX-License-Identifier: BSD-3-Clause
// Which worker a frame is for, where one worker receives for all. Pure; reads the frame only.
#pragma once

#include <rte_hash_crc.h>

#include <cstdint>
#include <span>

#include "dataplane/bytes.h"
#include "dataplane/ip_protocol.h"

namespace anabranch::dataplane {

namespace spread_detail {

// Where the IP header begins; 0: there is none.
inline size_t find_ip(std::span<const uint8_t> frame) {
  constexpr uint16_t kVlan = 0x8100, kIpv4 = 0x0800, kIpv6 = 0x86dd;
  if (frame.size() < 34) return 0;
  const size_t at = load_be16(&frame[12]) == kVlan ? 18 : 14;
  const uint16_t type = load_be16(&frame[at - 2]);
  const size_t least = type == kIpv4 ? 20 : 40;
  return (type == kIpv4 || type == kIpv6) && frame.size() >= at + least ? at : 0;
}
// Octets of the IP header, where ports follow it; 0: none do, as in a fragment or after options.
inline size_t ports_after(const uint8_t* ip) {
  const bool is_ipv4 = ip[0] >> 4 == 4;
  const uint8_t protocol = is_ipv4 ? ip[9] : ip[6];
  if (protocol != kTcp && protocol != kUdp) return 0;
  if (!is_ipv4) return 40;
  const bool fragment = (load_be16(ip + 6) & 0x3fff) != 0;
  return fragment ? 0 : (ip[0] & 0x0fu) * 4u;
}
}  // namespace spread_detail

// The same for all packets of a flow, and for all fragments of a packet; 0 when it is no IP.
inline uint32_t hash_of_flow(std::span<const uint8_t> frame) {
  const size_t at = spread_detail::find_ip(frame);
  if (at == 0) return 0;
  const uint8_t* ip = &frame[at];
  const bool is_ipv4 = ip[0] >> 4 == 4;
  uint32_t hash = is_ipv4 ? rte_hash_crc(ip + 12, 8, 0) : rte_hash_crc(ip + 8, 32, 0);
  const size_t ports = spread_detail::ports_after(ip);
  if (ports != 0 && frame.size() >= at + ports + 4) hash = rte_hash_crc(ip + ports, 4, hash);
  return hash;
}
// A CRC is good in all its bits, but lanes are of the low ones.
inline uint8_t worker_of_flow(std::span<const uint8_t> frame, uint8_t workers) {
  return static_cast<uint8_t>((hash_of_flow(frame) >> 16) * workers >> 16);
}

// The sending worker that the outer header of a segment names; `otherwise` when it is none. Not
// authentic yet: it says only who shall look at it.
inline uint8_t sending_worker(std::span<const uint8_t> frame, uint8_t otherwise) {
  const size_t at = spread_detail::find_ip(frame);
  if (at == 0) return otherwise;
  const size_t udp = spread_detail::ports_after(&frame[at]);
  const size_t octet = at + udp + 8 + 1;
  return udp != 0 && frame.size() > octet ? frame[octet] : otherwise;
}

}  // namespace anabranch::dataplane
