// SPDX-License-Identifier: BSD-3-Clause
// Protocol numbers of what IP carries (IANA, "Assigned Internet Protocol Numbers").
#pragma once

#include <cstdint>

namespace anabranch::dataplane {

inline constexpr uint8_t kIcmp = 1, kTcp = 6, kUdp = 17, kIcmp6 = 58;

}  // namespace anabranch::dataplane
