// SPDX-License-Identifier: BSD-3-Clause
// Decisions as JSON and back. Numbers are written so that they are read back the same.
#include <algorithm>
#include <stdexcept>

#include "control/decision.h"
#include "control/json_reader.h"

namespace anabranch::control {
namespace {

using nlohmann::json;

// Thrown and caught in this file only, as nlohmann's own are.
struct NotUnderstood : std::runtime_error {
  using runtime_error::runtime_error;
};

std::string digits_of(Uint128 value) {
  std::string text;
  do {
    text += static_cast<char>('0' + static_cast<int>(value % 10));
    value /= 10;
  } while (value != 0);
  std::reverse(text.begin(), text.end());
  return text;
}

Uint128 wide_integer(const json& stored) {
  const auto text = stored.get<std::string>();
  constexpr size_t kDigitsMax = 38;
  if (text.empty() || text.size() > kDigitsMax) throw NotUnderstood("the price \"" + text + "\"");
  Uint128 value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') throw NotUnderstood("the price \"" + text + "\"");
    value = value * 10 + static_cast<unsigned>(c - '0');
  }
  return value;
}

template <typename T>
json or_null(const std::optional<T>& value) {
  return value ? json(*value) : json(nullptr);
}
template <typename T>
std::optional<T> optional_at(const json& stored, const char* key) {
  const json& value = stored.at(key);
  return value.is_null() ? std::nullopt : std::optional(value.get<T>());
}

// One list of fields for both ways.
template <typename Path, typename Visit>
void each_field(Path& p, Visit visit) {
  visit("name", p.name);
  visit("provider", p.provider);
  visit("network", p.network);
  visit("index", p.index);
  visit("alive", p.alive);
  visit("rtt_ms", p.rtt_ms);
  visit("rtt_min_ms", p.rtt_min_ms);
  visit("rtt_variation_ms", p.rtt_variation_ms);
  visit("pto_ms", p.pto_ms);
  visit("loss_up", p.loss_up);
  visit("loss_down", p.loss_down);
  visit("availability", p.availability);
  visit("rate_up_bps", p.rate_up_bps);
  visit("rate_down_bps", p.rate_down_bps);
  visit("delivered_bps", p.delivered_bps);
  visit("queue_up_ms", p.queue_up_ms);
  visit("queue_down_ms", p.queue_down_ms);
  visit("mtu", p.mtu);
  visit("overhead", p.overhead);
}

json path_json(const PathState& p) {
  json result{{"condition", static_cast<int>(p.condition)},
              {"price_attos_per_octet", digits_of(p.price_attos_per_octet)}};
  each_field(p, [&](const char* key, const auto& value) { result[key] = value; });
  return result;
}
PathState path_from(const json& stored) {
  PathState p;
  each_field(p, [&](const char* key, auto& value) { stored.at(key).get_to(value); });
  const int condition = stored.at("condition").get<int>();
  if (condition < 0 || condition > static_cast<int>(Condition::up))
    throw NotUnderstood("a path's condition");
  p.condition = static_cast<Condition>(condition);
  p.price_attos_per_octet = wide_integer(stored.at("price_attos_per_octet"));
  return p;
}

json treatment_json(const Treatment& t) {
  return {{"weight", t.weight},
          {"rate_up_max", t.rate_up_max},
          {"rate_down_max", t.rate_down_max},
          {"urgent", t.urgent},
          {"background", t.background}};
}
Treatment treatment_from(const json& stored) {
  Treatment t;
  stored.at("weight").get_to(t.weight);
  stored.at("rate_up_max").get_to(t.rate_up_max);
  stored.at("rate_down_max").get_to(t.rate_down_max);
  stored.at("urgent").get_to(t.urgent);
  stored.at("background").get_to(t.background);
  return t;
}

Dispersion dispersion_from(const json& stored) {
  const auto dispersion = find_dispersion(stored.get<std::string>());
  if (!dispersion) throw NotUnderstood("the dispersion " + stored.dump());
  return *dispersion;
}

json profile_json(const Profile& p) {
  json dispersions = json::array();
  for (const Dispersion d : p.dispersions) dispersions.push_back(to_string(d));
  return {{"id", p.id},
          {"providers", p.providers},
          {"networks", p.networks},
          {"prefer_highest_rated", static_cast<int>(p.prefer_highest_rated)},
          {"pre_approved", p.pre_approved},
          {"quality_percent", p.quality_percent},
          {"dispersions", dispersions},
          {"treatment", treatment_json(p.treatment)}};
}
Profile profile_from(const json& stored) {
  Profile p;
  stored.at("id").get_to(p.id);
  stored.at("providers").get_to(p.providers);
  stored.at("networks").get_to(p.networks);
  stored.at("prefer_highest_rated").get_to(p.prefer_highest_rated);
  stored.at("pre_approved").get_to(p.pre_approved);
  stored.at("quality_percent").get_to(p.quality_percent);
  for (const json& d : stored.at("dispersions")) p.dispersions.push_back(dispersion_from(d));
  p.treatment = treatment_from(stored.at("treatment"));
  return p;
}

json request_json(const ServiceRequest& q) {
  json traffic = json::array();
  for (const TrafficRule& rule : q.traffic) traffic.push_back(to_json(rule));
  return {{"client", q.client},
          {"traffic", traffic},
          {"rate_up_bps", or_null(q.rate_up_bps)},
          {"rate_down_bps", or_null(q.rate_down_bps)},
          {"latency_ms_max", or_null(q.latency_ms_max)},
          {"loss_percent_max", or_null(q.loss_percent_max)},
          {"price_per_gb_max", or_null(q.price_per_gb_max)}};
}
ServiceRequest request_from(const json& stored) {
  ServiceRequest q;
  stored.at("client").get_to(q.client);
  FieldErrors errors;
  for (const json& rule : stored.at("traffic")) {
    JsonReader reader(rule, "/request/traffic", errors);
    q.traffic.push_back(read_rule(reader));
  }
  if (!errors.empty()) throw NotUnderstood(errors[0].pointer + ": " + errors[0].detail);
  q.rate_up_bps = optional_at<uint64_t>(stored, "rate_up_bps");
  q.rate_down_bps = optional_at<uint64_t>(stored, "rate_down_bps");
  q.latency_ms_max = optional_at<double>(stored, "latency_ms_max");
  q.loss_percent_max = optional_at<double>(stored, "loss_percent_max");
  q.price_per_gb_max = optional_at<std::string>(stored, "price_per_gb_max");
  return q;
}

json scenario_json(const Scenario& s) {
  json shares = json::array();
  for (const auto& x : s.shares)
    shares.push_back({x.path_index, x.name, x.provider, x.weight_up, x.weight_down});
  const Prediction& e = s.expected;
  return {{"dispersion", to_string(s.dispersion)},
          {"shares", shares},
          {"order", s.order},
          {"resequence", s.resequence},
          {"treatment", treatment_json(s.treatment)},
          {"goodput_up_bps", e.goodput_up_bps},
          {"goodput_down_bps", e.goodput_down_bps},
          {"latency_ms", e.latency_ms},
          {"loss_percent", e.loss_percent},
          {"price_attos_per_gb", digits_of(e.price_attos_per_gb)},
          {"reasons", s.reasons}};
}
Scenario scenario_from(const json& stored) {
  Scenario s;
  s.dispersion = dispersion_from(stored.at("dispersion"));
  for (const json& x : stored.at("shares")) {
    s.shares.push_back({x.at(0).get<uint8_t>(), x.at(1).get<std::string>(),
                        x.at(2).get<std::string>(), x.at(3).get<uint16_t>(),
                        x.at(4).get<uint16_t>()});
  }
  stored.at("order").get_to(s.order);
  stored.at("resequence").get_to(s.resequence);
  s.treatment = treatment_from(stored.at("treatment"));
  stored.at("goodput_up_bps").get_to(s.expected.goodput_up_bps);
  stored.at("goodput_down_bps").get_to(s.expected.goodput_down_bps);
  stored.at("latency_ms").get_to(s.expected.latency_ms);
  stored.at("loss_percent").get_to(s.expected.loss_percent);
  s.expected.price_attos_per_gb = wide_integer(stored.at("price_attos_per_gb"));
  stored.at("reasons").get_to(s.reasons);
  return s;
}

json worth_json(const Worth& w) {
  return {w.goodput, w.latency, w.price, w.preference, w.rating, w.inertia};
}
Worth worth_from(const json& w) {
  const auto part = [&](size_t i) { return w.at(i).get<double>(); };
  return {part(0), part(1), part(2), part(3), part(4), part(5)};
}

json valued_json(const std::optional<Valued>& v) {
  if (!v) return nullptr;
  return {{"scenario", scenario_json(v->scenario)},
          {"worth", worth_json(v->worth)},
          {"objection", v->objection}};
}
std::optional<Valued> valued_from(const json& stored) {
  if (stored.is_null()) return std::nullopt;
  return Valued{scenario_from(stored.at("scenario")), worth_from(stored.at("worth")),
                stored.at("objection").get<std::string>()};
}

json weighing_json(const Weighing& w) {
  json others = json::array();
  for (const Valued& v : w.runners_up) others.push_back(valued_json(v));
  return {{"preferred", w.choice.preferred ? scenario_json(*w.choice.preferred) : json(nullptr)},
          {"refusal", w.choice.refusal},
          {"bounds", {w.bounds.up, w.bounds.down, digits_of(w.bounds.cheapest)}},
          {"worth", w.worth ? worth_json(*w.worth) : json(nullptr)},
          {"runners_up", others},
          {"best_quality", valued_json(w.best_quality)},
          {"cheapest", valued_json(w.cheapest)},
          {"with_avoided", w.with_avoided}};
}
Weighing weighing_from(const json& stored) {
  Weighing w;
  if (const json& s = stored.at("preferred"); !s.is_null()) w.choice.preferred = scenario_from(s);
  stored.at("refusal").get_to(w.choice.refusal);
  const json& bounds = stored.at("bounds");
  w.bounds = {bounds.at(0).get<double>(), bounds.at(1).get<double>(), wide_integer(bounds.at(2))};
  if (const json& parts = stored.at("worth"); !parts.is_null()) w.worth = worth_from(parts);
  for (const json& v : stored.at("runners_up")) w.runners_up.push_back(valued_from(v).value());
  w.best_quality = valued_from(stored.at("best_quality"));
  w.cheapest = valued_from(stored.at("cheapest"));
  stored.at("with_avoided").get_to(w.with_avoided);
  return w;
}

}  // namespace

