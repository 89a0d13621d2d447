// SPDX-License-Identifier: BSD-3-Clause
// The test's clock ticks in nanoseconds.
#pragma once

#include <cstdint>

namespace anabranch::dataplane {

inline constexpr uint64_t kSecond = 1'000'000'000;
inline constexpr uint64_t kMillisecond = kSecond / 1000;

}  // namespace anabranch::dataplane
