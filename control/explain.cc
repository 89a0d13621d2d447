// SPDX-License-Identifier: BSD-3-Clause
#include "control/explain.h"

#include <fmt/format.h>

#include <array>
#include <cmath>

#include "control/beside.h"

namespace anabranch::control {
namespace {

using nlohmann::json;

constexpr std::array<std::pair<const char*, double Worth::*>, 6> kParts{
    {{"goodput", &Worth::goodput},
     {"latency", &Worth::latency},
     {"price", &Worth::price},
     {"preference", &Worth::preference},
     {"rating", &Worth::rating},
     {"inertia", &Worth::inertia}}};

json parts_json(const Worth& worth) {
  json result{{"total", worth.total()}};
  for (const auto& [name, part] : kParts) result[name] = worth.*part;
  return result;
}

std::string combination(const Scenario& s) {
  std::string text;
  for (const auto& share : s.shares) text += (text.empty() ? "" : "+") + share.name;
  return text + " " + to_string(s.dispersion);
}

json valued_json_of(const Valued& v, const std::string& currency) {
  json result{{"scenario", to_json(v.scenario, currency)}, {"worth", parts_json(v.worth)}};
  if (!v.objection.empty()) result["does_not_keep"] = v.objection;
  return result;
}

double undamped_worth(const Worth& worth) {
  return worth.total() - worth.inertia;
}

// "dsl flow lost by 0.120, most of it goodput (-0.110)"
std::string lost(const Valued& v, const Worth& chosen) {
  if (!v.objection.empty())
    return combination(v.scenario) + " was not possible: it does not keep " + v.objection;
  const char* most = kParts[0].first;
  double least = 0;
  for (const auto& [name, part] : kParts) {
    const double difference = v.worth.*part - chosen.*part;
    if (difference < least) {
      least = difference;
      most = name;
    }
  }
  if (const double more = undamped_worth(v.worth) - undamped_worth(chosen); more > 1e-9) {
    return fmt::format(
        "{} would be worth {:.3f} more, but does not pay for a change yet, which "
        "must be worth {}",
        combination(v.scenario), more, kInForceBonus);
  }
  const double by = chosen.total() - v.worth.total();
  if (by <= 1e-9) return combination(v.scenario) + " is worth as much; it uses no fewer paths";
  return fmt::format("{} lost by {:.3f}, by its {} most ({:+.3f})", combination(v.scenario), by,
                     most, least);
}

std::string beside(const char* which, const Valued& v, const Scenario& chosen) {
  const std::string is_same =
      is_same_combination(v.scenario, chosen) ? ", which is the preferred one" : "";
  return fmt::format(
      "the {} would be {}{}: {:.1f} Mbit/s up, {:.1f} Mbit/s down, {:.0f} ms one way", which,
      combination(v.scenario), is_same, v.scenario.expected.goodput_up_bps / 1e6,
      v.scenario.expected.goodput_down_bps / 1e6, v.scenario.expected.latency_ms);
}

void add_inputs(const Decision& d, Explanation& e) {
  std::string text;
  for (const auto& [name, age_ms] : d.ages_ms) {
    e.json["inputs"][name] = {{"age_ms", age_ms}};
    text += (text.empty() ? "" : ", ") + name +
            fmt::format(" {:.1f} s old", static_cast<double>(age_ms) / 1000);
  }
  if (!text.empty()) e.sentences.push_back("decided by " + text);
}

void add_compared(const Decision& d, Explanation& e) {
  const Weighing& w = d.weighing;
  if (!w.choice.preferred || !w.worth) {
    e.json["refusal"] = w.choice.refusal;
    e.sentences.push_back("refused: " + w.choice.refusal);
    return;
  }
  const Scenario& chosen = *w.choice.preferred;
  e.json["preferred"] = valued_json_of({chosen, *w.worth, {}}, d.currency);
  e.sentences.push_back(combination(chosen) + " is preferred");
  for (const std::string& reason : chosen.reasons) e.sentences.push_back(reason);
  if (w.best_quality) {
    e.json["best_quality"] = valued_json_of(*w.best_quality, d.currency);
    e.sentences.push_back(beside("best quality", *w.best_quality, chosen));
  }
  if (w.cheapest) {
    e.json["cheapest"] = valued_json_of(*w.cheapest, d.currency);
    e.sentences.push_back(beside("cheapest", *w.cheapest, chosen));
  }
  e.json["lost"] = json::array();
  for (const Valued& v : w.runners_up) {
    json row = valued_json_of(v, d.currency);
    row["why"] = lost(v, *w.worth);
    if (v.objection.empty() && undamped_worth(v.worth) - undamped_worth(*w.worth) > 1e-9)
      row["held_back"] = "change";
    e.sentences.push_back(row["why"]);
    e.json["lost"].push_back(std::move(row));
  }
}

void add_without_margin(const Decision& d, Explanation& e) {
  if (!d.weighing.worth) return;
  for (const Valued& v : without_margin(d)) {
    json row = valued_json_of(v, d.currency);
    row["held_back"] = "margin";
    row["why"] = fmt::format(
        "{} would be worth {:.3f} more, but does not keep the request with the margin that a "
        "change needs",
        combination(v.scenario), undamped_worth(v.worth) - undamped_worth(*d.weighing.worth));
    e.sentences.push_back(row["why"]);
    e.json["lost"].push_back(std::move(row));
  }
}

}  // namespace

Explanation explain(const Decision& d) {
  static constexpr std::array kInputNames{"loss", "rtt_ms", "rate_up_bps", "price_attos_per_octet"};
  Explanation e;
  e.json = {{"inputs", json::object()}, {"changes", json::array()}};
  add_inputs(d, e);
  add_compared(d, e);
  add_without_margin(d, e);
  const Thresholds found = thresholds(d);
  for (const Threshold& t : found.all) {
    e.sentences.push_back(t.sentence);
    e.json["changes"].push_back({{"path", d.paths[t.path].name},
                                 {"input", kInputNames[static_cast<size_t>(t.input)]},
                                 {"now", value_of(d.paths[t.path], t.input)},
                                 {"at", t.value},
                                 {"sentence", t.sentence}});
  }
  e.json["changes_complete"] = found.complete;
  if (!found.complete)
    e.sentences.push_back("what else would change it was not looked for: there are many paths");
  return e;
}

}  // namespace anabranch::control
