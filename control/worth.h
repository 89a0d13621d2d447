// SPDX-License-Identifier: BSD-3-Clause
// What a candidate is worth, and of which parts.
//
// q × quality + (1 − q) × cheapness + a quarter of the share on preferred providers or networks +
// 0.15 of the mean rating (of link, network and provider, 0..1, weighted by shares), where q is the
// profile's quality_percent. Quality is the goodput against what was asked for (or against the best
// candidate), at most 1, up and down by halves, divided by (1 + latency/500 ms); cheapness is the
// least price against its own. The one in force is worth 0.03 more: two that are nearly equal must
// not take turns as measurements vary.
//
// Compared are those that are possible: that keep the request, and use no path that the profile
// avoids, or that is held back for it was away, as long as any does without. While one is in force
// others must keep the request with a margin (5 % more rate, 10 % less latency, half the loss)
// where any does, or the one in force keeps it: a link at a limit must not come and go. What the
// client's agreement says (objective.h) is part of the request, each over its window. Where paths
// are taken in order, only those with the most paths, as those behind the first are there for when
// it fails.
//
// Preferred is the one that is worth most, to nine decimals; of equals, the one with fewer paths,
// then the one with the lower number where the numbers of their paths first differ, then the
// dispersion that the profile names first.
//
// With bounds held a cheaper link worsens no scenario, but where paths are taken in order of price;
// and less delay none, but where others become too slow beside it, or an order may take more paths
// within the latency asked for. More rate and less loss lower no
// goodput, but move the split towards the link, and with it price, latency of flows, rating and
// preference: what is worth less by that alone may come to be preferred less.
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
// Of what is asked for.
inline constexpr double kRateMargin = 0.05, kLatencyMargin = 0.1, kLossMargin = 0.5;
// Bits a second. What is set aside is rounded down on each path, and leaves less by so much.
inline constexpr double kRoundedBps = 32;
// Of 100. Who is in force counts as the highest rated until another is rated higher by more.
inline constexpr double kRatedAlike = 1;
inline constexpr double kRatedEqual = 1e-6;

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
// the profile allows and that have a path alive and not held back; of several rated equal, all; and
// those in force that are rated less by kRatedAlike at most.
Profile with_highest_rated(const Profile& profile, const std::vector<PathState>& paths,
                           const Ratings& ratings, const Scenario* in_force = nullptr);

}  // namespace anabranch::control
