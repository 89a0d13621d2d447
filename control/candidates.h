// SPDX-License-Identifier: BSD-3-Clause
// What candidates and their shortlist have in common.
#pragma once

#include <tuple>
#include <vector>

#include "control/scenario.h"
#include "control/worth.h"

namespace anabranch::control {

using UsedPaths = std::vector<const PathState*>;

// Up to this many paths every combination becomes a Scenario; beyond, the shortlist's do.
inline constexpr size_t kAllPathsMax = 8;
inline constexpr size_t kShortlistPathsMax = 16;

// Alive and not "never", by index.
UsedPaths usable_paths(const std::vector<PathState>& paths, const Profile& profile);
const std::vector<Dispersion>& allowed_dispersions(const Profile& profile);
// `used`: by index, not empty.
Scenario make_scenario(const UsedPaths& used, Dispersion dispersion, const Profile& profile);
// Which path an ordered dispersion takes first: the least.
std::tuple<bool, Uint128, double, uint8_t> rank_of(const PathState& p, const Profile& profile);

// Bits a second of payload, in full packets, in one direction.
double payload_bps(const PathState& p, uint64_t rate_bps, double loss);
// The same of one flow at a time, whose loss nobody repairs.
double flow_payload_bps(const PathState& p, uint64_t rate_bps, double loss);
double usable_bps(uint64_t rate_bps, double loss);

// For more than kAllPathsMax usable paths, of which the first kShortlistPathsMax count. All their
// combinations are looked at, each at the exact split instead of the rounded one (a weight is a
// 65535th); of those that keep the request, or nearly, the 64 that are worth most, without avoided
// paths and with them, and the cheapest, the fastest and the best become Scenarios. Left out is
// what would be better by its rounding alone than 64 others.
std::vector<Scenario> shortlist(const std::vector<PathState>& paths, const Profile& profile,
                                const ServiceRequest& request, const Ratings& ratings,
                                const Scenario* in_force);

}  // namespace anabranch::control
