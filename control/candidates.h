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

// Of one direction of a path, what a service may have beside what others hold; bits a second.
struct Room {
  double rate = 0;     // on the wire
  double payload = 0;  // in full packets
  double flow = 0;     // payload of one flow at a time, whose loss nobody repairs
  double part = 0;     // of the split; paths that carry nothing share evenly
};
Room room_up(const PathState& p);
Room room_down(const PathState& p);
// The path as it was over a window; as it is, where nothing is known of then.
PathState as_over(const PathState& p, Window window);
// What there is of its availability, 0..1: over the longest window that is known.
double lasting_availability(const PathState& p);
// What repair leaves of a loss, 0..1: what a repair is lost of as well.
inline double after_repair(double loss, bool repaired) {
  return repaired ? loss * loss : loss;
}

// Payload of the whole path, whoever holds it.
double payload_up_bps(const PathState& p);
double payload_down_bps(const PathState& p);

}  // namespace anabranch::control
