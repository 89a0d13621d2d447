// SPDX-License-Identifier: BSD-3-Clause
// The preferred scenario among all candidates, and what is weighed beside it. What a candidate is
// worth is said in worth.h.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <set>

#include "control/beside.h"
#include "control/reasons.h"
#include "control/reservation.h"

namespace anabranch::control {
namespace {

bool nearly(uint16_t a, uint16_t b) {
  return std::abs(a - b) * 20 <= std::max(a, b);
}

class Preference {
 public:
  Preference(const std::vector<PathState>& paths, const Profile& profile,
             const ServiceRequest& request, const std::string& currency, const Scenario* in_force,
             const Ratings& ratings)
      : profile_(with_highest_rated(profile, paths, ratings, in_force)),
        combinations_(paths, profile_, ratings),
        agreed_(paths, profile_, request.objectives),
        search_(combinations_, agreed_, request, in_force),
        in_force_(in_force),
        matter_{paths,    profile_,      profile, request, ratings,
                currency, combinations_, agreed_, search_} {}

  Weighing weigh(size_t runners_up_max, const Bounds* held) {
    Weighing w;
    if (!has_any()) {
      w.choice.refusal = "no path may be used: " + nothing_usable(matter_);
      return w;
    }
    const auto possible = search_.possible();
    if (!possible) {
      w.choice.refusal = refusal_of(matter_, scenario(search_.most()));
      return w;
    }
    w.with_avoided = possible->rules.with_avoided;
    w.bounds = held == nullptr ? possible->bounds : *held;
    const Candidate chosen = search_.best(*possible, w.bounds, held != nullptr);
    w.choice.preferred = scenario(chosen);
    reserve(*w.choice.preferred, matter_.paths, matter_.request, in_force_);
    w.choice.preferred->reasons = reasons_for(matter_, *w.choice.preferred, w.with_avoided);
    if (runners_up_max > 0) compare(w, *possible, chosen, runners_up_max);
    return w;
  }

  std::optional<Most> most() const {
    if (!has_any()) return std::nullopt;
    const Candidate c = search_.most();
    return Most{scenario(c), agreed_.missed(c.set, search_.dispersion(c.dispersion))};
  }

  std::vector<Valued> without_margin(size_t count) const {
    const auto possible = has_any() ? search_.possible() : std::nullopt;
    if (!possible || !possible->rules.cautious) return {};
    const Candidate chosen = search_.best(*possible, possible->bounds, false);
    const double least = undamped(chosen, *possible) + kWorthMore;
    Rules exact = possible->rules;
    exact.cautious = false;
    std::vector<Candidate> found;
    each([&](PathSet set, uint8_t d, const PathSums& sums, const Outlook& o) {
      if (!search_.is_possible(exact, sums, o, set, d) ||
          search_.is_possible(possible->rules, sums, o, set, d))
        return;
      Candidate c{set, d, sums.count};
      c.value = undamped(c, *possible);
      if (c.value > least) note(found, c, count);
    });
    std::vector<Valued> result;
    for (const Candidate& c : found) result.push_back(valued(c, possible->bounds));
    return result;
  }

 private:
  bool has_any() const {
    const auto& ways = combinations_.dispersions();
    return std::any_of(ways.begin(), ways.end(),
                       [&](Dispersion d) { return Combinations::exists(combinations_.all(), d); });
  }
  static constexpr double kWorthMore = 1e-9;  // what differs by less differs by rounding
  double undamped(const Candidate& c, const Possible& possible) const {
    const Worth worth = search_.worth(c.set, c.dispersion, possible.bounds);
    return worth.total() - worth.inertia;
  }
  // Every candidate, one by one.
  template <typename Visit>
  void each(Visit visit) const {
    for (uint32_t places = 1; places <= combinations_.all(); ++places) {
      const PathSet set = combinations_.from_index(places);
      const PathSums sums = combinations_.sums(set);
      for (uint8_t d = 0; d < combinations_.dispersions().size(); ++d) {
        if (Combinations::exists(set, search_.dispersion(d)))
          visit(set, d, sums, combinations_.outlook(sums, search_.dispersion(d)));
      }
    }
  }
  Scenario scenario(const Candidate& c) const {
    Scenario s = combinations_.scenario(c.set, search_.dispersion(c.dispersion));
    s.expected.risk_percent = 100 * search_.risk(c.set, c.dispersion);
    return s;
  }
  Valued valued(const Candidate& c, const Bounds& bounds) const {
    Valued v{scenario(c), search_.worth(c.set, c.dispersion, bounds), {}};
    v.objection = objection_to(matter_, v.scenario);
    return v;
  }

