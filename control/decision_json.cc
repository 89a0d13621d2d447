// SPDX-License-Identifier: BSD-3-Clause
// Decisions as JSON and back. Numbers are written so that they are read back the same. What is read
// may have been altered: nlohmann's get() takes -1 for 255 and true for 1, so types and ranges are
// checked here.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <type_traits>

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

// More than any price an octet has, little enough for the sums that are made of it.
constexpr size_t kPathPriceDigitsMax = 22;
constexpr double kStoredRateMax = 1e15;  // bits a second
constexpr double kTimeMaxMs = 1e9;
constexpr int kDecisionVersion = 3;

const json& member(const json& stored, const char* key) {
  if (!stored.is_object()) throw NotUnderstood(fmt::format("no object holds \"{}\"", key));
  const auto found = stored.find(key);
  if (found == stored.end()) throw NotUnderstood(fmt::format("\"{}\" is missing", key));
  return *found;
}

const json& list_at(const json& stored, const char* key) {
  const json& list = member(stored, key);
  if (!list.is_array()) throw NotUnderstood(fmt::format("\"{}\" is no list", key));
  return list;
}

const json& item(const json& list, size_t i, const char* what) {
  if (!list.is_array() || i >= list.size())
    throw NotUnderstood(fmt::format("\"{}\" has something missing", what));
  return list[i];
}

template <typename T>
bool is_stored_as(const json& value) {
  if constexpr (std::is_same_v<T, bool>) return value.is_boolean();
  if constexpr (std::is_same_v<T, std::string>) return value.is_string();
  if constexpr (std::is_floating_point_v<T>)
    return value.is_number() && std::isfinite(value.get<double>());
  if constexpr (std::is_integral_v<T>) {
    if (!value.is_number_integer()) return false;
    if (value.is_number_unsigned())
      return value.get<uint64_t>() <= static_cast<uint64_t>(std::numeric_limits<T>::max());
    const auto number = value.get<int64_t>();
    return number >= static_cast<int64_t>(std::numeric_limits<T>::min()) &&
           (number < 0 ||
            static_cast<uint64_t>(number) <= static_cast<uint64_t>(std::numeric_limits<T>::max()));
  }
}

template <typename T>
T checked(const json& value, const char* what) {
  if (!is_stored_as<T>(value)) throw NotUnderstood(fmt::format("\"{}\" is {}", what, value.dump()));
  return value.get<T>();
}
template <typename T>
T checked_at(const json& stored, const char* key) {
  return checked<T>(member(stored, key), key);
}

template <typename Enum>
Enum checked_enum(const json& value, Enum last, const char* what) {
  const auto number = checked<uint8_t>(value, what);
  if (number > static_cast<uint8_t>(last))
    throw NotUnderstood(fmt::format("\"{}\" is {}", what, number));
  return static_cast<Enum>(number);
}

// The texts of a list.
std::vector<std::string> texts_at(const json& stored, const char* key) {
  std::vector<std::string> result;
  for (const json& text : list_at(stored, key)) result.push_back(checked<std::string>(text, key));
  return result;
}

constexpr size_t kPriceDigitsMax = 38;
Uint128 wide_integer(const json& stored, size_t digits_max = kPriceDigitsMax) {
  const auto text = checked<std::string>(stored, "price");
  if (text.empty() || text.size() > digits_max) throw NotUnderstood("the price \"" + text + "\"");
  Uint128 value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') throw NotUnderstood("the price \"" + text + "\"");
    value = value * 10 + static_cast<unsigned>(c - '0');
  }
  return value;
}

template <typename T>
std::optional<T> optional_at(const json& stored, const char* key) {
  const json& value = member(stored, key);
  return value.is_null() ? std::nullopt : std::optional(checked<T>(value, key));
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
  visit("held_up_bps", p.held_up_bps);
  visit("held_down_bps", p.held_down_bps);
  visit("shared_by", p.shared_by);
  visit("used_up", p.used_up);
  visit("quota", p.quota);
}

