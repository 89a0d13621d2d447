// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <chrono>
#include <cstdint>

namespace anabranch::billing {

// Nanoseconds since 1970, as the machine's clock says now; it may be set back.
inline int64_t wall_now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

inline int64_t wall_now_s() {
  return wall_now_ns() / 1'000'000'000;
}

}  // namespace anabranch::billing
