// SPDX-License-Identifier: BSD-3-Clause
// MSS clamping: TCP ends learn from SYN segments how much fits the paths, so nothing is fragmented.
#pragma once

#include <cstdint>
#include <span>

#include "dataplane/parse.h"

namespace anabranch::dataplane {

// Lowers the MSS option (RFC 9293 3.2) of a SYN to `mss_max`. `packet` starts at the IP header.
// Returns true when it was changed; malformed options are left alone, they are the ends' business.
bool clamp_mss(std::span<uint8_t> packet, const PacketView& view, uint16_t mss_max);

}  // namespace anabranch::dataplane