json path_json(const PathState& p) {
  json result{{"condition", static_cast<int>(p.condition)},
              {"price_attos_per_octet", digits_of(p.price_attos_per_octet)}};
  each_field(p, [&](const char* key, const auto& value) { result[key] = value; });
  if (p.held_back_s != 0) result["held_back_s"] = p.held_back_s;
  for (const PathRecord& r : p.records)
    result["records"].push_back(
        {r.samples, r.latency_ms, r.jitter_ms, r.loss, r.availability, r.rate_kept});
  return result;
}
PathRecord record_from(const json& stored) {
  const auto real = [&](size_t i) {
    return checked<double>(item(stored, i, "records"), "records");
  };
  return {checked<uint32_t>(item(stored, 0, "records"), "records"),
          real(1),
          real(2),
          real(3),
          real(4),
          real(5)};
}
// What is computed of a path expects it within these.
void check_ranges(const PathState& p) {
  const auto within = [&](const char* what, double value, double most) {
    if (value < 0 || value > most)
      throw NotUnderstood(fmt::format("{} of {} is {}", what, p.name, value));
  };
  within("a loss", p.loss_up, 1);
  within("a loss", p.loss_down, 1);
  within("the availability", p.availability, 1);
  for (const PathRecord& r : p.records) {
    within("a loss", r.loss, 1);
    within("the availability", r.availability, 1);
    within("the rate kept", r.rate_kept, 1);
    within("a time in ms", r.latency_ms, kTimeMaxMs);
    within("a time in ms", r.jitter_ms, kTimeMaxMs);
  }
  for (const double ms :
       {p.rtt_ms, p.rtt_min_ms, p.rtt_variation_ms, p.pto_ms, p.queue_up_ms, p.queue_down_ms})
    within("a time in ms", ms, kTimeMaxMs);
  if (p.shared_by == 0) throw NotUnderstood(p.name + " is shared by nobody");
  for (const uint64_t bps :
       {p.rate_up_bps, p.rate_down_bps, p.delivered_bps, p.held_up_bps, p.held_down_bps})
    within("a rate", static_cast<double>(bps), kStoredRateMax);
}

PathState path_from(const json& stored) {
  PathState p;
  each_field(p, [&](const char* key, auto& value) {
    value = checked_at<std::remove_reference_t<decltype(value)>>(stored, key);
  });
  if (stored.contains("held_back_s")) p.held_back_s = checked_at<uint32_t>(stored, "held_back_s");
  for (size_t i = 0; i < p.records.size(); ++i)
    p.records[i] = record_from(item(list_at(stored, "records"), i, "records"));
  p.condition = checked_enum(member(stored, "condition"), Condition::up, "condition");
  p.price_attos_per_octet =
      wide_integer(member(stored, "price_attos_per_octet"), kPathPriceDigitsMax);
  check_ranges(p);
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
  t.weight = checked_at<decltype(t.weight)>(stored, "weight");
  t.rate_up_max = checked_at<decltype(t.rate_up_max)>(stored, "rate_up_max");
  t.rate_down_max = checked_at<decltype(t.rate_down_max)>(stored, "rate_down_max");
  t.urgent = checked_at<decltype(t.urgent)>(stored, "urgent");
  t.background = checked_at<decltype(t.background)>(stored, "background");
  return t;
}

Dispersion dispersion_from(const json& stored) {
  const auto dispersion = find_dispersion(checked<std::string>(stored, "dispersion"));
  if (!dispersion) throw NotUnderstood("the dispersion " + stored.dump());
  return *dispersion;
}

json profile_json(const Profile& p) {
  json dispersions = json::array();
  for (const Dispersion d : p.dispersions) dispersions.push_back(to_string(d));
  json result{{"id", p.id},
              {"providers", p.providers},
              {"networks", p.networks},
              {"prefer_highest_rated", static_cast<int>(p.prefer_highest_rated)},
              {"pre_approved", p.pre_approved},
              {"quality_percent", p.quality_percent},
              {"dispersions", dispersions},
              {"treatment", treatment_json(p.treatment)},
              {"priority", p.priority}};
  if (!p.traffic_class.empty()) result["traffic_class"] = p.traffic_class;
  return result;
}
std::vector<std::pair<std::string, Standing>> standings_from(const json& list) {
  std::vector<std::pair<std::string, Standing>> result;
  for (const json& entry : list) {
    result.emplace_back(checked<std::string>(item(entry, 0, "standing"), "standing"),
                        checked_enum(item(entry, 1, "standing"), Standing::never, "standing"));
  }
  return result;
}

