// SPDX-License-Identifier: BSD-3-Clause
// The best of all combinations of paths, without a look at those that cannot be it.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "control/agreed.h"

namespace anabranch::control {

struct Candidate {
  PathSet set = 0;
  uint8_t dispersion = 0;  // its place among those allowed
  uint8_t count = 0;       // paths
  double value = -1;       // what it is compared by
};

// Which candidates are compared.
struct Rules {
  bool with_avoided = false;
  bool cautious = false;  // what is not in force keeps the request with a margin
};

// Of those that are possible by some rules.
struct Possible {
  Rules rules;
  Bounds bounds;
  std::array<uint8_t, 8> paths_most{};  // by Dispersion
};

class Search {
 public:
  // Holds references to all of it. `in_force` may be nullptr.
  Search(const Combinations& combinations, const Agreed& agreed, const ServiceRequest& request,
         const Scenario* in_force);

  // By the first of the rules by which any is; nullopt: none keeps the request.
  std::optional<Possible> possible() const;
  // The one worth most of those that are possible. `held`: `bounds` are not those of the
  // candidates.
  Candidate best(const Possible& possible, const Bounds& bounds, bool held) const;
  // What gives the most, up and down together, whether it keeps the request or not.
  Candidate most() const;
  // And what costs the least.
  Candidate cheapest() const;
  // That what is asked for is not kept, 0..1, as often as providers fail, each by itself. Of more
  // than kRiskyProviders, the least available fail.
  double risk(PathSet set, size_t dispersion) const;
  static double quality(const Outlook& outlook, const Bounds& bounds);

  // Whether it keeps all that is asked for.
  bool keeps(const Outlook& outlook, PathSet set, size_t dispersion) const;
  bool is_possible(const Rules& rules, const PathSums& sums, const Outlook& outlook, PathSet set,
                   size_t dispersion) const;
  // Ordered dispersions use all paths they can: those behind the first are for when it fails.
  bool lacks_paths(const Possible& possible, size_t dispersion, uint8_t count) const;
  double total(const Outlook& outlook, const Bounds& bounds, PathSet set, size_t dispersion) const;
  Worth worth(PathSet set, size_t dispersion, const Bounds& bounds) const;
  const std::optional<Uint128>& price_max() const { return price_max_; }
  Dispersion dispersion(size_t place) const { return combinations_.dispersions()[place]; }

 private:
  // Nothing within a Reach, or no such Outlook, is worth more, but for what is in force.
  template <typename Expected>
  double ceiling_of(const Expected& expected, const Bounds& bounds, bool held) const;
  static constexpr size_t kRiskyProviders = 8;
  // What is asked for.
  struct Limits {
    double up = 0, down = 0, latency, loss;
  };
  // Of an Outlook or a Reach.
  template <typename Expected>
  bool keeps(const Expected& expected, const Limits& limits) const;
  bool may_be_possible(const Rules& rules, const Reach& reach, Combinations::Highs highs,
                       size_t dispersion) const;
  std::optional<Possible> possible(const Rules& rules) const;
  // Of these alone is what is possible, but for what is in force.
  PathSet may_be_used(const Rules& rules, size_t dispersion) const;
  // Whether `a` is preferred to `b`.
  bool is_better(const Candidate& a, const Candidate& b) const;
  template <typename Try>
  void try_likely_ones(size_t dispersion, PathSet allowed, Try attempt) const;
  template <typename OfOutlook, typename OfReach>
  Candidate extreme(OfOutlook of_outlook, OfReach of_reach) const;
  template <typename Try>
  void climb(PathSet from, size_t dispersion, Try attempt) const;

  const Combinations& combinations_;
  const Agreed& agreed_;
  const ServiceRequest& request_;
  double quality_share_;
  Limits exact_, with_margin_;
  std::optional<Uint128> price_max_;
  double price_about_max_ = 1e300;  // the same, rounded up; none: more than any
  PathSet set_in_force_ = 0;        // 0: none
  size_t dispersion_in_force_ = SIZE_MAX;
};

}  // namespace anabranch::control
