// SPDX-License-Identifier: BSD-3-Clause
// Moments as providers write them: RFC 3339 text, nanoseconds since 1970 (UTC) within.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace anabranch::negotiation {

inline constexpr int64_t kSecondNs = 1'000'000'000;

// "2026-11-27T10:00:00.5+01:00" → its nanoseconds; years 1970 to 2199. Digits beyond nanoseconds
// are dropped, so that a moment is never read as a later one; a leap second is read as the one
// before it.
std::optional<int64_t> parse_moment(std::string_view text);
// "2026-11-27T09:00:00Z", with milliseconds where there are any.
std::string moment_text(int64_t wall_ns);

}  // namespace anabranch::negotiation