  // What is shown beside the chosen one; every candidate is looked at.
  void compare(Weighing& w, const Possible& possible, const Candidate& chosen, size_t count) const {
    w.worth = search_.worth(chosen.set, chosen.dispersion, w.bounds);
    std::vector<Candidate> others, impossible;
    Candidate quality, cheapest;
    const auto keep_more = [](Candidate& best, const Candidate& c) {
      if (best.set == 0 || c.value > best.value) best = c;
    };
    each([&](PathSet set, uint8_t d, const PathSums& sums, const Outlook& o) {
      const Candidate c{set, d, sums.count, search_.total(o, w.bounds, set, d)};
      const bool is_possible = search_.is_possible(possible.rules, sums, o, set, d);
      if (is_possible) {
        keep_more(quality, {set, d, sums.count, Search::quality(o, w.bounds)});
        keep_more(cheapest, {set, d, sums.count, -o.price});
      }
      if (set == chosen.set && d == chosen.dispersion) return;
      if (is_possible && !search_.lacks_paths(possible, d, sums.count)) note(others, c, count);
      if (!search_.keeps(o, set, d)) note(impossible, c, count);
    });
    others.insert(others.end(), impossible.begin(), impossible.end());
    if (others.size() > count) others.resize(count);
    for (const Candidate& c : others) w.runners_up.push_back(valued(c, w.bounds));
    w.best_quality = valued(quality, w.bounds);
    w.cheapest = valued(cheapest, w.bounds);
  }
  // The best `count` in order; of equals, the one that came first.
  static void note(std::vector<Candidate>& best, const Candidate& c, size_t count) {
    if (best.size() == count && c.value <= best.back().value) return;
    best.insert(
        std::upper_bound(best.begin(), best.end(), c,
                         [](const Candidate& a, const Candidate& b) { return a.value > b.value; }),
        c);
    if (best.size() > count) best.pop_back();
  }

