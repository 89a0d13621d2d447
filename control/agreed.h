// SPDX-License-Identifier: BSD-3-Clause
// Whether combinations of paths keep what an agreement says (objective.h).
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "control/combinations.h"
#include "control/objective.h"

namespace anabranch::control {

// An objective that is not kept, and what is expected instead.
struct Missed {
  size_t which = 0;  // of the agreement's
  Objective objective;
  double expected = 0;
};

// Pure. Holds references to `profile` and `objectives`. Its sets of paths are those of Combinations
// of the same paths, as they are now.
class Agreed {
 public:
  Agreed(const std::vector<PathState>& paths, const Profile& profile,
         const std::vector<Objective>& objectives);
  bool any() const { return !objectives_.empty(); }

  // With a margin: 5 % more rate, 10 % less latency and jitter, half the loss and half the time
  // that it is not there.
  bool keeps(PathSet set, Dispersion dispersion, bool with_margin) const;
  std::vector<Missed> missed(PathSet set, Dispersion dispersion) const;
  // False: no set keeps all of it, so none need be looked at.
  bool may_be_kept() const { return may_be_kept_; }
  // What is expected of an objective, in its unit.
  double expected(const Objective& objective, PathSet set, Dispersion dispersion) const;

 private:
  // The paths as they were over a window.
  struct Past {
    std::vector<PathState> paths;
    std::optional<Combinations> combinations;
  };
  const Combinations& over(Window window) const {
    return *pasts_[static_cast<size_t>(window)]->combinations;
  }

  bool may_be_kept(const Objective& objective) const;

  const std::vector<Objective>& objectives_;
  bool may_be_kept_ = true;
  std::array<std::unique_ptr<Past>, kWindowNames.size()> pasts_;  // of windows that are asked for
};

}  // namespace anabranch::control
