// SPDX-License-Identifier: BSD-3-Clause
// The candidates worth looking at among many paths: all combinations in sums, a few as scenarios.
#include <algorithm>
#include <array>
#include <set>

#include "billing/money.h"
#include "control/candidates.h"

namespace anabranch::control {
namespace {

constexpr size_t kEach = 64;
// More than what rounding a weight to a 65535th can do to a prediction of any weight in it.
constexpr float kNearly = 1e-3f;

// One usable path, with all that a combination sums up.
struct Addend {
  const PathState* path;
  uint16_t bit;  // its place by index
  uint8_t rank;  // its place in order, for ordered dispersions
  bool avoided;
  double payload_up, payload_down, flow_up, flow_down;
  double part_up, part_down;  // of the split
  double latency, capacity, price, loss, bonus;
};

struct Sums {
  uint16_t bits = 0;
  uint8_t count = 0, first = 255;
  bool avoided = false;
  const Addend* quickest = nullptr;
  double up = 0, down = 0, most_up = 0, most_down = 0, flow_up = 0, flow_down = 0;
  double parts_up = 0, parts_down = 0;
  double latency_most = 0, latency_least = 1e300, latency_weighted = 0, capacity = 0;
  double price_up = 0, price_down = 0, loss_up = 0, loss_down = 0, bonus_up = 0, bonus_down = 0;
  double loss_least = 1, loss_next = 1;
};

// A combination and its dispersion. Four million octets for 16 paths: hence floats.
struct Lean {
  float up, down, latency, loss, price, bonus;
  uint16_t bits;
  uint8_t dispersion, count;  // the dispersion's place among those allowed
  bool avoided;
};

struct Limits {
  float up = 0, down = 0, latency = 1e30f, loss = 1e30f, price = 1e38f;
};

class Sweep {
 public:
  Sweep(UsedPaths usable, const Profile& profile, const ServiceRequest& request,
        const Ratings& ratings, const Scenario* in_force)
      : usable_(std::move(usable)),
        profile_(profile),
        request_(request),
        dispersions_(allowed_dispersions(profile)) {
    for (const PathState* p : usable_) addends_.push_back(addend(*p, ratings));
    give_ranks();
    find(in_force);
    // The quickest first: what is too slow beside it is known as it is added.
    std::stable_sort(addends_.begin(), addends_.end(), [](const Addend& a, const Addend& b) {
      return a.path->rtt_min_ms < b.path->rtt_min_ms;
    });
    for (const Addend& a : addends_) by_rank_[a.rank] = &a;
    all_.reserve(dispersions_.size() << addends_.size());
    walk(0, {});
  }

  std::vector<Scenario> chosen() {
    pick_always();
    pick(false);
    pick(true);
    std::vector<Scenario> result;
    for (const auto& [bits, dispersion] : picked_) {
      UsedPaths used;
      for (size_t i = 0; i < usable_.size(); ++i) {
        if ((bits >> i & 1) != 0) used.push_back(usable_[i]);
      }
      result.push_back(make_scenario(used, dispersions_[dispersion], profile_));
    }
    return result;
  }

 private:
  Addend addend(const PathState& p, const Ratings& ratings) const {
    const Standing standing = profile_.standing(p.provider, p.network);
    const double rating =
        (rating_of(ratings.links, p.name) + rating_of(ratings.networks, p.network) +
         rating_of(ratings.providers, p.provider)) /
        300;
    constexpr double kNothing = 1e-6;  // split evenly among paths that carry nothing
    return {.path = &p,
            .bit = static_cast<uint16_t>(1u << addends_.size()),
            .rank = 0,
            .avoided = standing == Standing::avoid,
            .payload_up = payload_bps(p, p.rate_up_bps, p.loss_up),
            .payload_down = payload_bps(p, p.rate_down_bps, p.loss_down),
            .flow_up = flow_payload_bps(p, p.rate_up_bps, p.loss_up),
            .flow_down = flow_payload_bps(p, p.rate_down_bps, p.loss_down),
            .part_up = std::max(kNothing, usable_bps(p.rate_up_bps, p.loss_up)),
            .part_down = std::max(kNothing, usable_bps(p.rate_down_bps, p.loss_down)),
            .latency = p.rtt_ms / 2,
            .capacity = static_cast<double>(p.rate_up_bps),
            .price = static_cast<double>(p.price_attos_per_octet) * 1e9,
            .loss = std::max(p.loss_up, p.loss_down),
            .bonus = (standing == Standing::prefer ? kPreferredBonus : 0) + kRatingShare * rating};
  }
  void give_ranks() {
    std::vector<Addend*> order;
    for (Addend& a : addends_) order.push_back(&a);
    std::sort(order.begin(), order.end(), [&](const Addend* a, const Addend* b) {
      return rank_of(*a->path, profile_) < rank_of(*b->path, profile_);
    });
    for (size_t i = 0; i < order.size(); ++i) order[i]->rank = static_cast<uint8_t>(i);
  }
  void find(const Scenario* in_force) {
    if (in_force == nullptr) return;
    for (size_t i = 0; i < dispersions_.size(); ++i) {
      if (dispersions_[i] == in_force->dispersion) dispersion_in_force_ = i;
    }
    for (const auto& share : in_force->shares) {
      for (const Addend& a : addends_) {
        if (a.path->index == share.path_index) bits_in_force_ |= a.bit;
      }
    }
  }

