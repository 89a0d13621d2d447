// SPDX-License-Identifier: BSD-3-Clause
// Branch and bound: a group of combinations is passed over when the best that any of them could be
// is not as good as one that is known. What is likely to be best is tried first.
#include "control/search.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "billing/money.h"

namespace anabranch::control {
namespace {

// Worths are compared to nine decimals: what differs by less differs by rounding.
double nine_decimals(double worth) {
  return static_cast<double>(static_cast<int64_t>(std::min(worth, 1e6) * 1e9 + 0.5));
}
// Above any worth of a group, in spite of rounding.
constexpr double kAbove = 1e-12;

double goodput_of(double up, double down, const Bounds& bounds) {
  return (std::min(1.0, up / bounds.up) + std::min(1.0, down / bounds.down)) / 2;
}
double latency_factor(double latency_ms) {
  return 1 / (1 + latency_ms / kLatencyHalvesMs);
}
double cheapness_of(Uint128 price, const Bounds& bounds) {
  return price == 0 ? 1 : static_cast<double>(bounds.cheapest) / static_cast<double>(price);
}

}  // namespace

Search::Search(const Combinations& combinations, const Agreed& agreed,
               const ServiceRequest& request, const Scenario* in_force)
    : combinations_(combinations),
      agreed_(agreed),
      request_(request),
      quality_share_(combinations.profile().quality_percent / 100.0),
      exact_{.latency = request.latency_ms_max.value_or(std::numeric_limits<double>::infinity()),
             .loss = request.loss_percent_max.value_or(std::numeric_limits<double>::infinity())} {
  if (request.rate_up_bps) exact_.up = static_cast<double>(*request.rate_up_bps);
  if (request.rate_down_bps) exact_.down = static_cast<double>(*request.rate_down_bps);
  with_margin_ = {exact_.up * (1 + kRateMargin), exact_.down * (1 + kRateMargin),
                  exact_.latency * (1 - kLatencyMargin), exact_.loss * (1 - kLossMargin)};
  if (request.price_per_gb_max)
    price_max_ = static_cast<Uint128>(
        billing::parse_amount(*request.price_per_gb_max).value_or(billing::Amount()).attos());
  if (price_max_) price_about_max_ = static_cast<double>(*price_max_) * (1 + kAbove) + 1;
  if (in_force == nullptr) return;
  const auto& allowed = combinations.dispersions();
  const auto place = std::find(allowed.begin(), allowed.end(), in_force->dispersion);
  if (place == allowed.end()) return;
  const auto set = combinations.find(*in_force);
  if (!set || !Combinations::exists(*set, *place)) return;
  set_in_force_ = *set;
  dispersion_in_force_ = static_cast<size_t>(place - allowed.begin());
}

template <typename Expected>
bool Search::keeps(const Expected& e, const Limits& l) const {
  return e.up + kRoundedBps >= l.up && e.down + kRoundedBps >= l.down && e.latency <= l.latency &&
         e.loss <= l.loss && e.price * 1e9 <= price_about_max_ &&
         (!price_max_ || Combinations::per_gb(e.price) <= *price_max_);
}

bool Search::keeps(const Outlook& outlook, PathSet set, size_t place) const {
  return keeps(outlook, exact_) && agreed_.keeps(set, dispersion(place), false);
}

bool Search::is_possible(const Rules& rules, const PathSums& sums, const Outlook& o, PathSet set,
                         size_t place) const {
  if (sums.avoided && !rules.with_avoided) return false;
  const bool is_in_force = set == set_in_force_ && place == dispersion_in_force_;
  const bool with_margin = rules.cautious && !is_in_force;
  return keeps(o, with_margin ? with_margin_ : exact_) &&
         agreed_.keeps(set, dispersion(place), with_margin);
}

// What an agreement says only makes fewer possible.
bool Search::may_be_possible(const Rules& rules, const Reach& r, Combinations::Highs highs,
                             size_t place) const {
  if (r.avoided && !rules.with_avoided) return false;
  const bool is_in_force = place == dispersion_in_force_ && highs.has(set_in_force_);
  return keeps(r, rules.cautious && !is_in_force ? with_margin_ : exact_);
}

PathSet Search::may_be_used(const Rules& rules, size_t place) const {
  const Dispersion way = dispersion(place);
  const bool waits_for_all = segmentation_of(way) == Segmentation::packet &&
                             way != Dispersion::redundant && way != Dispersion::standby;
  const Limits& limits = rules.cautious ? with_margin_ : exact_;
  // By standby none takes the place of the first that would do by itself.
  PathSet result = 0;
  uint8_t first = way == Dispersion::standby ? UINT8_MAX : 0;
  for (size_t i = 0; i < combinations_.members().size(); ++i) {
    const Member& m = combinations_.members()[i];
    if (m.avoided && !rules.with_avoided) continue;
    if (waits_for_all && m.latency > limits.latency) continue;
    result |= PathSet{1} << i;
    if (m.rank < first && keeps(combinations_.outlook(PathSet{1} << i, way), limits))
      first = m.rank;
  }
  return combinations_.from_rank(result, first);
}

bool Search::is_better(const Candidate& a, const Candidate& b) const {
  if (a.value != b.value) return a.value > b.value;
  if (a.count != b.count) return a.count < b.count;
  const uint32_t of_a = combinations_.by_index(a.set), of_b = combinations_.by_index(b.set);
  if (const uint32_t differ = of_a ^ of_b; differ != 0)
    return (of_a >> std::countr_zero(differ) & 1) != 0;
  return a.dispersion < b.dispersion;
}

double Search::total(const Outlook& o, const Bounds& bounds, PathSet set, size_t place) const {
  double worth =
      quality_share_ * goodput_of(o.up, o.down, bounds) * latency_factor(o.latency) + o.bonus;
  if (quality_share_ < 1)
    worth += (1 - quality_share_) * cheapness_of(Combinations::per_gb(o.price), bounds);
  return set == set_in_force_ && place == dispersion_in_force_ ? worth + kInForceBonus : worth;
}

Worth Search::worth(PathSet set, size_t place, const Bounds& bounds) const {
  const Outlook o = combinations_.outlook(set, dispersion(place));
  const auto [preferred, rated] = combinations_.preferred_and_rated(set);
  Worth w;
  w.goodput = quality_share_ * goodput_of(o.up, o.down, bounds);
  w.latency = w.goodput * latency_factor(o.latency) - w.goodput;
  w.price = (1 - quality_share_) * cheapness_of(Combinations::per_gb(o.price), bounds);
  w.preference = kPreferredBonus * preferred;
  w.rating = kRatingShare * rated;
  w.inertia = set == set_in_force_ && place == dispersion_in_force_ ? kInForceBonus : 0;
  return w;
}

template <typename Expected>
double Search::ceiling_of(const Expected& r, const Bounds& bounds, bool held) const {
  double worth =
      quality_share_ * goodput_of(r.up, r.down, bounds) * latency_factor(r.latency) + r.bonus;
  if (quality_share_ < 1) {
    const auto cheapest = static_cast<double>(bounds.cheapest);
    const double price = r.price * 1e9 * (1 - kAbove) - 1;  // before it is rounded
    double cheapness = price > 0 ? cheapest / price : std::numeric_limits<double>::infinity();
    if (!held || cheapest == 0) cheapness = std::min(cheapness, 1.0);
    worth += (1 - quality_share_) * cheapness;
  }
  return worth + kAbove;
}

bool Search::lacks_paths(const Possible& possible, size_t place, uint8_t count) const {
  const Dispersion d = dispersion(place);
  return is_ordered(d) && count < possible.paths_most[static_cast<size_t>(d)];
}

// Each path alone, all that are allowed, and what is in force.
template <typename Try>
void Search::try_likely_ones(size_t place, PathSet allowed, Try attempt) const {
  const auto attempt_if = [&](PathSet set) {
    if (Combinations::exists(set, dispersion(place))) attempt(set);
  };
  for (size_t i = 0; i < combinations_.members().size(); ++i) attempt_if(PathSet{1} << i);
  attempt_if(allowed);
  if (place == dispersion_in_force_) attempt_if(set_in_force_);
}

// One path more or less, as long as that makes it better. `attempt` tells whether it does.
template <typename Try>
void Search::climb(PathSet from, size_t place, Try attempt) const {
  PathSet at = from;
  const size_t steps_max = 2 * combinations_.members().size();
  bool climbs = at != 0;
  for (size_t step = 0; climbs && step < steps_max; ++step) {
    climbs = false;
    const PathSet before = at;
    for (size_t i = 0; i < combinations_.members().size(); ++i) {
      const PathSet other = before ^ PathSet { 1 } << i;
      if (!Combinations::exists(other, dispersion(place)) || !attempt(other)) continue;
      at = other;
      climbs = true;
    }
  }
}

std::optional<Possible> Search::possible() const {
  if (!agreed_.may_be_kept()) return std::nullopt;
  for (const bool with_avoided : {false, true}) {
    for (const bool cautious : {true, false}) {
      if (cautious && set_in_force_ == 0) continue;
      if (auto found = possible(Rules{with_avoided, cautious})) return found;
    }
  }
  return std::nullopt;
}

std::optional<Possible> Search::possible(const Rules& rules) const {
  const bool wants_up = !request_.rate_up_bps, wants_down = !request_.rate_down_bps;
  Possible p{.rules = rules};
  double price = std::numeric_limits<double>::infinity();
  bool any = false;
  for (size_t d = 0; d < combinations_.dispersions().size(); ++d) {
    const Dispersion way = dispersion(d);
    uint8_t& most = p.paths_most[static_cast<size_t>(way)];
    // Where one was found that gives more up, or down, or costs less.
    PathSet most_up = 0, most_down = 0, cheapest = 0;
    const auto attempt = [&](PathSet set) {
      const PathSums sums = combinations_.sums(set);
      const Outlook o = combinations_.outlook(sums, way);
      const bool more_up = wants_up && o.up > p.bounds.up;
      const bool more_down = wants_down && o.down > p.bounds.down;
      const bool cheaper = o.price < price, more_paths = is_ordered(way) && sums.count > most;
      if (any && !more_up && !more_down && !cheaper && !more_paths) return false;
      if (!is_possible(rules, sums, o, set, d)) return false;
      any = true;
      if (more_up) p.bounds.up = o.up, most_up = set;
      if (more_down) p.bounds.down = o.down, most_down = set;
      if (cheaper) price = o.price, cheapest = set;
      most = std::max(most, sums.count);
      return true;
    };
    const PathSet allowed = may_be_used(rules, d);
    try_likely_ones(d, allowed, attempt);
    for (const PathSet found : {most_up, most_down, cheapest}) climb(found, d, attempt);
    const auto skip = [&](const Reach& r, Combinations::Highs highs) {
      if (any && !(wants_up && r.up > p.bounds.up) && !(wants_down && r.down > p.bounds.down) &&
          !(r.price < price) && !(is_ordered(way) && r.count_max > most))
        return true;
      return !may_be_possible(rules, r, highs, d);
    };
    combinations_.walk(combinations_.groups(allowed), way, skip, attempt);
  }
  if (!any) return std::nullopt;
  if (!wants_up) p.bounds.up = exact_.up;
  if (!wants_down) p.bounds.down = exact_.down;
  p.bounds.cheapest = Combinations::per_gb(price);
  return p;
}

Candidate Search::best(const Possible& possible, const Bounds& bounds, bool held) const {
  Candidate best;
  const auto ways = combinations_.dispersions().size();
  const auto attempt_by = [&](size_t d) {
    return [this, &best, &possible, &bounds, held, d](PathSet set) {
      const PathSums sums = combinations_.sums(set);
      if (lacks_paths(possible, d, sums.count)) return false;
      const Outlook o = combinations_.outlook(sums, dispersion(d));
      // Prices in whole units take time.
      if (quality_share_ < 1 &&
          nine_decimals(ceiling_of(o, bounds, held) + kInForceBonus) < best.value)
        return false;
      const double worth = nine_decimals(total(o, bounds, set, d));
      if (worth < best.value || !is_possible(possible.rules, sums, o, set, d)) return false;
      const Candidate c{set, static_cast<uint8_t>(d), sums.count, worth};
      if (best.set != 0 && !is_better(c, best)) return false;
      best = c;
      return true;
    };
  };
  for (size_t d = 0; d < ways; ++d)
    try_likely_ones(d, may_be_used(possible.rules, d), attempt_by(d));
  climb(best.set, best.dispersion, attempt_by(best.dispersion));
  for (size_t d = 0; d < ways; ++d) {
    const auto skip = [&](const Reach& r, Combinations::Highs highs) {
      if (!may_be_possible(possible.rules, r, highs, d) || lacks_paths(possible, d, r.count_max))
        return true;
      double above = ceiling_of(r, bounds, held);
      if (d == dispersion_in_force_ && highs.has(set_in_force_)) above += kInForceBonus;
      above = nine_decimals(above);
      return above < best.value || (above == best.value && r.count_min > best.count);
    };
    combinations_.walk(combinations_.groups(may_be_used(possible.rules, d)), dispersion(d), skip,
                       attempt_by(d));
  }
  return best;
}

template <typename OfOutlook, typename OfReach>
Candidate Search::extreme(OfOutlook of_outlook, OfReach of_reach) const {
  Candidate best;
  for (size_t d = 0; d < combinations_.dispersions().size(); ++d) {
    const auto attempt = [&](PathSet set) {
      const PathSums sums = combinations_.sums(set);
      const double value = of_outlook(combinations_.outlook(sums, dispersion(d)));
      const Candidate c{set, static_cast<uint8_t>(d), sums.count, value};
      if (best.set == 0 || is_better(c, best)) best = c;
    };
    try_likely_ones(d, combinations_.all(), attempt);
    const auto skip = [&](const Reach& r, Combinations::Highs) {
      const double above = of_reach(r);
      return best.set != 0 &&
             (above < best.value || (above == best.value && r.count_min > best.count));
    };
    combinations_.walk(combinations_.groups(combinations_.all()), dispersion(d), skip, attempt);
  }
  return best;
}

Candidate Search::most() const {
  return extreme([](const Outlook& o) { return o.up + o.down; },
                 [](const Reach& r) { return r.up + r.down; });
}

// A mix costs as much as the cheapest of its paths at least, and copies twice: one path alone will
// do, where one alone may be.
Candidate Search::cheapest() const {
  Candidate best;
  for (size_t d = 0; d < combinations_.dispersions().size(); ++d) {
    for (size_t i = 0; i < combinations_.members().size(); ++i) {
      const PathSet set = PathSet{1} << i;
      if (!Combinations::exists(set, dispersion(d))) break;
      const Candidate c{set, static_cast<uint8_t>(d), 1,
                        -combinations_.outlook(set, dispersion(d)).price};
      if (best.set == 0 || is_better(c, best)) best = c;
    }
  }
  if (best.set != 0) return best;
  return extreme([](const Outlook& o) { return -o.price; },
                 [](const Reach& r) { return -r.price; });
}

double Search::risk(PathSet set, size_t place) const {
  struct Provider {
    PathSet paths;
    double there;
  };
  std::vector<Provider> providers;
  for (const PathSet theirs : combinations_.by_provider(set)) {
    if (theirs != 0) providers.push_back({theirs, combinations_.availability(theirs)});
  }
  std::stable_sort(providers.begin(), providers.end(),
                   [](const Provider& a, const Provider& b) { return a.there < b.there; });
  if (providers.size() > kRiskyProviders) providers.resize(kRiskyProviders);
  const auto is_kept_by = [&](PathSet left) {
    // The last path of several carries without copies.
    const Dispersion way =
        Combinations::exists(left, dispersion(place)) ? dispersion(place) : Dispersion::flow;
    return left != 0 && keeps(combinations_.outlook(left, way), exact_);
  };
  double risk = 0;
  for (uint32_t failed = 1; failed < 1u << providers.size(); ++failed) {
    PathSet left = set;
    double chance = 1;
    for (size_t i = 0; i < providers.size(); ++i) {
      const bool fails = (failed >> i & 1) != 0;
      chance *= fails ? 1 - providers[i].there : providers[i].there;
      if (fails) left &= ~providers[i].paths;
    }
    if (chance > 0 && !is_kept_by(left)) risk += chance;
  }
  return risk;
}

double Search::quality(const Outlook& o, const Bounds& bounds) {
  return goodput_of(o.up, o.down, bounds) * latency_factor(o.latency);
}

}  // namespace anabranch::control
