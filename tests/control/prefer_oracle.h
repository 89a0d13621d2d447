// SPDX-License-Identifier: BSD-3-Clause
// What the preferred scenario is, said a second time: every combination, one after the other, by
// what scenario.h, worth.h and the README's table of dispersions say. Shares nothing with the
// product but its structs; slow, and in long double.
#pragma once

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "control/worth.h"

namespace anabranch::control::oracle {

using Real = long double;

struct Combination {
  std::vector<const PathState*> paths;  // by index
  Dispersion dispersion = Dispersion::weighted;
  size_t dispersion_place = 0;
  std::vector<uint8_t> order;
  Real up = 0, down = 0, latency = 0, loss = 0, price = 0;  // price of 10^9 octets
  Real preferred = 0, rating = 0;
  bool avoided = false, in_force = false;
  Real worth = 0;
};

struct Verdict {
  std::vector<Combination> possible;  // those compared; each with its worth
  const Combination* preferred = nullptr;
  bool is_close = false;  // rounding may decide otherwise
};

class Oracle {
 public:
  Oracle(std::vector<PathState> paths, Profile profile, ServiceRequest request,
         const Scenario* in_force, Ratings ratings)
      : paths_(std::move(paths)),
        profile_(std::move(profile)),
        request_(std::move(request)),
        in_force_(in_force),
        ratings_(std::move(ratings)) {
    std::sort(paths_.begin(), paths_.end(),
              [](const PathState& a, const PathState& b) { return a.index < b.index; });
    find_highest_rated();
  }

  Verdict decide() {
    Verdict v;
    // First without avoided paths; and where something is in force, others with a margin.
    for (const auto& [with_avoided, cautious] : std::initializer_list<std::pair<bool, bool>>{
             {false, true}, {false, false}, {true, true}, {true, false}}) {
      v.possible.clear();
      bool can_stay = false;
      for (Combination& c : all_combinations()) {
        can_stay |= c.in_force;
        const bool with_margin = cautious && !c.in_force;
        if ((with_avoided || !c.avoided) && keeps_request(c, with_margin ? 1 : 0) &&
            keeps_agreement(c, with_margin ? 1 : 0))
          v.possible.push_back(std::move(c));
      }
      if (cautious && !can_stay) continue;
      if (!v.possible.empty()) break;
    }
    leave_out_those_that_lack_paths(v.possible);
    const bool limits_close = close_;
    value_all(v.possible);
    for (const Combination& c : v.possible) {
      if (v.preferred == nullptr || is_better(c, *v.preferred)) v.preferred = &c;
    }
    for (const Combination& c : v.possible) {
      const Real off = std::fabs(c.worth - v.preferred->worth);
      // Rounded to nine decimals one may be above the other, or equal.
      if (&c != v.preferred && off < 1.1e-9L && (off > 1e-13L || near_rounding(c.worth)))
        v.is_close = true;
    }
    v.is_close |= limits_close;
    return v;
  }

  // What the same combination as the product's is worth here.
  static const Combination* find(const Verdict& v, const Scenario& s) {
    for (const Combination& c : v.possible) {
      if (c.dispersion != s.dispersion || c.paths.size() != s.shares.size()) continue;
      if (std::equal(c.paths.begin(), c.paths.end(), s.shares.begin(),
                     [](auto* p, const auto& x) { return p->index == x.path_index; }))
        return &c;
    }
    return nullptr;
  }

  // Availability over the longest time that is known, of everything.
  static Real lasting(const PathState& p) {
    Real result = p.availability;
    for (const PathRecord& then : p.records) {
      if (then.samples != 0) result = then.availability;
    }
    return result;
  }
  static Real availability(const Combination& c) { return there(c.paths, lasting); }
  // That what is asked for is not kept: as one provider after the other is there, or not.
  Real risk(const Combination& c) {
    if (c.paths.empty()) return 1;
    std::set<std::string> providers;
    for (const auto* p : c.paths) providers.insert(p->provider);
    return risk_of(c, std::vector<std::string>(providers.begin(), providers.end()), c.paths);
  }

