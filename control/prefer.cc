// SPDX-License-Identifier: BSD-3-Clause
// The preferred scenario among the candidates, and why, in words.
//
// A candidate is worth q × quality + (1 − q) × cheapness + a quarter of the share on preferred
// providers or networks + 0.15 of the mean rating, where q is the profile's quality_percent.
// Quality is the goodput against what was asked for (or against the best candidate), divided by (1
// + latency/500 ms); cheapness is the least price against its own. Of equals, the one with fewer
// paths, then lower path numbers. The one in force is worth 0.03 more: two that are nearly equal
// must not take turns as measurements vary.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <set>

#include "billing/money.h"
#include "control/candidates.h"

namespace anabranch::control {
namespace {

std::string mbits(double bps) {
  return fmt::format("{:.1f} Mbit/s", bps / 1e6);
}

std::string names(const Scenario& s) {
  std::string text;
  for (size_t i = 0; i < s.shares.size(); ++i) {
    if (i > 0) text += i + 1 == s.shares.size() ? " and " : ", ";
    text += s.shares[i].name + " (" + s.shares[i].provider + ")";
  }
  return text;
}

// A mixed price is seldom a round one; four decimals tell any two apart.
std::string price_text(Uint128 attos) {
  const auto exact = billing::Amount::from_attos(static_cast<billing::Int128>(attos));
  return billing::to_text(billing::round_to_minor(exact, 4));
}

bool nearly(uint16_t a, uint16_t b) {
  return std::abs(a - b) * 20 <= std::max(a, b);
}

class Preference {
 public:
  Preference(const std::vector<PathState>& paths, const Profile& profile,
             const ServiceRequest& request, const std::string& currency, const Scenario* in_force,
             const Ratings& ratings)
      : paths_(paths),
        stored_profile_(profile),
        profile_(with_highest_rated(profile, paths, ratings)),
        request_(request),
        currency_(currency),
        in_force_(in_force),
        ratings_(ratings) {
    if (request.price_per_gb_max)
      price_max_ = static_cast<Uint128>(
          billing::parse_amount(*request.price_per_gb_max).value_or(billing::Amount()).attos());
    for (const PathState& p : paths) look_up(p);
    all_ = usable_paths(paths, profile_).size() <= kAllPathsMax
               ? candidates(paths, profile_)
               : shortlist(paths, profile_, request, ratings, in_force);
  }

  Weighing weigh(size_t runners_up_max, const Bounds* held) {
    Weighing w;
    if (all_.empty()) {
      w.choice.refusal = "no path may be used: " + unusable();
      return w;
    }
    // Avoided paths only when it does not work without them.
    for (const bool with_avoided : {false, true}) {
      const auto possible = possible_ones(with_avoided);
      if (possible.empty()) continue;
      w.with_avoided = with_avoided;
      w.bounds = held == nullptr ? bounds_of(possible) : *held;
      const Scenario& chosen = *best(possible, w.bounds);
      w.choice.preferred = chosen;
      w.choice.preferred->reasons = reasons(chosen, with_avoided);
      if (runners_up_max > 0) compare(w, possible, chosen, runners_up_max);
      return w;
    }
    w.choice.refusal = refusal();
    return w;
  }

 private:
  // What is asked for again and again.
  struct Known {
    const PathState* path = nullptr;
    Standing standing = Standing::allow;
    double rating = 0;  // 0..1, mean of link, network and provider
  };
  void look_up(const PathState& p) {
    Known& known = known_[p.index];
    if (known.path != nullptr) return;
    known = {&p, profile_.standing(p.provider, p.network),
             (rating_of(ratings_.links, p.name) + rating_of(ratings_.networks, p.network) +
              rating_of(ratings_.providers, p.provider)) /
                 300};
  }
  const PathState& path(const Scenario::Share& share) const {
    return *known_[share.path_index].path;
  }
  Standing standing(const PathState& p) const { return known_[p.index].standing; }
  bool uses_avoided(const Scenario& s) const {
    return std::any_of(s.shares.begin(), s.shares.end(),
                       [&](const auto& share) { return standing(path(share)) == Standing::avoid; });
  }