  static Sums add(const Sums& before, const Addend& a) {
    Sums s = before;
    s.bits = static_cast<uint16_t>(s.bits | a.bit);
    ++s.count;
    s.first = std::min(s.first, a.rank);
    s.avoided |= a.avoided;
    if (s.quickest == nullptr) s.quickest = &a;
    if (!too_slow_beside(*a.path, *s.quickest->path)) {
      s.up += a.payload_up;
      s.down += a.payload_down;
    }
    s.most_up = std::max(s.most_up, a.payload_up);
    s.most_down = std::max(s.most_down, a.payload_down);
    s.flow_up = std::max(s.flow_up, a.flow_up);
    s.flow_down = std::max(s.flow_down, a.flow_down);
    s.parts_up += a.part_up;
    s.parts_down += a.part_down;
    s.latency_most = std::max(s.latency_most, a.latency);
    s.latency_least = std::min(s.latency_least, a.latency);
    s.latency_weighted += a.latency * a.capacity;
    s.capacity += a.capacity;
    s.price_up += a.price * a.part_up;
    s.price_down += a.price * a.part_down;
    s.loss_up += a.loss * a.part_up;
    s.loss_down += a.loss * a.part_down;
    s.bonus_up += a.bonus * a.part_up;
    s.bonus_down += a.bonus * a.part_down;
    s.loss_next = std::min(s.loss_next, std::max(s.loss_least, a.loss));
    s.loss_least = std::min(s.loss_least, a.loss);
    return s;
  }

  void walk(size_t from, const Sums& before) {
    for (size_t i = from; i < addends_.size(); ++i) {
      const Sums sums = add(before, addends_[i]);
      note(sums);
      walk(i + 1, sums);  // as deep as there are paths
    }
  }

  float capped(uint64_t rate_max, double bps) const {
    return static_cast<float>(rate_max == 0 ? bps : std::min(bps, static_cast<double>(rate_max)));
  }

  void note(const Sums& s) {
    const double up = 0.5 / s.parts_up, down = 0.5 / s.parts_down;
    const double price = s.price_up * up + s.price_down * down,
                 loss = s.loss_up * up + s.loss_down * down;
    const auto bonus = static_cast<float>(s.bonus_up * up + s.bonus_down * down);
    const Treatment& t = profile_.treatment;
    for (size_t d = 0; d < dispersions_.size(); ++d) {
      const Dispersion dispersion = dispersions_[d];
      if (dispersion == Dispersion::redundant && s.count < 2) continue;
      Lean lean{.up = capped(t.rate_up_max, s.up),
                .down = capped(t.rate_down_max, s.down),
                .latency = static_cast<float>(s.latency_most),
                .loss = static_cast<float>(100 * loss),
                .price = static_cast<float>(price),
                .bonus = bonus,
                .bits = s.bits,
                .dispersion = static_cast<uint8_t>(d),
                .count = s.count,
                .avoided = s.avoided};
      if (segmentation_of(dispersion) == Segmentation::flow) {
        lean.up = capped(t.rate_up_max, s.flow_up);
        lean.down = capped(t.rate_down_max, s.flow_down);
        if (s.capacity > 0) lean.latency = static_cast<float>(s.latency_weighted / s.capacity);
      } else if (dispersion == Dispersion::redundant) {
        lean.up = capped(t.rate_up_max, std::min(s.up / 2, s.up - s.most_up));
        lean.down = capped(t.rate_down_max, std::min(s.down / 2, s.down - s.most_down));
        lean.latency = static_cast<float>(s.latency_least);
        lean.loss = static_cast<float>(100 * s.loss_least * s.loss_next);
        lean.price *= 2;
      } else if (is_ordered(dispersion)) {
        in_order(lean, *by_rank_[s.first], dispersion);
      }
      if (d == dispersion_in_force_ && s.bits == bits_in_force_)
        lean.bonus += static_cast<float>(kInForceBonus);
      all_.push_back(lean);
    }
  }
  void in_order(Lean& lean, const Addend& first, Dispersion dispersion) const {
    lean.price = static_cast<float>(first.price);
    if (dispersion != Dispersion::standby) return;
    lean.up = capped(profile_.treatment.rate_up_max, first.payload_up);
    lean.down = capped(profile_.treatment.rate_down_max, first.payload_down);
    lean.latency = static_cast<float>(first.latency);
    lean.loss = static_cast<float>(100 * first.loss);
  }

