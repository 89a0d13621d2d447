// SPDX-License-Identifier: BSD-3-Clause
// Scenarios of given paths, and the terms their predictions are made of.
#pragma once

#include <tuple>
#include <vector>

#include "control/scenario.h"
#include "control/worth.h"

namespace anabranch::control {

using UsedPaths = std::vector<const PathState*>;

// Of more usable paths, the first so many count.
inline constexpr size_t kPathsCombinedMax = 16;

// Alive and not "never", by index; at most kPathsCombinedMax.
UsedPaths usable_paths(const std::vector<PathState>& paths, const Profile& profile);
const std::vector<Dispersion>& allowed_dispersions(const Profile& profile);
// Without what it is expected to be. `used`: by index, not empty.
Scenario make_scenario(const UsedPaths& used, Dispersion dispersion, const Profile& profile);
// Which path an ordered dispersion takes first: the least.
std::tuple<bool, Uint128, double, uint8_t> rank_of(const PathState& p, const Profile& profile);

// Bits a second of payload, in full packets, in one direction.
double payload_bps(const PathState& p, uint64_t rate_bps, double loss);
// The same of one flow at a time, whose loss nobody repairs.
double flow_payload_bps(const PathState& p, uint64_t rate_bps, double loss);
// The path's part of the split, in one direction. Paths that carry nothing share evenly.
double part_bps(uint64_t rate_bps, double loss);

}  // namespace anabranch::control