  using Possible = std::vector<const Scenario*>;
  Possible possible_ones(bool with_avoided) const {
    Possible possible;
    for (const Scenario& s : all_) {
      if (keeps(s) && (with_avoided || !uses_avoided(s))) possible.push_back(&s);
    }
    return possible;
  }

  // What of the request the scenario cannot keep, or nothing.
  std::string objection(const Scenario& s) const {
    const Prediction& e = s.expected;
    if (request_.rate_up_bps && e.goodput_up_bps < static_cast<double>(*request_.rate_up_bps))
      return rate_text(*request_.rate_up_bps) + " up";
    if (request_.rate_down_bps && e.goodput_down_bps < static_cast<double>(*request_.rate_down_bps))
      return rate_text(*request_.rate_down_bps) + " down";
    if (request_.latency_ms_max && e.latency_ms > *request_.latency_ms_max)
      return fmt::format("{} ms one way", *request_.latency_ms_max);
    if (request_.loss_percent_max && e.loss_percent > *request_.loss_percent_max)
      return fmt::format("{} % loss", *request_.loss_percent_max);
    if (request_.price_per_gb_max && e.price_attos_per_gb > price_max_)
      return *request_.price_per_gb_max + " " + currency_ + "/GB";
    return {};
  }
  bool keeps(const Scenario& s) const {
    const Prediction& e = s.expected;
    return !(request_.rate_up_bps &&
             e.goodput_up_bps < static_cast<double>(*request_.rate_up_bps)) &&
           !(request_.rate_down_bps &&
             e.goodput_down_bps < static_cast<double>(*request_.rate_down_bps)) &&
           !(request_.latency_ms_max && e.latency_ms > *request_.latency_ms_max) &&
           !(request_.loss_percent_max && e.loss_percent > *request_.loss_percent_max) &&
           !(request_.price_per_gb_max && e.price_attos_per_gb > price_max_);
  }

  static double goodput(const Scenario& s, const Bounds& bounds) {
    return (std::min(1.0, s.expected.goodput_up_bps / bounds.up) +
            std::min(1.0, s.expected.goodput_down_bps / bounds.down)) /
           2;
  }
  static double quality(const Scenario& s, const Bounds& bounds) {
    return goodput(s, bounds) / (1 + s.expected.latency_ms / kLatencyHalvesMs);
  }

  Worth worth(const Scenario& s, const Bounds& bounds) const {
    const Uint128 price = s.expected.price_attos_per_gb;
    const double cheapness =
        price == 0 ? 1 : static_cast<double>(bounds.cheapest) / static_cast<double>(price);
    double preferred = 0, rating = 0;
    for (const auto& share : s.shares) {
      const double part = (share.weight_up + share.weight_down) / 131070.0;
      const Known& known = known_[share.path_index];
      if (known.standing == Standing::prefer) preferred += part;
      rating += part * known.rating;
    }
    const double q = profile_.quality_percent / 100.0;
    Worth w;
    w.goodput = q * goodput(s, bounds);
    w.latency = q * quality(s, bounds) - w.goodput;
    w.price = (1 - q) * cheapness;
    w.preference = kPreferredBonus * preferred;
    w.rating = kRatingShare * rating;
    w.inertia = in_force_ != nullptr && is_same_combination(s, *in_force_) ? kInForceBonus : 0;
    return w;
  }

  // More than was asked for is worth nothing.
  Bounds bounds_of(const std::vector<const Scenario*>& possible) const {
    Bounds b;
    b.cheapest = possible.front()->expected.price_attos_per_gb;
    for (const Scenario* s : possible) {
      b.up = std::max(b.up, s->expected.goodput_up_bps);
      b.down = std::max(b.down, s->expected.goodput_down_bps);
      b.cheapest = std::min(b.cheapest, s->expected.price_attos_per_gb);
    }
    if (request_.rate_up_bps) b.up = static_cast<double>(*request_.rate_up_bps);
    if (request_.rate_down_bps) b.down = static_cast<double>(*request_.rate_down_bps);
    return b;
  }