  const Profile profile_;  // with those preferred that are rated highest
  const Combinations combinations_;
  const Agreed agreed_;
  const Search search_;
  const Scenario* const in_force_;
  const Matter matter_;
};

// Those of the highest rating get the standing "prefer"; what is said of them otherwise holds.
void prefer_them(std::vector<std::pair<std::string, Standing>>& standings,
                 const std::set<std::string>& highest) {
  for (auto& [name, standing] : standings) {
    if (standing == Standing::allow && highest.contains(name)) standing = Standing::prefer;
  }
  for (const std::string& name : highest) {
    const bool named = std::any_of(standings.begin(), standings.end(),
                                   [&](const auto& entry) { return entry.first == name; });
    if (!named) standings.emplace_back(name, Standing::prefer);
  }
}

}  // namespace

bool is_same_combination(const Scenario& a, const Scenario& b) {
  return a.dispersion == b.dispersion && a.order == b.order &&
         std::equal(a.shares.begin(), a.shares.end(), b.shares.begin(), b.shares.end(),
                    [](const auto& x, const auto& y) { return x.path_index == y.path_index; });
}

Profile with_highest_rated(const Profile& profile, const std::vector<PathState>& paths,
                           const Ratings& ratings, const Scenario* in_force) {
  Profile result = profile;
  if (profile.prefer_highest_rated == HighestRated::none) return result;
  const bool by_network = profile.prefer_highest_rated == HighestRated::network;
  std::vector<std::pair<const std::string*, double>> rated;
  double most = 0;
  for (const PathState& p : paths) {
    if (!p.alive || p.held_back_s != 0) continue;
    if (profile.standing(p.provider, p.network) > Standing::allow) continue;
    const std::string& name = by_network ? p.network : p.provider;
    const double rating = rating_of(by_network ? ratings.networks : ratings.providers, name);
    const bool is_in_force =
        in_force != nullptr && std::any_of(in_force->shares.begin(), in_force->shares.end(),
                                           [&](const auto& s) { return s.path_index == p.index; });
    rated.emplace_back(&name, rating > 0 && is_in_force ? rating + kRatedAlike : rating);
    most = std::max(most, rating);
  }
  std::set<std::string> highest;
  for (const auto& [name, rating] : rated) {
    if (rating > 0 && rating >= most - kRatedEqual) highest.insert(*name);
  }
  prefer_them(by_network ? result.networks : result.providers, highest);
  return result;
}

Weighing weigh(const std::vector<PathState>& paths, const Profile& profile,
               const ServiceRequest& request, const std::string& currency, const Scenario* in_force,
               const Ratings& ratings, size_t runners_up_max, const Bounds* held) {
  return Preference(paths, profile, request, currency, in_force, ratings)
      .weigh(runners_up_max, held);
}

std::optional<Most> most_of(const Decision& d) {
  return Preference(d.paths, d.profile, d.request, d.currency, d.in_force ? &*d.in_force : nullptr,
                    d.ratings)
      .most();
}

std::vector<Valued> without_margin(const Decision& d) {
  if (!d.in_force) return {};
  return Preference(d.paths, d.profile, d.request, d.currency, &*d.in_force, d.ratings)
      .without_margin(kRunnersUp);
}

Choice prefer(const std::vector<PathState>& paths, const Profile& profile,
              const ServiceRequest& request, const std::string& currency, const Scenario* in_force,
              const Ratings* ratings) {
  const Ratings now = ratings == nullptr ? rate(paths) : *ratings;
  return weigh(paths, profile, request, currency, in_force, now, 0).choice;
}

bool worth_replacing(const Scenario& in_force, const Scenario& preferred) {
  if (!is_same_combination(in_force, preferred) || in_force.resequence != preferred.resequence ||
      in_force.treatment != preferred.treatment)
    return true;
  for (size_t i = 0; i < in_force.shares.size(); ++i) {
    const auto &a = in_force.shares[i], &b = preferred.shares[i];
    if (!nearly(a.weight_up, b.weight_up) || !nearly(a.weight_down, b.weight_down)) return true;
  }
  return false;
}

nlohmann::json to_json(const Scenario& s, const std::string& currency) {
  nlohmann::json shares = nlohmann::json::array();
  for (const auto& share : s.shares) {
    shares.push_back({{"path", share.name},
                      {"provider", share.provider},
                      {"weight_up", share.weight_up},
                      {"weight_down", share.weight_down},
                      {"reserved_up_bps", share.reserved_up_bps},
                      {"reserved_down_bps", share.reserved_down_bps}});
  }
  return {{"segmentation", to_string(segmentation_of(s.dispersion))},
          {"dispersion", to_string(s.dispersion)},
          {"assemblage", s.resequence ? "resequence" : "pass-through"},
          {"shares", shares},
          {"expected",
           {{"goodput_up_bps", s.expected.goodput_up_bps},
            {"goodput_down_bps", s.expected.goodput_down_bps},
            {"latency_ms", s.expected.latency_ms},
            {"loss_percent", s.expected.loss_percent},
            {"jitter_ms", s.expected.jitter_ms},
            {"availability_percent", s.expected.availability_percent},
            {"risk_percent", s.expected.risk_percent},
            {"price_per_gb", price_text(s.expected.price_attos_per_gb)},
            {"currency", currency}}},
          {"reasons", s.reasons}};
}

}  // namespace anabranch::control