 private:
  Real risk_of(const Combination& c, std::vector<std::string> undecided,
               std::vector<const PathState*> left) {
    if (undecided.empty()) {
      if (left.empty()) return 1;
      Combination rest;
      rest.dispersion = c.dispersion == Dispersion::redundant && left.size() == 1 ? Dispersion::flow
                                                                                  : c.dispersion;
      rest.paths = left;
      predict(rest);
      return left.size() == c.paths.size() || keeps_request(rest, 0) ? 0 : 1;
    }
    const std::string provider = undecided.back();
    undecided.pop_back();
    std::vector<const PathState*> theirs, others;
    for (const auto* p : left) (p->provider == provider ? theirs : others).push_back(p);
    const Real is_there = there(theirs, lasting);
    return is_there * risk_of(c, undecided, left) + (1 - is_there) * risk_of(c, undecided, others);
  }
  static bool near_rounding(Real worth) {
    const Real scaled = worth * 1e9L, rest = scaled - std::floor(scaled);
    return std::fabs(rest - 0.5L) < 1e-4L;
  }
  static Standing named(const std::vector<std::pair<std::string, Standing>>& all,
                        const std::string& name) {
    for (const auto& [known, standing] : all) {
      if (known == name) return standing;
    }
    return Standing::allow;
  }
  // never, then avoid, whoever says it; preferred is who is preferred by either.
  Standing stored_standing(const PathState& p) const {
    const Standing by_provider = named(profile_.providers, p.provider),
                   by_network = named(profile_.networks, p.network);
    for (const Standing s : {Standing::never, Standing::avoid, Standing::prefer}) {
      if (by_provider == s || by_network == s) return s;
    }
    return Standing::allow;
  }
  Standing standing(const PathState& p) const {
    const Standing stored = stored_standing(p);
    if (stored != Standing::allow) return stored;
    const std::string& name =
        profile_.prefer_highest_rated == HighestRated::network ? p.network : p.provider;
    return std::find(highest_.begin(), highest_.end(), name) != highest_.end() ? Standing::prefer
                                                                               : Standing::allow;
  }
  static Real rated(const std::vector<std::pair<std::string, double>>& all,
                    const std::string& name) {
    for (const auto& [known, rating] : all) {
      if (known == name) return rating;
    }
    return 0;
  }
  void find_highest_rated() {
    if (profile_.prefer_highest_rated == HighestRated::none) return;
    const bool network = profile_.prefer_highest_rated == HighestRated::network;
    const auto rating = [&](const PathState& p) {
      return network ? rated(ratings_.networks, p.network) : rated(ratings_.providers, p.provider);
    };
    const auto counts = [&](const PathState& p) {
      const Standing s = stored_standing(p);
      return p.alive && p.held_back_s == 0 && (s == Standing::allow || s == Standing::prefer);
    };
    Real most = 0;
    for (const PathState& p : paths_) {
      if (counts(p)) most = std::max(most, rating(p));
    }
    if (most <= 0) return;
    for (const PathState& p : paths_) {
      if (!counts(p) || rating(p) <= 0) continue;
      bool carries = false;
      for (size_t i = 0; in_force_ != nullptr && i < in_force_->shares.size(); ++i)
        carries |= in_force_->shares[i].path_index == p.index;
      const Real behind = most - rating(p);
      if (behind <= 1e-6L || (carries && behind <= 1 + 1e-6L))
        highest_.push_back(network ? p.network : p.provider);
    }
  }

  std::vector<Combination> all_combinations() {
    std::vector<const PathState*> usable;
    for (const PathState& p : paths_) {
      if (p.alive && stored_standing(p) != Standing::never) usable.push_back(&p);
    }
    auto ways = profile_.dispersions;
    if (ways.empty()) ways = {Dispersion::earliest_delivery, Dispersion::flow};
    std::vector<Combination> all;
    for (uint32_t set = 1; set < 1u << usable.size(); ++set) {
      for (size_t w = 0; w < ways.size(); ++w) {
        Combination c;
        c.dispersion = ways[w];
        c.dispersion_place = w;
        for (size_t i = 0; i < usable.size(); ++i) {
          if (set >> i & 1) c.paths.push_back(usable[i]);
        }
        if (c.dispersion == Dispersion::redundant && c.paths.size() == 1) continue;
        predict(c);
        all.push_back(std::move(c));
      }
    }
    return all;
  }