  using MostPaths = std::array<size_t, 8>;  // by dispersion
  static MostPaths most_paths(const Possible& possible) {
    MostPaths most{};
    for (const Scenario* s : possible) {
      size_t& count = most[static_cast<size_t>(s->dispersion)];
      count = std::max(count, s->shares.size());
    }
    return most;
  }
  // Where paths are taken in order, those behind the first are wanted for when it fails.
  static bool lacks_paths(const Scenario& s, const MostPaths& most) {
    return is_ordered(s.dispersion) && s.shares.size() < most[static_cast<size_t>(s.dispersion)];
  }

  const Scenario* best(const Possible& possible, const Bounds& bounds) const {
    const MostPaths most = most_paths(possible);
    const Scenario* best = nullptr;
    double best_worth = -1;
    for (const Scenario* s : possible) {
      if (lacks_paths(*s, most)) continue;
      const double w = worth(*s, bounds).total();
      constexpr double kEqual = 1e-9;
      if (best != nullptr && (w < best_worth - kEqual || (w <= best_worth + kEqual &&
                                                          s->shares.size() >= best->shares.size())))
        continue;
      best = s;
      best_worth = w;
    }
    return best;
  }

  Valued valued(const Scenario& s, const Bounds& bounds) const {
    return {s, worth(s, bounds), objection(s)};
  }

  // What is shown beside the chosen one.
  void compare(Weighing& w, const Possible& possible, const Scenario& chosen, size_t count) const {
    w.worth = worth(chosen, w.bounds);
    w.best_quality =
        valued(**std::max_element(possible.begin(), possible.end(),
                                  [&](const Scenario* a, const Scenario* b) {
                                    return quality(*a, w.bounds) < quality(*b, w.bounds);
                                  }),
               w.bounds);
    w.cheapest = valued(**std::min_element(possible.begin(), possible.end(),
                                           [](const Scenario* a, const Scenario* b) {
                                             return a->expected.price_attos_per_gb <
                                                    b->expected.price_attos_per_gb;
                                           }),
                        w.bounds);
    const MostPaths most = most_paths(possible);
    std::vector<std::tuple<bool, double, const Scenario*>> others;  // those that are possible first
    for (const Scenario& s : all_) {
      const bool is_possible = std::find(possible.begin(), possible.end(), &s) != possible.end();
      if (&s == &chosen || (is_possible && lacks_paths(s, most))) continue;
      if (!is_possible && keeps(s)) continue;  // avoided without need
      others.emplace_back(!is_possible, -worth(s, w.bounds).total(), &s);
    }
    std::stable_sort(others.begin(), others.end(), [](const auto& a, const auto& b) {
      return std::tie(std::get<0>(a), std::get<1>(a)) < std::tie(std::get<0>(b), std::get<1>(b));
    });
    if (others.size() > count) others.resize(count);
    for (const auto& other : others) w.runners_up.push_back(valued(*std::get<2>(other), w.bounds));
  }

  std::vector<std::string> reasons(const Scenario& s, bool with_avoided) const {
    std::vector<std::string> why{carries(s), disperses(s), costs(s)};
    if (const std::string limits = limited(s.treatment); !limits.empty()) why.push_back(limits);
    if (s.treatment.weight != 1)
      why.push_back(fmt::format("has the weight {} beside other services while all paths are busy",
                                s.treatment.weight));
    if (with_avoided)
      why.push_back(
          "paths the profile avoids are used, because the request cannot be met without them");
    for (const auto& share : s.shares) {
      if (standing(path(share)) == Standing::prefer) why.push_back(preferred(path(share)));
      if (const PathState& p = path(share); !p.quota.empty())
        why.push_back(p.name + ": " + p.quota);
    }
    for (const PathState& p : paths_) {
      const bool used = std::any_of(s.shares.begin(), s.shares.end(),
                                    [&](const auto& share) { return share.path_index == p.index; });
      if (!used) why.push_back(p.name + " is left out: " + left_out(p, &s));
    }
    return why;
  }

