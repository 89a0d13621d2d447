// SPDX-License-Identifier: BSD-3-Clause
// Amounts of data, as people write them. kB, MB, GB, TB and PB are powers of 1000.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace anabranch::control {

// With those of twelve quotas more, fits 64 bits.
inline constexpr uint64_t kOctetsMost = 1'000'000'000'000'000'000;

// "500 GB" → octets, exactly: a whole number from 1 to `most`.
std::optional<uint64_t> parse_octets(std::string_view text, uint64_t most = kOctetsMost);
// Read back, it is the same: in the greatest unit of which it is a whole number.
std::string octets_text(uint64_t octets);
// For people: "1.43 TB".
std::string rounded_octets_text(uint64_t octets);

}  // namespace anabranch::control
