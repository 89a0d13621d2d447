// SPDX-License-Identifier: BSD-3-Clause
// Big-endian loads and stores at any alignment: the only way this library touches the wire.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

namespace anabranch::dataplane {

__extension__ typedef unsigned __int128 Uint128;

static_assert(std::endian::native == std::endian::little);

inline uint16_t load_be16(const uint8_t* p) {
  uint16_t v;
  std::memcpy(&v, p, sizeof v);
  return __builtin_bswap16(v);
}
inline uint32_t load_be32(const uint8_t* p) {
  uint32_t v;
  std::memcpy(&v, p, sizeof v);
  return __builtin_bswap32(v);
}
inline uint64_t load_be64(const uint8_t* p) {
  uint64_t v;
  std::memcpy(&v, p, sizeof v);
  return __builtin_bswap64(v);
}
inline Uint128 load_be128(const uint8_t* p) {
  return Uint128{load_be64(p)} << 64 | load_be64(p + 8);
}
inline void store_be16(uint8_t* p, uint16_t v) {
  v = __builtin_bswap16(v);
  std::memcpy(p, &v, sizeof v);
}
inline void store_be32(uint8_t* p, uint32_t v) {
  v = __builtin_bswap32(v);
  std::memcpy(p, &v, sizeof v);
}
inline void store_be64(uint8_t* p, uint64_t v) {
  v = __builtin_bswap64(v);
  std::memcpy(p, &v, sizeof v);
}
inline void store_be128(uint8_t* p, Uint128 v) {
  store_be64(p, static_cast<uint64_t>(v >> 64));
  store_be64(p + 8, static_cast<uint64_t>(v));
}

}  // namespace anabranch::dataplane