  std::string preferred(const PathState& p) const {
    const std::string text = p.name + " is preferred by the profile";
    if (stored_profile_.standing(p.provider, p.network) == Standing::prefer) return text;
    const bool by_network = profile_.prefer_highest_rated == HighestRated::network;
    return text + fmt::format(", for {} is the {} that is rated highest, {:.1f} of 100",
                              by_network ? p.network : p.provider,
                              by_network ? "network" : "provider",
                              by_network ? rating_of(ratings_.networks, p.network)
                                         : rating_of(ratings_.providers, p.provider));
  }

  std::string carries(const Scenario& s) const {
    const Scenario* single = nullptr;
    for (const Scenario& other : all_) {
      if (other.shares.size() == 1 &&
          (single == nullptr || other.expected.goodput_up_bps > single->expected.goodput_up_bps))
        single = &other;
    }
    std::string text = names(s) + (s.shares.size() > 1 ? " together are" : " is") +
                       " expected to carry " + mbits(s.expected.goodput_up_bps) + " up and " +
                       mbits(s.expected.goodput_down_bps) + " down";
    if (s.shares.size() > 1 && single != nullptr)
      text += "; the best single link, " + single->shares.front().name + ", " +
              mbits(single->expected.goodput_up_bps) + " up";
    return text;
  }

  std::string disperses(const Scenario& s) const {
    if (s.shares.size() == 1)
      return s.resequence ? "all goes one way; what it loses is repaired"
                          : "all goes one way, and nothing is repaired";
    std::string parts;
    for (const auto& share : s.shares)
      parts += (parts.empty() ? "" : " : ") + fmt::format("{:.0f} %", share.weight_up / 655.35);
    const std::string repaired = "; what is lost is repaired, and all is put in order again";
    switch (s.dispersion) {
      case Dispersion::weighted:
        return "packets are dispersed " + parts + repaired;
      case Dispersion::earliest_delivery:
        return "each packet takes the path that delivers it first, which with all of them full "
               "is " +
               parts + repaired;
      case Dispersion::flow:
        return "whole flows are dispersed " + parts +
               " by what each link can carry; one flow at a time stays on one path";
      case Dispersion::flowlet:
        return "a flow takes the path that delivers it first, and may change it when it pauses";
      case Dispersion::redundant:
        return "each packet takes the path that delivers it first, and a copy of it another, of "
               "another provider where there is one; the second that arrives is dropped";
      case Dispersion::priority:
        return "each packet takes the first path that is not busy, of " + in_order(s) + repaired;
      case Dispersion::standby:
        return "all takes the first path that is alive, of " + in_order(s) + repaired;
    }
    return parts;
  }

  static std::string in_order(const Scenario& s) {
    std::string text;
    for (const uint8_t index : s.order) {
      const auto share = std::find_if(s.shares.begin(), s.shares.end(),
                                      [&](const auto& x) { return x.path_index == index; });
      text += (text.empty() ? "" : ", then ") + share->name;
    }
    return text;
  }

  std::string costs(const Scenario& s) const {
    const auto price = [&](Uint128 attos) { return price_text(attos) + " " + currency_ + "/GB"; };
    const auto cheapest =
        std::min_element(all_.begin(), all_.end(), [](const Scenario& a, const Scenario& b) {
          return a.expected.price_attos_per_gb < b.expected.price_attos_per_gb;
        });
    std::string text = "costs " + price(s.expected.price_attos_per_gb);
    if (cheapest->expected.price_attos_per_gb < s.expected.price_attos_per_gb) {
      text += ", " + price(s.expected.price_attos_per_gb - cheapest->expected.price_attos_per_gb) +
              " above the cheapest, " + names(*cheapest);
    }
    return text;
  }