  // `slack` above 0 lets pass what nearly keeps the request; below, only what surely does.
  Limits limits(float slack) const {
    Limits l;
    if (request_.rate_up_bps) l.up = static_cast<float>(*request_.rate_up_bps) * (1 - slack);
    if (request_.rate_down_bps) l.down = static_cast<float>(*request_.rate_down_bps) * (1 - slack);
    if (request_.latency_ms_max)
      l.latency = static_cast<float>(*request_.latency_ms_max) * (1 + slack);
    if (request_.loss_percent_max)
      l.loss = static_cast<float>(*request_.loss_percent_max) * (1 + slack);
    if (request_.price_per_gb_max) {
      const auto most =
          billing::parse_amount(*request_.price_per_gb_max).value_or(billing::Amount());
      l.price = static_cast<float>(most.attos()) * (1 + slack);
    }
    return l;
  }
  static bool keeps(const Lean& c, const Limits& l) {
    return c.up >= l.up && c.down >= l.down && c.latency <= l.latency && c.loss <= l.loss &&
           c.price <= l.price;
  }

  void take(const Lean& c) { picked_.insert({c.bits, c.dispersion}); }
  // What refusals and reasons name.
  void pick_always() {
    const Lean* most = nullptr;
    for (const Lean& c : all_) {
      if (c.count == 1 || (c.bits == bits_in_force_ && c.dispersion == dispersion_in_force_))
        take(c);
      if (most == nullptr || c.up + c.down > most->up + most->down) most = &c;
    }
    if (most != nullptr) take(*most);
  }

  struct Extremes {
    const Lean *up = nullptr, *down = nullptr, *cheapest = nullptr;
    std::array<uint8_t, 256> most_paths{};
  };
  Extremes extremes(bool with_avoided, float slack) {
    const Limits l = limits(slack);
    Extremes e;
    for (const Lean& c : all_) {
      if ((c.avoided && !with_avoided) || !keeps(c, l)) continue;
      if (e.up == nullptr || c.up > e.up->up) e.up = &c;
      if (e.down == nullptr || c.down > e.down->down) e.down = &c;
      if (e.cheapest == nullptr || c.price < e.cheapest->price) e.cheapest = &c;
      e.most_paths[c.dispersion] = std::max(e.most_paths[c.dispersion], c.count);
    }
    for (const Lean* c : {e.up, e.down, e.cheapest}) {
      if (c != nullptr) take(*c);
    }
    return e;
  }

  void pick(bool with_avoided) {
    const Extremes e = extremes(with_avoided, kNearly);
    extremes(with_avoided, -kNearly);
    if (e.up == nullptr) return;
    const Limits l = limits(kNearly);
    const float up = 0.5f / (request_.rate_up_bps ? static_cast<float>(*request_.rate_up_bps)
                                                  : std::max(1.0f, e.up->up)),
                down = 0.5f / (request_.rate_down_bps ? static_cast<float>(*request_.rate_down_bps)
                                                      : std::max(1.0f, e.down->down));
    const float quality_share = profile_.quality_percent / 100.0f, cheapest = e.cheapest->price;
    // A heap of the best so far, its least on top.
    std::vector<std::pair<float, const Lean*>> best;
    const auto above = [](const auto& a, const auto& b) { return a.first > b.first; };
    for (const Lean& c : all_) {
      if ((c.avoided && !with_avoided) || !keeps(c, l)) continue;
      if (is_ordered(dispersions_[c.dispersion]) && c.count < e.most_paths[c.dispersion]) continue;
      const float goodput = std::min(0.5f, c.up * up) + std::min(0.5f, c.down * down);
      const float quality = goodput / (1 + c.latency / static_cast<float>(kLatencyHalvesMs));
      const float cheapness = c.price <= 0 ? 1 : cheapest / c.price;
      const float worth = quality_share * quality + (1 - quality_share) * cheapness + c.bonus;
      if (best.size() == kEach && worth <= best.front().first) continue;
      if (best.size() == kEach) {
        std::pop_heap(best.begin(), best.end(), above);
        best.pop_back();
      }
      best.emplace_back(worth, &c);
      std::push_heap(best.begin(), best.end(), above);
    }
    for (const auto& [worth, c] : best) take(*c);
  }

  UsedPaths usable_;
  const Profile& profile_;
  const ServiceRequest& request_;
  const std::vector<Dispersion>& dispersions_;
  std::vector<Addend> addends_;
  std::array<const Addend*, kShortlistPathsMax> by_rank_{};
  uint16_t bits_in_force_ = 0;
  size_t dispersion_in_force_ = SIZE_MAX;
  std::vector<Lean> all_;
  std::set<std::pair<uint16_t, uint8_t>> picked_;  // in the order of candidates()
};

}  // namespace

std::vector<Scenario> shortlist(const std::vector<PathState>& paths, const Profile& profile,
                                const ServiceRequest& request, const Ratings& ratings,
                                const Scenario* in_force) {
  UsedPaths usable = usable_paths(paths, profile);
  if (usable.size() > kShortlistPathsMax) usable.resize(kShortlistPathsMax);
  return Sweep(std::move(usable), profile, request, ratings, in_force).chosen();
}

}  // namespace anabranch::control
