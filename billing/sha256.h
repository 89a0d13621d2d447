// SPDX-License-Identifier: BSD-3-Clause
// SHA-256 (FIPS 180-4) as text.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace anabranch::billing {

// Lower case, two digits an octet.
std::string hexadecimal(std::span<const uint8_t> octets);
// 64 hexadecimal digits.
std::string sha256(std::string_view text);

}  // namespace anabranch::billing