  static std::string limited(const Treatment& t) {
    const std::string up = t.rate_up_max == 0 ? "" : rate_text(t.rate_up_max) + " up";
    const std::string down = t.rate_down_max == 0 ? "" : rate_text(t.rate_down_max) + " down";
    const std::string rates = up + (up.empty() || down.empty() ? "" : " and ") + down;
    return rates.empty() ? rates : "is given " + rates + " at most, by the profile";
  }

  std::string left_out(const PathState& p, const Scenario* chosen = nullptr) const {
    if (p.used_up) return p.quota;
    if (!p.alive) return "down";
    switch (standing(p)) {
      case Standing::never:
        return "the profile says never";
      case Standing::avoid:
        return "the profile avoids it";
      default:
        break;
    }
    for (const auto& share : chosen == nullptr ? std::vector<Scenario::Share>{} : chosen->shares) {
      const PathState& used = path(share);
      if (too_slow_beside(p, used))
        return fmt::format(
            "parked, for with {:.0f} ms one way it would delay flows on {} by more than it could "
            "carry "
            "for them; it is measured on, and taken back when it helps",
            p.rtt_min_ms / 2, used.name);
    }
    return "the request is served better without it";
  }

  std::string unusable() const {
    std::string text;
    for (const PathState& p : paths_) {
      const bool usable = p.alive && standing(p) != Standing::never;
      text += (text.empty() ? "" : "; ") + p.name + ": " +
              (usable ? "alone it cannot carry copies" : left_out(p));
    }
    return text.empty() ? "none is configured with a price in the client's tariff" : text;
  }

  std::string refusal() const {
    const auto most =
        std::max_element(all_.begin(), all_.end(), [](const Scenario& a, const Scenario& b) {
          return a.expected.goodput_up_bps + a.expected.goodput_down_bps <
                 b.expected.goodput_up_bps + b.expected.goodput_down_bps;
        });
    return "no scenario keeps all that is asked for; the best, over " + names(*most) +
           ", does not keep " + objection(*most) +
           fmt::format(
               ": it is expected to give {} up, {} down, {:.0f} ms one way, {:.1f} % loss, at {} "
               "{}/GB",
               mbits(most->expected.goodput_up_bps), mbits(most->expected.goodput_down_bps),
               most->expected.latency_ms, most->expected.loss_percent,
               price_text(most->expected.price_attos_per_gb), currency_);
  }

  const std::vector<PathState>& paths_;
  const Profile& stored_profile_;
  const Profile profile_;  // with those preferred that are rated highest
  const ServiceRequest& request_;
  const std::string& currency_;
  const Scenario* in_force_;
  const Ratings& ratings_;
  Uint128 price_max_ = 0;
  std::array<Known, 256> known_{};  // by index
  std::vector<Scenario> all_;
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
                           const Ratings& ratings) {
  Profile result = profile;
  if (profile.prefer_highest_rated == HighestRated::none) return result;
  const bool by_network = profile.prefer_highest_rated == HighestRated::network;
  double most = 0;
  std::set<std::string> highest;
  for (const PathState& p : paths) {
    if (!p.alive || profile.standing(p.provider, p.network) > Standing::allow) continue;
    const std::string& name = by_network ? p.network : p.provider;
    const double rating = rating_of(by_network ? ratings.networks : ratings.providers, name);
    if (rating > most) highest.clear();
    most = std::max(most, rating);
    if (rating == most && rating > 0) highest.insert(name);
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
                      {"weight_down", share.weight_down}});
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
            {"price_per_gb", price_text(s.expected.price_attos_per_gb)},
            {"currency", currency}}},
          {"reasons", s.reasons}};
}

}  // namespace anabranch::control