  static Real whole_payload(const PathState& p, bool up) {
    const Real rate = static_cast<Real>(up ? p.rate_up_bps : p.rate_down_bps),
               loss = up ? p.loss_up : p.loss_down;
    const Real content = static_cast<Real>(p.mtu) - p.overhead - 40;  // without TCP's and IP's
    return rate * (1 - loss) * content / (p.mtu + 38);                // with Ethernet's framing
  }
  // What others leave of it, 0..1.
  static Real left(const PathState& p, bool up) {
    const Real held = static_cast<Real>(up ? p.held_up_bps : p.held_down_bps),
               whole = whole_payload(p, up);
    if (held == 0) return 1;
    return held < whole ? (whole - held) / whole : 0;
  }
  static Real payload(const PathState& p, bool up) {
    return whole_payload(p, up) * left(p, up) / p.shared_by;
  }
  // Mathis: 1.22 × segment / (round trip × √loss).
  static Real one_connection(const PathState& p, bool up) {
    const Real loss = up ? p.loss_up : p.loss_down, most = payload(p, up) * p.shared_by;
    if (loss == 0) return most;
    const Real content = static_cast<Real>(p.mtu) - p.overhead - 40;
    const Real rtt_s = std::max<Real>(1, p.rtt_ms) / 1000;
    return std::min(most, 1.22L * content * 8 / (rtt_s * std::sqrt(loss)));
  }
  static Real part(const PathState& p, bool up) {
    const Real usable = static_cast<Real>(up ? p.rate_up_bps : p.rate_down_bps) *
                        (1 - static_cast<Real>(up ? p.loss_up : p.loss_down)) * left(p, up) /
                        p.shared_by;
    return std::max<Real>(usable, 1e-6L);
  }
  Real goodput(const Combination& c, bool up) const {
    Real sum = 0, sum_near = 0, most = 0, best = 0, least_rtt = 1e300L;
    for (const auto* p : c.paths) least_rtt = std::min<Real>(least_rtt, p->rtt_min_ms);
    for (const auto* p : c.paths) {
      sum += payload(*p, up);
      most = std::max(most, payload(*p, up));
      best = std::max(best, one_connection(*p, up));
      if (p->rtt_min_ms - least_rtt <= 200) sum_near += payload(*p, up);  // 100 ms one way
    }
    const uint64_t cap = up ? profile_.treatment.rate_up_max : profile_.treatment.rate_down_max;
    Real result = sum_near;
    if (c.dispersion == Dispersion::flow || c.dispersion == Dispersion::flowlet)
      result = std::min(best, sum);
    if (c.dispersion == Dispersion::redundant) result = std::min(sum / 2, sum - most);
    if (c.dispersion == Dispersion::standby) result = payload(first_of(c), up);
    return cap == 0 ? result : std::min(result, static_cast<Real>(cap));
  }
  const PathState& first_of(const Combination& c) const {
    for (const auto* p : c.paths) {
      if (p->index == c.order.front()) return *p;
    }
    return *c.paths.front();
  }

