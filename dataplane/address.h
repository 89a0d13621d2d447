// SPDX-License-Identifier: BSD-3-Clause
// An address of either family, in host byte order. IPv4 ones are as ::ffff:0:0/96 holds them
// (RFC 4291 2.5.5.2), which no IPv6 packet bears; 0 is none.
#pragma once

#include <cstdint>

#include "dataplane/bytes.h"

namespace anabranch::dataplane {

using Address = Uint128;

constexpr Address address_of(uint32_t ipv4) {
  return Address{0xffff} << 32 | ipv4;
}
constexpr bool is_ipv4(Address address) {
  return address >> 32 == 0xffff;
}
// The first `length` bits of a number.
template <typename Number>
constexpr Number mask_of(uint8_t length) {
  constexpr uint8_t kBits = sizeof(Number) * 8;
  return length == 0 ? Number{0} : static_cast<Number>(~Number{0} << (kBits - length));
}

}  // namespace anabranch::dataplane
