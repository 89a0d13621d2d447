// SPDX-License-Identifier: BSD-3-Clause
// What kinds of services were given in the last round: one that is given the same inputs again need
// not be decided again. Inputs are told apart by what they hold, not by where they are.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "control/recompute.h"

namespace anabranch::control {

class Remembered {
 public:
  // All that a choice is made by but its view: what is measured of the paths that are alive and the
  // profile allows, how those are rated, the profile, the request's limits, and of the scenario in
  // force what others are held against.
  std::string inputs_of(const Asking& asking, const Ratings& ratings);
  // What was decided by the same; or nullptr. For several threads at once.
  const Decided* find(const std::string& inputs, const View& view) const;
  // Takes the place of the last round: `inputs` of each of its kinds, and what was decided.
  void keep(std::vector<std::string> inputs, const std::vector<Decided>& decided);

 private:
  // A number for what a profile lets be seen of a market, the same in each round.
  uint64_t outlook_of(const Asking& asking, const Ratings& ratings);

  using Outlooks = std::unordered_map<std::string, uint64_t>;
  std::map<std::pair<const PricedPaths*, const Profile*>, uint64_t> known_;  // in this round
  Outlooks outlooks_, outlooks_before_;
  uint64_t last_number_ = 0;
  std::unordered_map<std::string, Decided> decided_;  // by inputs
};

}  // namespace anabranch::control
