// SPDX-License-Identifier: BSD-3-Clause
#include "control/reasons.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "billing/money.h"

namespace anabranch::control {
namespace {

std::string mbits(double bps) {
  return fmt::format("{:.1f} Mbit/s", bps / 1e6);
}

std::string names_with_providers(const Scenario& s) {
  std::string text;
  for (size_t i = 0; i < s.shares.size(); ++i) {
    if (i > 0) text += i + 1 == s.shares.size() ? " and " : ", ";
    text += s.shares[i].name + " (" + s.shares[i].provider + ")";
  }
  return text;
}

const PathState& path_of(const Matter& m, const Scenario::Share& share) {
  return *std::find_if(m.paths.begin(), m.paths.end(),
                       [&](const PathState& p) { return p.index == share.path_index; });
}

Standing standing_of(const Matter& m, const PathState& p) {
  return m.profile.standing(p.provider, p.network);
}

class Wording {
 public:
  explicit Wording(const Matter& matter) : m_(matter) {}

  std::vector<std::string> reasons(const Scenario& s, bool with_avoided) const {
    std::vector<std::string> why{carries(s), disperses(s), costs(s)};
    if (!m_.stored.traffic_class.empty()) why.push_back(of_class());
    if (const std::string agreed = keeps_agreement(s); !agreed.empty()) why.push_back(agreed);
    if (const std::string held = held_by_others(); !held.empty()) why.push_back(held);
    if (const std::string limits = limited(s.treatment); !limits.empty()) why.push_back(limits);
    if (s.treatment.weight != 1)
      why.push_back(fmt::format("has the weight {} beside other services while all paths are busy",
                                s.treatment.weight));
    if (with_avoided && uses_avoided(s))
      why.push_back(
          "paths the profile avoids are used, because the request cannot be met without them");
    if (const std::string back = held_back(s); !back.empty()) why.push_back(back);
    for (const auto& share : s.shares) {
      if (standing_of(m_, path_of(m_, share)) == Standing::prefer)
        why.push_back(preferred(path_of(m_, share)));
      if (const PathState& p = path_of(m_, share); !p.quota.empty())
        why.push_back(p.name + ": " + p.quota);
    }
    for (const PathState& p : m_.paths) {
      const bool used = std::any_of(s.shares.begin(), s.shares.end(),
                                    [&](const auto& share) { return share.path_index == p.index; });
      if (used) continue;
      why.push_back(p.name + " is left out: " + left_out(p, &s));
      if (!p.used_up && !p.quota.empty()) why.back() += "; " + p.quota;
    }
    return why;
  }

  std::string of_class() const {
    std::string ways;
    for (const Dispersion way : m_.combinations.dispersions())
      ways += (ways.empty() ? "" : " or ") + std::string(to_string(way));
    return "all its traffic is of the class \"" + m_.stored.traffic_class +
           "\", which the profile disperses by " + ways;
  }

  // "keeps the agreement: 99.99 % availability over 30d of 99.9; ..."
  std::string keeps_agreement(const Scenario& s) const {
    const auto set = m_.combinations.find(s);
    std::string text;
    for (const Objective& o : set ? m_.request.objectives : std::vector<Objective>())
      text += (text.empty() ? "keeps the agreement: " : "; ") +
              to_text(o, m_.agreed.expected(o, *set, s.dispersion)) + ", where it says " +
              to_text(o, o.limit);
    return text;
  }

  bool uses_avoided(const Scenario& s) const {
    return std::any_of(s.shares.begin(), s.shares.end(), [&](const auto& share) {
      return standing_of(m_, path_of(m_, share)) == Standing::avoid;
    });
  }

  std::string held_back(const Scenario& s) const {
    std::string names;
    for (const auto& share : s.shares) {
      if (path_of(m_, share).held_back_s != 0) names += (names.empty() ? "" : ", ") + share.name;
    }
    return names.empty() ? names
                         : names +
                               " was away lately, and is used all the same, because the request "
                               "cannot be met without it";
  }

  // "others hold 40.0 Mbit/s up and 2.5 Mbit/s down of fibre; ..."
  std::string held_by_others() const {
    std::string text;
    std::vector<PathState> by_index = m_.paths;
    std::sort(by_index.begin(), by_index.end(),
              [](const PathState& a, const PathState& b) { return a.index < b.index; });
    for (const PathState& p : by_index) {
      if (p.held_up_bps == 0 && p.held_down_bps == 0) continue;
      const auto way = [](uint64_t held, const char* direction) {
        return held == 0 ? "" : mbits(static_cast<double>(held)) + direction;
      };
      const std::string up = way(p.held_up_bps, " up"), down = way(p.held_down_bps, " down");
      text += (text.empty() ? "others hold " : ", ") + up +
              (up.empty() || down.empty() ? "" : " and ") + down + " of " + p.name;
    }
    if (text.empty()) return text;
    if (!m_.request.rate_up_bps && !m_.request.rate_down_bps)
      text += "; what they leave is shared by weight";
    return text;
  }

  std::string preferred(const PathState& p) const {
    const std::string text = p.name + " is preferred by the profile";
    if (m_.stored.standing(p.provider, p.network) == Standing::prefer) return text;
    const bool by_network = m_.profile.prefer_highest_rated == HighestRated::network;
    const auto& rated = by_network ? m_.ratings.networks : m_.ratings.providers;
    const std::string& name = by_network ? p.network : p.provider;
    return text + fmt::format(", for {} is the {} that is rated highest, {:.1f} of 100", name,
                              by_network ? "network" : "provider", rating_of(rated, name));
  }

