// SPDX-License-Identifier: BSD-3-Clause
#include "control/watch.h"

#include <array>
#include <cmath>

namespace anabranch::control {

void Watch::paths(const std::vector<PathState>& paths) {
  static constexpr std::array kEvents{"path-dead", "path-suspected", "path-up"};
  for (const PathState& p : paths) {
    const Seen now = !p.alive                              ? Seen::dead
                     : p.condition == Condition::suspected ? Seen::suspected
                                                           : Seen::up;
    Seen& before = paths_.try_emplace(p.index, Seen::dead).first->second;
    if (now == before) continue;
    before = now;
    feed_.publish(kEvents[static_cast<size_t>(now)], {{"path", p.name},
                                                      {"id", p.index},
                                                      {"provider", p.provider},
                                                      {"network", p.network},
                                                      {"state", to_string(p.condition)}});
  }
}

void Watch::session(bool is_up, const std::string& peer) {
  if (is_up == is_up_) return;
  is_up_ = is_up;
  feed_.publish(is_up ? "session-up" : "session-down", {{"peer", peer}});
}

void Watch::ratings(const Ratings& r) {
  ratings("link", r.links);
  ratings("network", r.networks);
  ratings("provider", r.providers);
}

void Watch::ratings(const char* kind, const std::vector<std::pair<std::string, double>>& now) {
  for (const auto& [name, rating] : now) {
    const auto [told, is_new] = told_.try_emplace({kind, name}, rating);
    if (is_new || std::abs(told->second - rating) < kRatingStep) continue;
    feed_.publish("rating-changed",
                  {{"of", kind}, {"name", name}, {"rating", rating}, {"before", told->second}});
    told->second = rating;
  }
}

}  // namespace anabranch::control