json to_json(const Decision& d) {
  json paths = json::array();
  for (const PathState& p : d.paths) paths.push_back(path_json(p));
  return {{"version", 1},
          {"paths", paths},
          {"profile", profile_json(d.profile)},
          {"request", request_json(d.request)},
          {"currency", d.currency},
          {"in_force", d.in_force ? scenario_json(*d.in_force) : json(nullptr)},
          {"ratings",
           {{"links", d.ratings.links},
            {"networks", d.ratings.networks},
            {"providers", d.ratings.providers}}},
          {"ages_ms", d.ages_ms},
          {"decided", weighing_json(d.weighing)}};
}

tl::expected<Decision, std::string> decision_from_json(const json& stored) {
  const auto wrong = [](const std::string& what) {
    return tl::unexpected("the decision is not understood: " + what);
  };
  try {
    if (stored.at("version") != 1) return wrong("version " + stored.at("version").dump());
    Decision d;
    for (const json& p : stored.at("paths")) d.paths.push_back(path_from(p));
    d.profile = profile_from(stored.at("profile"));
    d.request = request_from(stored.at("request"));
    stored.at("currency").get_to(d.currency);
    if (const json& s = stored.at("in_force"); !s.is_null()) d.in_force = scenario_from(s);
    const json& ratings = stored.at("ratings");
    ratings.at("links").get_to(d.ratings.links);
    ratings.at("networks").get_to(d.ratings.networks);
    ratings.at("providers").get_to(d.ratings.providers);
    stored.at("ages_ms").get_to(d.ages_ms);
    d.weighing = weighing_from(stored.at("decided"));
    return d;
  } catch (const std::exception& e) {
    return wrong(e.what());
  }
}

}  // namespace anabranch::control