  void predict(Combination& c) {
    // Preferred ones first, then the cheapest, then the quickest.
    std::vector<const PathState*> sorted = c.paths;
    std::sort(sorted.begin(), sorted.end(), [&](const PathState* a, const PathState* b) {
      const bool pa = standing(*a) == Standing::prefer, pb = standing(*b) == Standing::prefer;
      if (pa != pb) return pa;
      if (a->price_attos_per_octet != b->price_attos_per_octet)
        return a->price_attos_per_octet < b->price_attos_per_octet;
      if (a->rtt_min_ms != b->rtt_min_ms) return a->rtt_min_ms < b->rtt_min_ms;
      return a->index < b->index;
    });
    const bool ordered =
        c.dispersion == Dispersion::priority || c.dispersion == Dispersion::standby;
    if (ordered) {
      for (const auto* p : sorted) c.order.push_back(p->index);
    }
    c.up = goodput(c, true);
    c.down = goodput(c, false);
    Real parts_up = 0, parts_down = 0, rates = 0, delays = 0, slowest = 0, quickest = 1e300L;
    std::vector<Real> losses;
    for (const auto* p : c.paths) {
      parts_up += part(*p, true);
      parts_down += part(*p, false);
      const Real rate =
          std::max<Real>(1e-6L, static_cast<Real>(p->rate_up_bps) * left(*p, true) / p->shared_by);
      rates += rate;
      delays += rate * p->rtt_ms / 2;
      slowest = std::max<Real>(slowest, p->rtt_ms / 2);
      quickest = std::min<Real>(quickest, p->rtt_ms / 2);
      losses.push_back(std::max(p->loss_up, p->loss_down));
      c.avoided |= standing(*p) == Standing::avoid || p->held_back_s != 0;
    }
    for (size_t i = 0; i < c.paths.size(); ++i) {
      const PathState& p = *c.paths[i];
      const Real share = (part(p, true) / parts_up + part(p, false) / parts_down) / 2;
      c.price += share * static_cast<Real>(p.price_attos_per_octet) * 1e9L;
      c.loss += share * losses[i] * 100;
      if (standing(p) == Standing::prefer) c.preferred += share;
      c.rating += share *
                  (rated(ratings_.links, p.name) + rated(ratings_.networks, p.network) +
                   rated(ratings_.providers, p.provider)) /
                  300;
    }
    c.latency = slowest;
    std::sort(losses.begin(), losses.end());
    switch (c.dispersion) {
      case Dispersion::flow:
      case Dispersion::flowlet:
        c.latency = delays / rates;
        break;
      case Dispersion::redundant:
        c.latency = quickest;
        c.loss = 100 * losses[0] * losses[1];
        c.price *= 2;
        break;
      case Dispersion::standby:
        c.latency = first_of(c).rtt_ms / 2;
        c.loss = 100 * std::max(first_of(c).loss_up, first_of(c).loss_down);
        [[fallthrough]];
      case Dispersion::priority:
        c.price = static_cast<Real>(first_of(c).price_attos_per_octet) * 1e9L;
        break;
      default:
        break;
    }
    c.in_force = in_force_ != nullptr && in_force_->dispersion == c.dispersion &&
                 in_force_->order == c.order && in_force_->shares.size() == c.paths.size() &&
                 std::equal(c.paths.begin(), c.paths.end(), in_force_->shares.begin(),
                            [](auto* p, const auto& s) { return p->index == s.path_index; });
  }

  // Equal but for rounding: nobody can say.
  bool at_most(Real value, Real limit) {
    const Real off = std::fabs(value - limit);
    if (off != 0 && off <= 1e-12L * std::max(std::fabs(value), std::fabs(limit))) close_ = true;
    return value <= limit;
  }
  // The margin: 5 % more rate, 10 % less latency, half the loss.
  bool keeps_request(const Combination& c, Real margin) {
    bool keeps = true;
    if (request_.rate_up_bps)
      keeps &= at_most(static_cast<Real>(*request_.rate_up_bps) * (1 + margin * 0.05L), c.up + 32);
    if (request_.rate_down_bps)
      keeps &=
          at_most(static_cast<Real>(*request_.rate_down_bps) * (1 + margin * 0.05L), c.down + 32);
    if (request_.latency_ms_max)
      keeps &= at_most(c.latency, *request_.latency_ms_max * (1 - margin * 0.1L));
    if (request_.loss_percent_max)
      keeps &= at_most(c.loss, *request_.loss_percent_max * (1 - margin * 0.5L));
    if (request_.price_per_gb_max)
      keeps &= at_most(c.price, std::stold(*request_.price_per_gb_max) * 1e18L);
    return keeps;
  }

