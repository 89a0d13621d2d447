// SPDX-License-Identifier: BSD-3-Clause
// Why a decision was made, and what would change it. Pure: the same decision, the same words.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "control/decision.h"

namespace anabranch::control {

enum class Input : uint8_t { loss, rtt, rate, price };

// A path as it is with one input changed to `value`: loss of the worse direction in 0..1 (the other
// changes as much), round trip in ms (the least one in proportion), the rate up in bit/s (down in
// proportion), price in 10^-18 units an octet.
PathState with_input(PathState path, Input input, double value);
double value_of(const PathState& path, Input input);

// With `value` and `held` on its two sides, as near as a thousandth of the value, the decision is
// another and still the same; all else, ratings too, as it was. Where both are next to nothing
// (below 0.0001 % of loss, a microsecond, a bit a second), no nearer than that.
struct Threshold {
  size_t path = 0;  // its place in the decision's paths
  Input input = Input::loss;
  double held = 0, value = 0;
  std::optional<Scenario> then;  // or refused
  std::string sentence;          // "mobile leaves when mobile's loss passes 2.1 %"
};

// Found by steps away from what is, then by halving: the nearest of the steps' crossings in each
// direction. At most kTriesMax decisions, fewer where each takes longer; `complete` is false when
// they did not suffice for every path.
struct Thresholds {
  std::vector<Threshold> all;
  bool complete = true;
  size_t tries = 0;
};
inline constexpr size_t kTriesMax = 4096;
Thresholds thresholds(const Decision& decision);

struct Explanation {
  std::vector<std::string> sentences;
  nlohmann::json json;  // "inputs", "preferred", "best_quality", "cheapest", "lost", "changes", ...
};
Explanation explain(const Decision& decision);

}  // namespace anabranch::control
