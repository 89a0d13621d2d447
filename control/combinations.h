// SPDX-License-Identifier: BSD-3-Clause
// What every combination of a client's paths is expected to give and to cost. What is summed up
// over paths is kept for the subsets of two halves of them, so that any of the 2^16 combinations is
// two look-ups, and many at once can be bounded without a look at any.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "control/candidates.h"
#include "control/worth.h"

namespace anabranch::control {

// A set of paths; bit i is the i-th of Combinations::members().
using PathSet = uint32_t;

// One usable path, with what of it is summed up.
struct Member {
  const PathState* path = nullptr;
  uint8_t place = 0;     // among the usable by index
  uint8_t rank = 0;      // in the order of ordered dispersions
  uint8_t provider = 0;  // the same for all of one
  bool avoided = false;  // by the profile, or held back
  bool preferred = false;
  double rating = 0;  // 0..1: the mean of link, network and provider
  double payload_up = 0, payload_down = 0, flow_up = 0, flow_down = 0;
  double part_up = 0, part_down = 0;  // of the split
  double latency = 0, capacity = 0, price = 0, loss = 0;
  double bonus = 0;  // what a share of 1 on it is worth beside quality and price
};

// Of a set of paths. The empty set's are neutral.
struct PathSums {
  double up = 0, down = 0;          // payload of those that are not too slow beside the quickest
  double all_up = 0, all_down = 0;  // of all
  double parts_up = 0, parts_down = 0, price_up = 0, price_down = 0;
  double loss_up = 0, loss_down = 0, bonus_up = 0, bonus_down = 0, capacity = 0, delay = 0;
  double flow_up = 0, flow_down = 0, most_up = 0, most_down = 0;
  double latency_most = 0, latency_least = 1e300, price_most = 0, price_least = 1e300;
  double loss_most = 0, loss_least = 1, loss_next = 1;
  uint8_t count = 0, first = 255;  // `first`: the least rank
  bool avoided = false;
};

// What one combination, dispersed in one way, is expected to give and cost.
struct Outlook {
  double up = 0, down = 0;  // goodput in bits a second
  double latency = 0;       // ms, one way
  double loss = 0;          // percent
  double price = 0;         // 10^-18 units an octet
  double bonus = 0;
};

// The best that any combination of some could be: at most `up`, at least `latency`.
struct Reach {
  double up = 0, down = 0, latency = 0, loss = 0, price = 0, bonus = 0;
  uint8_t count_min = 0, count_max = 0;
  bool avoided = false;  // all of them use what the profile avoids
};

// Holds pointers into `paths` and `profile`.
class Combinations {
 public:
  Combinations(const std::vector<PathState>& paths, const Profile& profile, const Ratings& ratings);

  const std::vector<Member>& members() const { return members_; }  // the quickest first
  PathSet all() const { return (PathSet{1} << members_.size()) - 1; }
  const std::vector<Dispersion>& dispersions() const { return dispersions_; }
  const Profile& profile() const { return profile_; }

  // `set`: not empty.
  PathSums sums(PathSet set) const;
  Outlook outlook(const PathSums& sums, Dispersion dispersion) const;
  Outlook outlook(PathSet set, Dispersion dispersion) const {
    return outlook(sums(set), dispersion);
  }
  // Price of 10^9 octets.
  static Uint128 per_gb(double price);
  // Copies need two paths.
  static bool exists(PathSet set, Dispersion dispersion) {
    return set != 0 && (dispersion != Dispersion::redundant || (set & (set - 1)) != 0);
  }

  // The same set with bit i for the i-th usable path by index.
  uint32_t by_index(PathSet set) const;
  PathSet from_index(uint32_t places) const;
  // Which set the scenario is made of, if any.
  std::optional<PathSet> find(const Scenario& scenario) const;
  Scenario scenario(PathSet set, Dispersion dispersion) const;
  // Of the paths together, as latency is.
  double jitter_ms(PathSet set, Dispersion dispersion) const;
  // That one of the paths is there, 0..1: providers fail each by itself, the paths of one together.
  double availability(PathSet set) const;
  // Those of the set, by provider.
  std::array<PathSet, kPathsCombinedMax> by_provider(PathSet set) const;
  // Share on preferred paths; and mean rating, 0..1.
  std::pair<double, double> preferred_and_rated(PathSet set) const;

