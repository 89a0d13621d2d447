// SPDX-License-Identifier: BSD-3-Clause
// The seal and open stages. This version has one cipher, "null": the content stays readable, and
// the tag is a CRC-32C (RFC 3720 B.4's polynomial) followed by twelve zero octets. It finds
// accidents, not attackers: control insists on `insecure_cleartext = true`.
//
// Sealing goes out of place, from the client's packet into a fresh buffer: a cipher makes that copy
// for nothing, and the clear packet stays available.
#pragma once

#include <rte_hash_crc.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>

#include "dataplane/bytes.h"
#include "dataplane/wire.h"

namespace anabranch::dataplane {

inline uint32_t crc32c(std::span<const uint8_t> bytes) {
  // Word by word here, since rte_hash_crc() dereferences unaligned pointers.
  uint32_t crc = ~uint32_t{0};
  size_t i = 0;
  for (; i + sizeof(uint64_t) <= bytes.size(); i += sizeof(uint64_t)) {
    uint64_t word;
    std::memcpy(&word, &bytes[i], sizeof word);
    crc = rte_hash_crc_8byte(word, crc);
  }
  for (; i < bytes.size(); ++i) crc = rte_hash_crc_1byte(bytes[i], crc);
  return ~crc;
}

// `segment`: outer header, content and room for the tag. The headers are in place; `clear` is
// copied behind them and the tag written.
inline void seal(std::span<uint8_t> segment, size_t header_length, std::span<const uint8_t> clear) {
  std::memcpy(segment.data() + header_length, clear.data(), clear.size());
  uint8_t* tag = segment.data() + segment.size() - kTag;
  store_be32(tag, crc32c(segment.first(segment.size() - kTag)));
  std::memset(tag + 4, 0, kTag - 4);
}

// True when the tag is right. The content is opened in place.
inline bool open(std::span<const uint8_t> segment) {
  if (segment.size() < kOuterHeader + kTag) return false;
  const auto tag = segment.last(kTag);
  return load_be32(tag.data()) == crc32c(segment.first(segment.size() - kTag)) &&
         std::all_of(tag.begin() + 4, tag.end(), [](uint8_t b) { return b == 0; });
}

}  // namespace anabranch::dataplane
