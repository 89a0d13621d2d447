// SPDX-License-Identifier: BSD-3-Clause
// What a candidate is worth, and of which parts.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "control/scenario.h"

namespace anabranch::control {

inline constexpr double kLatencyHalvesMs = 500;
inline constexpr double kPreferredBonus = 0.25;
inline constexpr double kRatingShare = 0.15;
inline constexpr double kInForceBonus = 0.03;

// What goodput and price are measured against: what was asked for, or the best candidate's. In
// money: 10^-18 currency units for 10^9 octets.
struct Bounds {
  double up = 1, down = 1;
  Uint128 cheapest = 0;
  bool operator==(const Bounds&) const = default;
};

// Goodput and latency make quality: q × goodput, and what latency takes from it.
struct Worth {
  double goodput = 0, latency = 0, price = 0, preference = 0, rating = 0, inertia = 0;
  double total() const { return goodput + latency + price + preference + rating + inertia; }
  bool operator==(const Worth&) const = default;
};

struct Valued {
  Scenario scenario;
  Worth worth;
  std::string objection;  // what of the request it does not keep; or empty
  bool operator==(const Valued&) const = default;
};

// All of one decision. `runners_up`: those worth most beside the preferred one, best first.
// `best_quality` and `cheapest` are among those that were possible, with `bounds`.
struct Weighing {
  Choice choice;
  Bounds bounds;
  std::optional<Worth> worth;  // of the preferred
  std::vector<Valued> runners_up;
  std::optional<Valued> best_quality, cheapest;
  bool with_avoided = false;  // not possible without paths the profile avoids
};
// As prefer(), which is its choice. `held`: bounds to use instead of those of the candidates.
Weighing weigh(const std::vector<PathState>& paths, const Profile& profile,
               const ServiceRequest& request, const std::string& currency, const Scenario* in_force,
               const Ratings& ratings, size_t runners_up_max, const Bounds* held = nullptr);

// The same paths in the same order, dispersed the same way.
bool is_same_combination(const Scenario& a, const Scenario& b);

// The profile in which those that are rated highest are preferred, where it wants that. Of those
// the profile allows and that have a path alive; of several rated equal, all.
Profile with_highest_rated(const Profile& profile, const std::vector<PathState>& paths,
                           const Ratings& ratings);

}  // namespace anabranch::control