  // The margin: as of a request; of jitter as of latency, of the time that nothing is there as of
  // loss.
  bool keeps_agreement(const Combination& c, Real margin) {
    using Of = Objective::Of;
    bool keeps = true;
    for (const Objective& o : request_.objectives) {
      const Real is = was(c, o), limit = o.limit;
      switch (o.of) {
        case Of::rate_up:
        case Of::rate_down:
          keeps &= at_most(limit * (1 + margin * 0.05L), is + 32);
          break;
        case Of::latency:
        case Of::jitter:
          keeps &= at_most(is, limit * (1 - margin * 0.1L));
          break;
        case Of::loss:
          keeps &= at_most(is, limit * (1 - margin * 0.5L));
          break;
        case Of::availability:
          close_ |= std::fabs(is - limit) < 2e-9L;
          keeps &= 100 - is <= (100 - limit) * (1 - margin * 0.5L);
          break;
      }
    }
    return keeps;
  }
  static PathState as_it_was(PathState p, Window window) {
    if (window == Window::second) return p;
    const PathRecord& then = p.records[static_cast<size_t>(window) - 1];
    if (then.samples == 0) return p;
    p.availability = then.availability;
    if (then.availability == 0) return p;
    p.rtt_ms = 2 * then.latency_ms;
    p.rtt_variation_ms = then.jitter_ms;
    p.loss_up = p.loss_down = then.loss;
    for (uint64_t* rate : {&p.rate_up_bps, &p.rate_down_bps})
      *rate = static_cast<uint64_t>(static_cast<double>(*rate) * then.rate_kept);
    return p;
  }
  // What the combination was over the objective's window.
  Real was(const Combination& now, const Objective& o) {
    using Of = Objective::Of;
    std::vector<PathState> then;
    for (const auto* p : now.paths) then.push_back(as_it_was(*p, o.window));
    Combination c;
    c.dispersion = now.dispersion;
    for (const PathState& p : then) c.paths.push_back(&p);
    predict(c);
    const bool flows = c.dispersion == Dispersion::flow || c.dispersion == Dispersion::flowlet;
    switch (o.of) {
      case Of::rate_up:
        return c.up;
      case Of::rate_down:
        return c.down;
      case Of::latency:
        return c.latency;
      case Of::jitter:
        for (PathState& p : then) p.rtt_ms = 2 * p.rtt_variation_ms;
        predict_anew(c);
        return c.latency;
      case Of::loss:
        return flows ? c.loss : c.loss * c.loss / 100;
      case Of::availability:
        return 100 * there(c.paths, [](const PathState& p) { return p.availability; });
    }
    return 0;
  }
  void predict_anew(Combination& c) {
    Combination anew;
    anew.dispersion = c.dispersion;
    anew.paths = c.paths;
    predict(anew);
    c = anew;
  }
  // That one of them is: of one provider the best, of several each by itself.
  template <typename Availability>
  static Real there(const std::vector<const PathState*>& paths, Availability of) {
    std::map<std::string, Real> best;
    for (const auto* p : paths) best[p->provider] = std::max<Real>(best[p->provider], of(*p));
    Real none = 1;
    for (const auto& [provider, availability] : best) none *= 1 - availability;
    return 1 - none;
  }

  static void leave_out_those_that_lack_paths(std::vector<Combination>& possible) {
    for (const Dispersion d : {Dispersion::priority, Dispersion::standby}) {
      size_t most = 0;
      for (const auto& c : possible) {
        if (c.dispersion == d) most = std::max(most, c.paths.size());
      }
      // They count for what others are measured against.
      for (auto& c : possible) {
        if (c.dispersion == d && c.paths.size() < most) c.worth = -1;
      }
    }
  }

  void value_all(std::vector<Combination>& possible) {
    Real up = 1, down = 1, cheapest = 1e300L;
    for (const auto& c : possible) {
      up = std::max(up, c.up);
      down = std::max(down, c.down);
      cheapest = std::min(cheapest, c.price);
    }
    if (request_.rate_up_bps) up = static_cast<Real>(*request_.rate_up_bps);
    if (request_.rate_down_bps) down = static_cast<Real>(*request_.rate_down_bps);
    const Real q = profile_.quality_percent / 100.0L;
    for (auto& c : possible) {
      if (c.worth < 0) continue;
      const Real goodput = (std::min<Real>(1, c.up / up) + std::min<Real>(1, c.down / down)) / 2;
      const Real cheapness = c.price == 0 ? 1 : cheapest / c.price;
      c.worth = q * goodput / (1 + c.latency / 500) + (1 - q) * cheapness + 0.25L * c.preferred +
                0.15L * c.rating + (c.in_force ? 0.03L : 0);
    }
    std::erase_if(possible, [](const Combination& c) { return c.worth < 0; });
  }

  static bool is_better(const Combination& a, const Combination& b) {
    const Real wa = std::floor(a.worth * 1e9L + 0.5L), wb = std::floor(b.worth * 1e9L + 0.5L);
    if (wa != wb) return wa > wb;
    if (a.paths.size() != b.paths.size()) return a.paths.size() < b.paths.size();
    for (size_t i = 0; i < a.paths.size(); ++i) {
      if (a.paths[i]->index != b.paths[i]->index) return a.paths[i]->index < b.paths[i]->index;
    }
    return a.dispersion_place < b.dispersion_place;
  }

  std::vector<PathState> paths_;
  Profile profile_;
  ServiceRequest request_;
  const Scenario* in_force_;
  Ratings ratings_;
  std::vector<std::string> highest_;
  bool close_ = false;
};

}  // namespace anabranch::control::oracle