  // Sets whose numbers begin with one of these: all that bounds say at once.
  struct Highs {
    PathSet from, to;
    bool has(PathSet set) const { return from <= set >> kLowBits && set >> kLowBits <= to; }
  };
  // The sets made of some members, in groups that are bounded at once.
  class Groups;
  // Made when it is asked for first, and kept.
  const Groups& groups(PathSet allowed) const;
  // Of the set, those that an ordered dispersion takes no sooner than the one of that rank.
  PathSet from_rank(PathSet set, uint8_t rank) const {
    for (size_t i = 0; i < members_.size(); ++i) {
      if (members_[i].rank < rank) set &= ~(PathSet{1} << i);
    }
    return set;
  }
  // Calls `visit` with each set but the empty one, or with none of a group of sets for which `skip`
  // is true of what they could reach.
  template <typename Skip, typename Visit>
  void walk(const Groups& groups, Dispersion dispersion, Skip skip, Visit visit) const;

 private:
  static constexpr size_t kLowBits = 8, kGroup = 16;
  static constexpr PathSet kLowMask = (PathSet{1} << kLowBits) - 1;
  // The best there is among some sets of a half; of a mean, also between which weights it lies. The
  // empty set's means bound nothing.
  struct Mean {
    double weight_least = 1e300, weight_most = 0, price = 1e300, loss = 1e300, bonus = -1e300;
  };
  struct Extremes {
    double up = 0, down = 0, flow_up = 0, flow_down = 0, most_up = 0, most_down = 0;
    double latency_most = 1e300, latency_least = 1e300, price_least = 1e300;
    Mean of_up, of_down;
    double capacity_least = 1e300, capacity_most = 0, delay = 1e300;
    uint8_t count_min = 255, count_max = 0;
    bool avoided = true;
    static Extremes of(const PathSums& sums);
    void add(const Extremes& other);
  };
  template <typename Visit>
  void each_member(PathSet set, Visit visit) const {
    for (; set != 0; set &= set - 1) visit(members_[static_cast<size_t>(std::countr_zero(set))]);
  }
  Scenario unpredicted(PathSet set, Dispersion dispersion) const;
  void add_member(const PathState& path, const Ratings& ratings);
  void give_ranks();
  std::vector<PathSums> half(size_t from, size_t to) const;
  static std::vector<Extremes> groups_of(const std::vector<Extremes>& sets);
  Reach reach(const Extremes& high, const Extremes& low, Dispersion dispersion) const;
  template <typename Skip, typename Visit>
  void walk_high(const Groups& groups, size_t high, Dispersion dispersion, Skip skip,
                 Visit visit) const;

  const Profile& profile_;
  const std::vector<Dispersion>& dispersions_;
  std::vector<Member> members_;
  std::array<const Member*, kPathsCombinedMax> by_rank_{};
  std::array<PathSet, kPathsCombinedMax> near_{};  // those not too slow beside member i
  std::vector<PathSums> low_, high_;
  mutable std::deque<Groups> groups_;
};

class Combinations::Groups {
 private:
  friend class Combinations;
  PathSet allowed_ = 0;
  std::vector<PathSet> lows_, highs_;  // the subsets of the two halves, ascending
  std::vector<Extremes> of_highs_, of_high_groups_, of_low_groups_;
  Extremes whole_;  // of the lower half
};

template <typename Skip, typename Visit>
void Combinations::walk(const Groups& g, Dispersion dispersion, Skip skip, Visit visit) const {
  for (size_t at = 0; at < g.highs_.size(); at += kGroup) {
    const size_t end = std::min(at + kGroup, g.highs_.size());
    const Highs all{g.highs_[at], g.highs_[end - 1]};
    if (skip(reach(g.of_high_groups_[at / kGroup], g.whole_, dispersion), all)) continue;
    for (size_t high = at; high < end; ++high) walk_high(g, high, dispersion, skip, visit);
  }
}

template <typename Skip, typename Visit>
void Combinations::walk_high(const Groups& g, size_t at, Dispersion dispersion, Skip skip,
                             Visit visit) const {
  const Extremes& high = g.of_highs_[at];
  const Highs one{g.highs_[at], g.highs_[at]};
  if (skip(reach(high, g.whole_, dispersion), one)) return;
  for (size_t group = 0; group < g.of_low_groups_.size(); ++group) {
    if (skip(reach(high, g.of_low_groups_[group], dispersion), one)) continue;
    const size_t from = group * kGroup, to = std::min(from + kGroup, g.lows_.size());
    for (size_t low = from; low < to; ++low) {
      const PathSet set = g.highs_[at] << kLowBits | g.lows_[low];
      if (exists(set, dispersion)) visit(set);
    }
  }
}

}  // namespace anabranch::control
