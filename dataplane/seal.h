// SPDX-License-Identifier: BSD-3-Clause
// The seal and open stages: a segment's outer header is authenticated, its content encrypted.
//
// The nonce is the key's IV xor (sending worker << 16 | path, 4 octets ‖ packet number, 8 octets),
// as RFC 10069 does it for multipath QUIC: paths count for themselves, under one key.
#pragma once

#include <span>

#include "dataplane/bytes.h"
#include "dataplane/traffic_key.h"
#include "dataplane/wire.h"

namespace anabranch::dataplane {

inline Nonce make_nonce(const Nonce& iv, const Outer& outer) {
  Nonce nonce;
  store_be32(nonce.data(), load_be32(iv.data()) ^ (uint32_t{outer.worker} << 16 | outer.path));
  store_be64(nonce.data() + 4, load_be64(iv.data() + 4) ^ outer.packet_number);
  return nonce;
}

// Writes the whole segment: outer header, `content` sealed, tag. Out of place, so that the clear
// packet stays available.
inline void seal(const TrafficKey& key, const Outer& outer, std::span<const uint8_t> content,
                 uint8_t* segment) {
  store_outer(segment, outer);
  key.seal(segment + kOuterHeader, content, {segment, kOuterHeader}, make_nonce(key.iv(), outer));
}

// `segment` is from the outer header, which `outer` was read from, to the tag. True when it is
// authentic: its content is in place then.
inline bool open(const TrafficKey& key, const Outer& outer, std::span<uint8_t> segment) {
  return segment.size() >= kOuterHeader + kTag &&
         key.open(segment.subspan(kOuterHeader), segment.first(kOuterHeader),
                  make_nonce(key.iv(), outer));
}

}  // namespace anabranch::dataplane
