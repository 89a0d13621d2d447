// SPDX-License-Identifier: BSD-3-Clause
// Paths that are a gateway's by order alone (market.h): both gateways pace what they send on them
// at what was ordered, and neither's services count on more. Pure.
#pragma once

#include <array>

#include "control/messages.h"
#include "control/scenario.h"
#include "dataplane/bounds.h"

namespace anabranch::control {

// The lower of two rates in bits a second, of which 0 is none.
uint64_t lower_rate(uint64_t a_bps, uint64_t b_bps);

// Bits a second by path, at most; 0: nothing is ordered of it, or all of it is ours.
std::array<uint64_t, dataplane::kPathsMax> ordered_rates(const Ordered& ours,
                                                         const Ordered& theirs);

// The path as it may be counted on, by what the peer said of it.
void apply_ordered(PathState& path, const Ordered& theirs);

}  // namespace anabranch::control