Profile profile_from(const json& stored) {
  Profile p;
  p.id = checked_at<std::string>(stored, "id");
  p.providers = standings_from(list_at(stored, "providers"));
  p.networks = standings_from(list_at(stored, "networks"));
  p.prefer_highest_rated = checked_enum(member(stored, "prefer_highest_rated"),
                                        HighestRated::network, "prefer_highest_rated");
  p.pre_approved = texts_at(stored, "pre_approved");
  p.quality_percent = checked_at<uint8_t>(stored, "quality_percent");
  if (p.quality_percent > 100) throw NotUnderstood("\"quality_percent\" is above 100");
  for (const json& d : list_at(stored, "dispersions")) p.dispersions.push_back(dispersion_from(d));
  if (p.dispersions.size() > static_cast<size_t>(Dispersion::standby) + 1)
    throw NotUnderstood("there are more dispersions than there are");
  p.treatment = treatment_from(member(stored, "treatment"));
  p.priority = checked_at<uint8_t>(stored, "priority");
  if (stored.contains("traffic_class"))
    p.traffic_class = checked_at<std::string>(stored, "traffic_class");
  return p;
}

json request_json(const ServiceRequest& q) {
  json traffic = json::array();
  for (const TrafficRule& rule : q.traffic) traffic.push_back(to_json(rule));
  json objectives = json::array();
  for (const Objective& o : q.objectives) objectives.push_back({o.of, o.window, o.limit});
  return {{"client", q.client},
          {"traffic", traffic},
          {"objectives", objectives},
          {"rate_up_bps", or_null(q.rate_up_bps)},
          {"rate_down_bps", or_null(q.rate_down_bps)},
          {"latency_ms_max", or_null(q.latency_ms_max)},
          {"loss_percent_max", or_null(q.loss_percent_max)},
          {"price_per_gb_max", or_null(q.price_per_gb_max)}};
}
ServiceRequest request_from(const json& stored) {
  ServiceRequest q;
  q.client = checked_at<std::string>(stored, "client");
  FieldErrors errors;
  for (const json& rule : list_at(stored, "traffic")) {
    JsonReader reader(rule, "/request/traffic", errors);
    q.traffic.push_back(read_rule(reader));
  }
  if (!errors.empty()) throw NotUnderstood(errors[0].pointer + ": " + errors[0].detail);
  q.rate_up_bps = optional_at<uint64_t>(stored, "rate_up_bps");
  q.rate_down_bps = optional_at<uint64_t>(stored, "rate_down_bps");
  q.latency_ms_max = optional_at<double>(stored, "latency_ms_max");
  q.loss_percent_max = optional_at<double>(stored, "loss_percent_max");
  q.price_per_gb_max = optional_at<std::string>(stored, "price_per_gb_max");
  for (const json& o : list_at(stored, "objectives"))
    q.objectives.push_back(
        {checked_enum(item(o, 0, "objectives"), Objective::Of::availability, "objectives"),
         checked_enum(item(o, 1, "objectives"), Window::month, "objectives"),
         checked<double>(item(o, 2, "objectives"), "objectives")});
  return q;
}

json scenario_json(const Scenario& s) {
  json shares = json::array();
  for (const auto& x : s.shares)
    shares.push_back({x.path_index, x.name, x.provider, x.weight_up, x.weight_down,
                      x.reserved_up_bps, x.reserved_down_bps});
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
          {"jitter_ms", e.jitter_ms},
          {"availability_percent", e.availability_percent},
          {"risk_percent", e.risk_percent},
          {"price_attos_per_gb", digits_of(e.price_attos_per_gb)},
          {"reasons", s.reasons}};
}
Scenario::Share share_from(const json& x) {
  const auto at = [&](size_t i) -> const json& { return item(x, i, "shares"); };
  return {checked<uint8_t>(at(0), "shares"),     checked<std::string>(at(1), "shares"),
          checked<std::string>(at(2), "shares"), checked<uint16_t>(at(3), "shares"),
          checked<uint16_t>(at(4), "shares"),    checked<uint64_t>(at(5), "shares"),
          checked<uint64_t>(at(6), "shares")};
}

