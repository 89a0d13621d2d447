// SPDX-License-Identifier: BSD-3-Clause
#include "control/turns.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>

namespace anabranch::control {
namespace {

double rate_for_weight(const Sharer& s) {
  return static_cast<double>(s.request->rate_up_bps.value_or(0) +
                             s.request->rate_down_bps.value_or(0)) /
         s.profile->treatment.weight;
}

using Turn = std::tuple<bool, int, double, const std::string&, std::optional<uint64_t>,
                        std::optional<uint64_t>, std::optional<double>, std::optional<double>,
                        const std::optional<std::string>&, const std::vector<Objective>&>;
Turn turn_of(const Sharer& s) {
  const ServiceRequest& r = *s.request;
  return {!s.asks(),          -s.profile->priority, rate_for_weight(s), s.profile->id,
          r.rate_up_bps,      r.rate_down_bps,      r.latency_ms_max,   r.loss_percent_max,
          r.price_per_gb_max, r.objectives};
}

// How much for each weight, when `capacity` is divided among those that want so much.
double water_level(std::vector<std::pair<double, double>> wants_and_weights, double capacity) {
  std::sort(wants_and_weights.begin(), wants_and_weights.end(),
            [](const auto& a, const auto& b) { return a.first * b.second < b.first * a.second; });
  double weights = 0;
  for (const auto& [want, weight] : wants_and_weights) weights += weight;
  for (const auto& [want, weight] : wants_and_weights) {
    if (want * weights > capacity * weight) break;
    capacity -= want;
    weights -= weight;
  }
  return capacity / weights;
}

}  // namespace

std::vector<uint32_t> turns_of(const std::vector<Sharer>& sharers) {
  std::vector<uint32_t> order(sharers.size());
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    return turn_of(sharers[a]) < turn_of(sharers[b]);
  });
  return order;
}

Turns::Turns(const std::vector<Sharer>& sharers, const std::vector<uint32_t>& order,
             const Holds& capacity)
    : sharers_(sharers), order_(order), capacity_(capacity) {
  for (size_t p = 0; p < ways_.size(); ++p)
    ways_[p] = {{.left = capacity[p].up}, {.left = capacity[p].down}};
  begin_level();
}

// What those of the last priority may have of what they have set aside is nobody else's any more.
Turns::Way Turns::begin_way(Way above, uint64_t Hold::*direction, size_t path) const {
  Way way{.left = above.left - std::min(above.left, above.level)};
  std::vector<std::pair<double, double>> all;
  for (size_t t = turn_; t < level_end_; ++t) {
    const Sharer& s = sharers_[order_[t]];
    const uint64_t own = s.own[path].*direction;
    if (own == 0) continue;
    way.level += own;
    all.emplace_back(static_cast<double>(own), s.weight());
  }
  if (way.level > way.left) way.share = water_level(std::move(all), static_cast<double>(way.left));
  return way;
}

void Turns::begin_level() {
  if (turn_ == order_.size()) return;
  const auto level = [&](size_t turn) {
    const Sharer& s = sharers_[order_[turn]];
    return std::pair(s.asks(), s.asks() ? s.profile->priority : 0);
  };
  for (level_end_ = turn_; level_end_ < order_.size() && level(level_end_) == level(turn_);)
    ++level_end_;
  for (size_t p = 0; p < ways_.size(); ++p) {
    ways_[p].up = begin_way(ways_[p].up, &Hold::up, p);
    ways_[p].down = begin_way(ways_[p].down, &Hold::down, p);
  }
}

// At most what leaves it its share of what is too much, and no more than it has set aside: what it
// leaves of its share is the others'.
uint64_t Turns::held_by_others(const Way& way, uint64_t capacity, uint64_t own, double weight) {
  const uint64_t higher = capacity - way.left, equals = way.level - own;
  if (way.share < 0 || own == 0) return higher + equals;
  const auto most = static_cast<double>(std::min(own, way.left));
  const double share = std::floor(std::min(way.share * weight, most));
  return std::min(higher + equals, capacity - static_cast<uint64_t>(share));
}

View Turns::view(uint32_t sharer) const {
  const Sharer& s = sharers_[sharer];
  View view{.equals = s.asks() ? s.services : 1};
  for (size_t p = 0; p < ways_.size(); ++p) {
    const auto& [up, down] = ways_[p];
    view.held[p] = {held_by_others(up, capacity_[p].up, s.own[p].up, s.weight()),
                    held_by_others(down, capacity_[p].down, s.own[p].down, s.weight())};
  }
  return view;
}

void Turns::settle(uint32_t sharer, const Holds& own) {
  for (size_t p = 0; p < ways_.size(); ++p) {
    ways_[p].up.level += own[p].up - sharers_[sharer].own[p].up;
    ways_[p].down.level += own[p].down - sharers_[sharer].own[p].down;
  }
  if (++turn_ == level_end_) begin_level();
}

}  // namespace anabranch::control
