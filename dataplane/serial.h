// SPDX-License-Identifier: BSD-3-Clause
// Times and numbers that may wrap (RFC 1982): compared by their difference.
#pragma once

#include <cstdint>

namespace anabranch::dataplane {

inline bool is_before(uint64_t a, uint64_t b) {
  return static_cast<int64_t>(a - b) < 0;
}

}  // namespace anabranch::dataplane