Scenario scenario_from(const json& stored) {
  Scenario s;
  s.dispersion = dispersion_from(member(stored, "dispersion"));
  for (const json& x : list_at(stored, "shares")) s.shares.push_back(share_from(x));
  for (const json& index : list_at(stored, "order"))
    s.order.push_back(checked<uint8_t>(index, "order"));
  s.resequence = checked_at<bool>(stored, "resequence");
  s.treatment = treatment_from(member(stored, "treatment"));
  s.expected.goodput_up_bps = checked_at<double>(stored, "goodput_up_bps");
  s.expected.goodput_down_bps = checked_at<double>(stored, "goodput_down_bps");
  s.expected.latency_ms = checked_at<double>(stored, "latency_ms");
  s.expected.loss_percent = checked_at<double>(stored, "loss_percent");
  s.expected.jitter_ms = checked_at<double>(stored, "jitter_ms");
  s.expected.availability_percent = checked_at<double>(stored, "availability_percent");
  s.expected.risk_percent = checked_at<double>(stored, "risk_percent");
  s.expected.price_attos_per_gb = wide_integer(member(stored, "price_attos_per_gb"));
  s.reasons = texts_at(stored, "reasons");
  return s;
}

json worth_json(const Worth& w) {
  return {w.goodput, w.latency, w.price, w.preference, w.rating, w.inertia};
}
Worth worth_from(const json& w) {
  const auto part = [&](size_t i) { return checked<double>(item(w, i, "worth"), "worth"); };
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
  return Valued{scenario_from(member(stored, "scenario")), worth_from(member(stored, "worth")),
                checked_at<std::string>(stored, "objection")};
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
  if (const json& s = member(stored, "preferred"); !s.is_null())
    w.choice.preferred = scenario_from(s);
  w.choice.refusal = checked_at<std::string>(stored, "refusal");
  const json& bounds = list_at(stored, "bounds");
  const auto bound = [&](size_t i) -> const json& { return item(bounds, i, "bounds"); };
  w.bounds = {checked<double>(bound(0), "bounds"), checked<double>(bound(1), "bounds"),
              wide_integer(bound(2))};
  if (const json& parts = member(stored, "worth"); !parts.is_null()) w.worth = worth_from(parts);
  for (const json& v : list_at(stored, "runners_up")) {
    const auto other = valued_from(v);
    if (!other) throw NotUnderstood("a runner-up is null");
    w.runners_up.push_back(*other);
  }
  w.best_quality = valued_from(member(stored, "best_quality"));
  w.cheapest = valued_from(member(stored, "cheapest"));
  w.with_avoided = checked_at<bool>(stored, "with_avoided");
  return w;
}

// [["name", number], ...]
template <typename Number>
std::vector<std::pair<std::string, Number>> numbers_at(const json& stored, const char* key) {
  std::vector<std::pair<std::string, Number>> result;
  for (const json& entry : list_at(stored, key)) {
    result.emplace_back(checked<std::string>(item(entry, 0, key), key),
                        checked<Number>(item(entry, 1, key), key));
  }
  return result;
}

Ratings ratings_from(const json& stored) {
  Ratings r{numbers_at<double>(stored, "links"), numbers_at<double>(stored, "networks"),
            numbers_at<double>(stored, "providers")};
  for (const auto* kind : {&r.links, &r.networks, &r.providers}) {
    for (const auto& [name, rating] : *kind) {
      if (rating < 0 || rating > 100)
        throw NotUnderstood(fmt::format("{} is rated {}", name, rating));
    }
  }
  return r;
}

}  // namespace

json to_json(const Decision& d) {
  json paths = json::array();
  for (const PathState& p : d.paths) paths.push_back(path_json(p));
  return {{"version", kDecisionVersion},
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
    if (const json& version = member(stored, "version"); version != kDecisionVersion)
      return wrong("version " + version.dump());
    Decision d;
    for (const json& p : list_at(stored, "paths")) d.paths.push_back(path_from(p));
    d.profile = profile_from(member(stored, "profile"));
    d.request = request_from(member(stored, "request"));
    d.currency = checked_at<std::string>(stored, "currency");
    if (const json& s = member(stored, "in_force"); !s.is_null()) d.in_force = scenario_from(s);
    d.ratings = ratings_from(member(stored, "ratings"));
    d.ages_ms = numbers_at<int64_t>(stored, "ages_ms");
    d.weighing = weighing_from(member(stored, "decided"));
    return d;
  } catch (const std::exception& e) {
    return wrong(e.what());
  }
}

}  // namespace anabranch::control