  // The one that gives the most up, by whichever dispersion.
  std::pair<const PathState*, double> best_alone() const {
    std::pair<const PathState*, double> best{nullptr, 0};
    for (uint32_t place = 0; place < m_.combinations.members().size(); ++place) {
      const PathSet set = m_.combinations.from_index(1u << place);
      for (const Dispersion dispersion : m_.combinations.dispersions()) {
        if (!Combinations::exists(set, dispersion)) continue;
        const double up = m_.combinations.outlook(set, dispersion).up;
        if (best.first != nullptr && up <= best.second) continue;
        const auto member = static_cast<size_t>(std::countr_zero(set));
        best = {m_.combinations.members()[member].path, up};
      }
    }
    return best;
  }

  std::string carries(const Scenario& s) const {
    const auto [alone, up] = best_alone();
    std::string text = names_with_providers(s) + (s.shares.size() > 1 ? " together are" : " is") +
                       " expected to carry " + mbits(s.expected.goodput_up_bps) + " up and " +
                       mbits(s.expected.goodput_down_bps) + " down";
    if (s.shares.size() > 1 && alone != nullptr)
      text += "; the best single link, " + alone->name + ", " + mbits(up) + " up";
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
    const auto price = [&](Uint128 attos) { return price_text(attos) + " " + m_.currency + "/GB"; };
    const Candidate least = m_.search.cheapest();
    const Scenario cheapest =
        m_.combinations.scenario(least.set, m_.search.dispersion(least.dispersion));
    std::string text = "costs " + price(s.expected.price_attos_per_gb);
    if (cheapest.expected.price_attos_per_gb < s.expected.price_attos_per_gb) {
      text += ", " + price(s.expected.price_attos_per_gb - cheapest.expected.price_attos_per_gb) +
              " above the cheapest, " + names_with_providers(cheapest);
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
    switch (standing_of(m_, p)) {
      case Standing::never:
        return "the profile says never";
      case Standing::avoid:
        return "the profile avoids it";
      default:
        break;
    }
    if (p.held_back_s != 0)
      return fmt::format(
          "held back, for it was away: it is relied on again when it has been there for {} s",
          p.held_back_s);
    for (const auto& share : chosen == nullptr ? std::vector<Scenario::Share>{} : chosen->shares) {
      const PathState& used = path_of(m_, share);
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
    for (const PathState& p : m_.paths) {
      const bool usable = p.alive && standing_of(m_, p) != Standing::never;
      text += (text.empty() ? "" : "; ") + p.name + ": " +
              (usable ? "alone it cannot carry copies" : left_out(p));
    }
    return text.empty() ? "none is configured with a price in the client's tariff" : text;
  }

  std::string refusal(const Scenario& most) const {
    const std::string held = held_by_others();
    return "no scenario keeps all that is asked for; the best, over " + names_with_providers(most) +
           ", does not keep " + objection_to(m_, most) +
           fmt::format(
               ": it is expected to give {} up, {} down, {:.0f} ms one way, {:.1f} % loss, at {} "
               "{}/GB",
               mbits(most.expected.goodput_up_bps), mbits(most.expected.goodput_down_bps),
               most.expected.latency_ms, most.expected.loss_percent,
               price_text(most.expected.price_attos_per_gb), m_.currency) +
           (m_.paths[0].shared_by > 1
                ? fmt::format(", as one of {} equal services", m_.paths[0].shared_by)
                : "") +
           (held.empty() ? "" : "; " + held) + what_lessens(most);
  }

  // What quotas and providers let its paths give.
  std::string what_lessens(const Scenario& s) const {
    std::string text;
    for (const auto& share : s.shares) {
      if (const PathState& p = path_of(m_, share); !p.quota.empty())
        text += "; " + p.name + ": " + p.quota;
    }
    return text;
  }

 private:
  const Matter& m_;
};

}  // namespace

// A mixed price is seldom a round one; four decimals tell any two apart.
std::string price_text(Uint128 attos) {
  const auto exact = billing::Amount::from_attos(static_cast<billing::Int128>(attos));
  return billing::to_text(billing::round_to_minor(exact, 4));
}

std::vector<std::string> reasons_for(const Matter& matter, const Scenario& scenario,
                                     bool with_avoided) {
  return Wording(matter).reasons(scenario, with_avoided);
}

std::string objection_to(const Matter& matter, const Scenario& s) {
  const ServiceRequest& request = matter.request;
  const Prediction& e = s.expected;
  const auto lacks = [](const std::optional<uint64_t>& asked, double goodput_bps) {
    return asked && goodput_bps + kRoundedBps < static_cast<double>(*asked);
  };
  if (lacks(request.rate_up_bps, e.goodput_up_bps)) return rate_text(*request.rate_up_bps) + " up";
  if (lacks(request.rate_down_bps, e.goodput_down_bps))
    return rate_text(*request.rate_down_bps) + " down";
  if (request.latency_ms_max && e.latency_ms > *request.latency_ms_max)
    return fmt::format("{} ms one way", *request.latency_ms_max);
  if (request.loss_percent_max && e.loss_percent > *request.loss_percent_max)
    return fmt::format("{} % loss", *request.loss_percent_max);
  const auto price_max = matter.search.price_max();
  if (price_max && e.price_attos_per_gb > *price_max)
    return *request.price_per_gb_max + " " + matter.currency + "/GB";
  const auto set = matter.combinations.find(s);
  const auto missed = set ? matter.agreed.missed(*set, s.dispersion) : std::vector<Missed>();
  if (missed.empty()) return {};
  return "the agreement's " + to_text(missed[0].objective, missed[0].objective.limit) + " (" +
         to_text(missed[0].objective, missed[0].expected) + ")";
}

std::string refusal_of(const Matter& matter, const Scenario& most) {
  return Wording(matter).refusal(most);
}

std::string nothing_usable(const Matter& matter) {
  return Wording(matter).unusable();
}

}  // namespace anabranch::control
