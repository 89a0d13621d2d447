// SPDX-License-Identifier: BSD-3-Clause
// DSCPs by their names, and sets of them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace anabranch::control {

// "EF", "VA", "LE", "CS0" to "CS7", "AF11" to "AF43" (RFC 4594, 5865, 8622), or "0" to "63".
std::optional<uint8_t> find_dscp(std::string_view name);

// Bit d: DSCP d.
using DscpSet = uint64_t;
constexpr DscpSet dscp_set(uint8_t dscp) {
  return DscpSet{1} << dscp;
}

}  // namespace anabranch::control
