// SPDX-License-Identifier: BSD-3-Clause
#include "control/documents.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <ctime>

#include "billing/card.h"
#include "billing/party.h"
#include "billing/relations.h"
#include "control/json_reader.h"
#include "control/octets.h"
#include "dataplane/plan.h"

namespace anabranch::control {
namespace {

using dataplane::TrafficClass;
using nlohmann::json;

constexpr const char* kId = "1 to 64 characters out of a-z, 0-9 and -";
constexpr const char* kPrefix = "a prefix such as \"10.10.0.0/24\", host bits zero";
constexpr const char* kPrefix6 =
    "a prefix such as \"2001:db8:1::/48\", host bits zero, as source is IPv6";
constexpr const char* kServiceRate = "a rate such as \"50 Mbit/s\"";
constexpr const char* kPorts = "a port or a range such as \"80\" or \"1000-2000\"";
constexpr const char* kStandings = "\"prefer\", \"allow\", \"avoid\" or \"never\" by name";
constexpr const char* kLeastRate = "a rate of 64 kbit/s or more, such as \"50 Mbit/s\"";
constexpr const char* kDscp = "a DSCP such as \"EF\", \"AF41\", \"CS1\" or \"10\", once";
constexpr const char* kDscps = "a list of DSCPs such as \"EF\", \"AF41\", \"CS1\" or \"10\"";
constexpr const char* kHighestRated = "\"provider\" or \"network\"";
constexpr const char* kClasses = "\"urgent\", \"normal\" or \"background\" by DSCP";
constexpr const char* kInstant = "a time such as \"2026-12-31T18:00:00Z\"";
constexpr const char* kPrice = "a price such as \"0.80\"";
constexpr const char* kVolume = "a volume such as \"500 GB\"";
constexpr const char* kDuration = "a duration such as \"8 h\" or \"90 min\"";
constexpr const char* kInstantFormat = "%Y-%m-%dT%H:%M:%SZ";
constexpr size_t kRulesMax = 16;
constexpr double kDurationMax = 100.0 * 366 * 86'400;  // seconds

constexpr std::array<std::pair<const char*, Standing>, 4> kStandingNames{
    {{"prefer", Standing::prefer},
     {"allow", Standing::allow},
     {"avoid", Standing::avoid},
     {"never", Standing::never}}};
constexpr std::array<std::pair<const char*, HighestRated>, 2> kHighestRatedNames{
    {{"provider", HighestRated::provider}, {"network", HighestRated::network}}};
constexpr std::array<std::pair<const char*, TrafficClass>, 3> kClassNames{
    {{"urgent", TrafficClass::urgent},
     {"normal", TrafficClass::normal},
     {"background", TrafficClass::background}}};
constexpr std::array<std::pair<const char*, uint8_t>, 3> kProtocols{
    {{"icmp", 1}, {"tcp", 6}, {"udp", 17}}};

bool is_id(const std::string& text) {
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

std::vector<std::pair<std::string, Standing>> read_standings(JsonReader& r, const char* key) {
  std::vector<std::pair<std::string, Standing>> result;
  for (const auto& [name, text] : r.text_map(key, kStandings)) {
    if (const auto standing = by_name(kStandingNames, text))
      result.emplace_back(name, *standing);
    else
      r.wrong(std::string(key) + "/" + name, "\"" + text + "\"", kStandings);
  }
  return result;
}

std::optional<std::pair<uint16_t, uint16_t>> parse_ports(const std::string& text) {
  const char* end = text.data() + text.size();
  uint16_t from = 0, to = 0;
  auto [next, error] = std::from_chars(text.data(), end, from);
  if (error != std::errc()) return std::nullopt;
  if (next == end) return std::pair(from, from);
  if (*next != '-') return std::nullopt;
  const auto last = std::from_chars(next + 1, end, to);
  if (last.ec != std::errc() || last.ptr != end || to < from) return std::nullopt;
  return std::pair(from, to);
}

std::string ports_text(uint16_t from, uint16_t to) {
  return from == to ? std::to_string(from) : std::to_string(from) + "-" + std::to_string(to);
}

std::optional<double> read_limit(JsonReader& r, const char* key, double most) {
  const double value = r.number(key, -1, 0, most);
  return value < 0 ? std::nullopt : std::optional(value);
}

std::optional<std::string> parse_price(const std::string& text) {
  const size_t point = std::min(text.find('.'), text.size());
  const auto digits = [](std::string_view s) {
    return !s.empty() && s.size() <= 9 &&
           std::all_of(s.begin(), s.end(), [](char c) { return c >= '0' && c <= '9'; });
  };
  const std::string_view view(text);
  const bool is_price =
      digits(view.substr(0, point)) && (point == text.size() || digits(view.substr(point + 1)));
  return is_price ? std::optional(text) : std::nullopt;
}

constexpr std::array<std::pair<std::string_view, int64_t>, 4> kDurations{
    {{"d", 86'400}, {"h", 3'600}, {"min", 60}, {"s", 1}}};

}  // namespace

std::string read_id(JsonReader& r, const char* key) {
  const std::string id = r.text(key, kId);
  if (!id.empty() && !is_id(id)) r.wrong(key, "\"" + id + "\"", kId);
  return id;
}

Standing Profile::standing(const std::string& provider, const std::string& network) const {
  const auto find = [](const auto& all, const std::string& name) {
    const auto found = std::find_if(all.begin(), all.end(),
                                    [&](const auto& entry) { return entry.first == name; });
    return found == all.end() ? Standing::allow : found->second;
  };
  // The worse of the two decides; preferring either is enough when the other is allowed.
  const Standing p = find(providers, provider), n = find(networks, network);
  if (p == Standing::never || n == Standing::never) return Standing::never;
  if (p == Standing::avoid || n == Standing::avoid) return Standing::avoid;
  return p == Standing::prefer || n == Standing::prefer ? Standing::prefer : Standing::allow;
}

FieldErrors field_errors(const billing::DocumentErrors& mistakes) {
  FieldErrors errors;
  for (const billing::DocumentError& e : mistakes) errors.push_back({e.pointer, e.detail});
  return errors;
}

Parsed<Client> parse_client(const json& document) {
  FieldErrors errors;
  JsonReader r(document, "", errors);
  Client c;
  c.id = read_id(r, "id");
  c.name = r.text("name", "the client's name");
  c.profile = read_id(r, "profile");
  c.tariff = read_id(r, "tariff");
  if (r.has("sla")) c.sla = read_id(r, "sla");
  const auto prefixes = r.texts("prefixes", "a list of prefixes");
  for (size_t i = 0; i < prefixes.size(); ++i) {
    if (const auto prefix = parse_prefix(prefixes[i]))
      c.prefixes.push_back(*prefix);
    else
      r.wrong("prefixes/" + std::to_string(i), "\"" + prefixes[i] + "\"", kPrefix);
  }
  for (const std::string_view field : billing::kPartyFields) r.raw(field.data(), "", false);
  for (const std::string_view field : billing::kRelationFields) r.raw(field.data(), "", false);
  billing::DocumentErrors mistakes;
  if (document.is_object()) {  // for invoices: billing's
    billing::read_party(document, mistakes);
    billing::read_relations(document, mistakes);
  }
  if (r.has("card")) billing::read_card(r.raw("card", "a card", true), "/card", mistakes);
  r.finish();
  for (FieldError& e : field_errors(mistakes)) errors.push_back(std::move(e));
  return result_of(std::move(c), std::move(errors));
}

uint8_t read_protocol(JsonReader& r) {
  return r
      .parsed(
          "protocol", "\"tcp\", \"udp\" or \"icmp\"",
          [](const std::string& text) { return by_name(kProtocols, text); }, false)
      .value_or(0);
}

// "segmentation" allows what is usual for it; "dispersion" allows nothing but what it names.
std::vector<Dispersion> read_dispersions(JsonReader& r) {
  std::vector<Dispersion> result;
  for (const std::string& name :
       r.texts("segmentation", "a list out of \"flow\" and \"packet\"", false)) {
    if (name != "flow" && name != "packet")
      r.wrong("segmentation", "\"" + name + "\"", "\"flow\" or \"packet\"");
    result.push_back(name == "flow" ? Dispersion::flow : Dispersion::earliest_delivery);
  }
  const auto named = r.texts("dispersion", kDispersions, false);
  if (!named.empty() && !result.empty())
    r.wrong("dispersion", "a list", "nothing, for \"segmentation\" is given; or no segmentation");
  for (const std::string& name : named) {
    if (const auto dispersion = find_dispersion(name))
      result.push_back(*dispersion);
    else
      r.wrong("dispersion", "\"" + name + "\"", kDispersions);
  }
  return result;
}

void read_classes(JsonReader& r, Treatment& treatment) {
  DscpSet named = 0;
  for (const auto& [name, text] : r.text_map("classes", kClasses)) {
    const std::string key = "classes/" + name;
    const auto traffic_class = by_name(kClassNames, text);
    const auto dscp = find_dscp(name);
    if (!traffic_class) r.wrong(key, "\"" + text + "\"", kClasses);
    if (!dscp || (named & dscp_set(*dscp)) != 0) {
      r.wrong(key, "\"" + name + "\"", kDscp);
      continue;
    }
    named |= dscp_set(*dscp);
    if (traffic_class == TrafficClass::urgent) treatment.urgent |= dscp_set(*dscp);
    if (traffic_class == TrafficClass::background) treatment.background |= dscp_set(*dscp);
  }
}

Treatment read_treatment(JsonReader& r) {
  const auto least = [](const std::string& text) {
    const auto rate = parse_rate(text);
    return rate && *rate >= Treatment::kRateMin ? rate : std::nullopt;
  };
  Treatment t;
  t.weight = static_cast<uint8_t>(r.integer("weight", 1, Treatment::kWeightMax, false, 1));
  t.rate_up_max = r.parsed("rate_up_max", kLeastRate, least, false).value_or(0);
  t.rate_down_max = r.parsed("rate_down_max", kLeastRate, least, false).value_or(0);
  read_classes(r, t);
  return t;
}

billing::Preferences read_billing(JsonReader& r, decltype(billing::read_wish)& read,
                                  FieldErrors& errors) {
  if (!r.has("billing")) return {};
  billing::DocumentErrors mistakes;
  auto billing = read(r.raw("billing", "billing preferences", true), "/billing", mistakes);
  for (FieldError& e : field_errors(mistakes)) errors.push_back(std::move(e));
  return billing;
}

std::vector<std::string> read_pre_approved(JsonReader& r) {
  std::vector<std::string> result;
  const auto ids = r.texts("pre_approved", "a list of providers' ids", false);
  for (size_t i = 0; i < ids.size(); ++i) {
    const std::string key = "pre_approved/" + std::to_string(i);
    if (!is_id(ids[i]))
      r.wrong(key, "\"" + ids[i] + "\"", kId);
    else if (std::find(result.begin(), result.end(), ids[i]) != result.end())
      r.wrong(key, "\"" + ids[i] + "\" again", "each provider once");
    else
      result.push_back(ids[i]);
  }
  return result;
}

bool SegmentationRule::fits(const TrafficRule& t) const {
  const auto within = [](uint16_t from, uint16_t to, const std::pair<uint16_t, uint16_t>& all) {
    return all.first <= from && to <= all.second;
  };
  return (dscp == 0 || (t.dscp && (dscp & dscp_set(*t.dscp)) != 0)) &&
         (protocol == 0 || protocol == t.protocol) &&
         within(t.source_port_from, t.source_port_to, source_ports) &&
         within(t.destination_port_from, t.destination_port_to, destination_ports);
}

const Profile& Profile::for_traffic(const std::vector<TrafficRule>& traffic) const {
  for (const SegmentationRule& rule : segmentation_rules) {
    const bool fits = std::all_of(traffic.begin(), traffic.end(),
                                  [&](const TrafficRule& t) { return rule.fits(t); });
    if (fits && !traffic.empty()) return rule.profile;
  }
  return *this;
}

DscpSet read_dscp_list(JsonReader& r) {
  DscpSet result = 0;
  for (const std::string& name : r.texts("dscp", kDscps, false)) {
    if (const auto dscp = find_dscp(name))
      result |= dscp_set(*dscp);
    else
      r.wrong("dscp", "\"" + name + "\"", kDscps);
  }
  if (r.has("dscp") && result == 0) r.wrong("dscp", "none", kDscps);
  return result;
}

// Which traffic it is for, and what takes the place of what `profile` says.
SegmentationRule read_segmentation_rule(JsonReader& r, const Profile& profile) {
  SegmentationRule rule;
  rule.dscp = read_dscp_list(r);
  rule.protocol = read_protocol(r);
  const auto ports = [&](const char* key, std::pair<uint16_t, uint16_t>& ports) {
    ports = r.parsed(key, kPorts, parse_ports, false).value_or(ports);
  };
  ports("source_ports", rule.source_ports);
  ports("destination_ports", rule.destination_ports);
  if (!r.has("dscp") && !r.has("protocol") && !r.has("source_ports") && !r.has("destination_ports"))
    r.wrong("dscp", "nothing", "what tells the class: dscp, protocol or ports");
  Profile& p = rule.profile;
  p = profile;
  p.traffic_class = read_id(r, "class");
  const auto dispersions = read_dispersions(r);
  if (!dispersions.empty()) p.dispersions = dispersions;
  p.quality_percent =
      static_cast<uint8_t>(r.integer("quality_percent", 0, 100, false, p.quality_percent));
  p.latency_ms_max = read_limit(r, "latency_ms_max", 60'000);
  p.loss_percent_max = read_limit(r, "loss_percent_max", 100);
  r.finish();
  return rule;
}

// Last, for what a rule leaves open is the profile's.
void read_segmentation_rules(JsonReader& r, Profile& profile) {
  if (!r.has("segmentation_rules")) return;
  std::vector<SegmentationRule> rules;
  for (JsonReader& rule : r.objects("segmentation_rules", kRulesMax)) {
    rules.push_back(read_segmentation_rule(rule, profile));
    for (size_t i = 0; i + 1 < rules.size(); ++i) {
      if (rules[i].profile.traffic_class == rules.back().profile.traffic_class)
        rule.wrong("class", "\"" + rules[i].profile.traffic_class + "\" again", "each class once");
    }
  }
  profile.segmentation_rules = std::move(rules);
}

Parsed<Profile> parse_profile(const json& document) {
  FieldErrors errors;
  JsonReader r(document, "", errors);
  Profile p;
  p.id = read_id(r, "id");
  p.providers = read_standings(r, "providers");
  p.networks = read_standings(r, "networks");
  p.prefer_highest_rated =
      r.parsed(
           "prefer_highest_rated", kHighestRated,
           [](const std::string& text) { return by_name(kHighestRatedNames, text); }, false)
          .value_or(HighestRated::none);
  p.pre_approved = read_pre_approved(r);
  p.quality_percent = static_cast<uint8_t>(r.integer("quality_percent", 0, 100, false, 100));
  p.dispersions = read_dispersions(r);
  p.treatment = read_treatment(r);
  p.priority = static_cast<uint8_t>(r.integer("priority", 0, Profile::kPriorityMax, false, 0));
  read_segmentation_rules(r, p);
  p.billing = read_billing(r, billing::read_preferences, errors);
  r.finish();
  return result_of(std::move(p), std::move(errors));
}

TrafficRule read_rule(JsonReader& r) {
  TrafficRule rule;
  const auto given = r.parsed("source", kPrefix, parse_prefix);
  rule.source = given.value_or(Prefix{Ip::v4(0), 0});
  const bool ipv4 = rule.source.is_ipv4();
  const auto of_its_family = [&](const std::string& text) {
    const auto prefix = parse_prefix(text);
    return !given || (prefix && prefix->is_ipv4() == ipv4) ? prefix : std::nullopt;
  };
  rule.destination = r.parsed("destination", ipv4 ? kPrefix : kPrefix6, of_its_family, false)
                         .value_or(Prefix{ipv4 ? Ip::v4(0) : Ip{}, 0});
  rule.protocol = read_protocol(r);
  const auto source = r.parsed("source_ports", kPorts, parse_ports, false);
  const auto destination = r.parsed("destination_ports", kPorts, parse_ports, false);
  std::tie(rule.source_port_from, rule.source_port_to) =
      source.value_or(std::pair<uint16_t, uint16_t>(0, 65535));
  std::tie(rule.destination_port_from, rule.destination_port_to) =
      destination.value_or(std::pair<uint16_t, uint16_t>(0, 65535));
  if (r.has("dscp"))
    rule.dscp = static_cast<uint8_t>(r.integer("dscp", 0, 63));
  else
    (void)r.raw("dscp", "0 to 63", false);
  r.finish();
  return rule;
}

json to_json(const TrafficRule& rule) {
  json result{{"source", to_string(rule.source)}};
  if (rule.destination.length != 0) result["destination"] = to_string(rule.destination);
  for (const auto& [name, protocol] : kProtocols) {
    if (rule.protocol == protocol) result["protocol"] = name;
  }
  if (rule.source_port_from != 0 || rule.source_port_to != 65535) {
    result["source_ports"] = ports_text(rule.source_port_from, rule.source_port_to);
  }
  if (rule.destination_port_from != 0 || rule.destination_port_to != 65535) {
    result["destination_ports"] = ports_text(rule.destination_port_from, rule.destination_port_to);
  }
  if (rule.dscp) result["dscp"] = *rule.dscp;
  return result;
}

Parsed<ServiceRequest> parse_request(const json& document) {
  FieldErrors errors;
  JsonReader r(document, "", errors);
  ServiceRequest q;
  q.client = read_id(r, "client");
  if (r.has("key")) q.key = read_id(r, "key");
  for (JsonReader& rule : r.objects("traffic", kRulesMax)) q.traffic.push_back(read_rule(rule));
  q.rate_up_bps = r.parsed("rate_up", kServiceRate, parse_rate, false);
  q.rate_down_bps = r.parsed("rate_down", kServiceRate, parse_rate, false);
  q.latency_ms_max = read_limit(r, "latency_ms_max", 60'000);
  q.loss_percent_max = read_limit(r, "loss_percent_max", 100);
  q.price_per_gb_max = r.parsed("price_per_gb_max", kPrice, parse_price, false);
  q.volume_octets = r.parsed(
      "volume", kVolume, [](const std::string& text) { return parse_octets(text, INT64_MAX); },
      false);
  q.budget = r.parsed("budget", kPrice, parse_price, false);
  q.start_s = r.parsed("start", kInstant, parse_instant, false);
  q.until_s = r.parsed("until", kInstant, parse_instant, false);
  q.duration_s = r.parsed("duration", kDuration, parse_duration, false);
  q.billing = read_billing(r, billing::read_wish, errors);
  if (q.until_s && q.duration_s)
    r.wrong("duration", "a duration", "nothing, for \"until\" is given; or no \"until\"");
  if (q.until_s && q.start_s && *q.until_s <= *q.start_s)
    r.wrong("until", instant_text(*q.until_s), "a time after \"start\"");
  r.finish();
  return result_of(std::move(q), std::move(errors));
}

json to_json(const ServiceRequest& q) {
  json traffic = json::array();
  for (const TrafficRule& rule : q.traffic) traffic.push_back(to_json(rule));
  json result{{"client", q.client}, {"traffic", traffic}};
  if (q.rate_up_bps) result["rate_up"] = rate_text(*q.rate_up_bps);
  if (q.rate_down_bps) result["rate_down"] = rate_text(*q.rate_down_bps);
  if (q.latency_ms_max) result["latency_ms_max"] = *q.latency_ms_max;
  if (q.loss_percent_max) result["loss_percent_max"] = *q.loss_percent_max;
  if (q.price_per_gb_max) result["price_per_gb_max"] = *q.price_per_gb_max;
  if (!q.key.empty()) result["key"] = q.key;
  if (q.volume_octets) result["volume"] = octets_text(*q.volume_octets);
  if (q.budget) result["budget"] = *q.budget;
  if (q.start_s) result["start"] = instant_text(*q.start_s);
  if (q.duration_s) result["duration"] = duration_text(*q.duration_s);
  if (q.until_s) result["until"] = instant_text(*q.until_s);
  if (q.billing != billing::Preferences()) result["billing"] = billing::to_json(q.billing);
  return result;
}

std::optional<uint64_t> parse_rate(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, double>, 4> kUnits{
      {{"bit/s", 1}, {"kbit/s", 1e3}, {"Mbit/s", 1e6}, {"Gbit/s", 1e9}}};
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || value <= 0) return std::nullopt;
  std::string_view unit(end, static_cast<size_t>(text.data() + text.size() - end));
  if (unit.starts_with(' ')) unit.remove_prefix(1);
  for (const auto& [name, factor] : kUnits) {
    const double rate = value * factor;
    if (unit == name && rate >= 1 && rate <= 1e12) return static_cast<uint64_t>(std::llround(rate));
  }
  return std::nullopt;
}

std::string rate_text(uint64_t bps) {
  constexpr std::array<std::pair<uint64_t, const char*>, 3> kUnits{
      {{1'000'000'000, " Gbit/s"}, {1'000'000, " Mbit/s"}, {1'000, " kbit/s"}}};
  for (const auto& [size, unit] : kUnits) {
    if (bps < size) continue;
    // As many decimals as it takes to be read back unchanged.
    const uint64_t rest = bps % size;
    std::string decimals = std::to_string(size + rest).substr(1);
    while (!decimals.empty() && decimals.back() == '0') decimals.pop_back();
    return std::to_string(bps / size) + (decimals.empty() ? "" : "." + decimals) + unit;
  }
  return std::to_string(bps) + " bit/s";
}

std::optional<int64_t> parse_duration(std::string_view text) {
  double value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (error != std::errc() || !(value > 0)) return std::nullopt;
  std::string_view unit(end, static_cast<size_t>(text.data() + text.size() - end));
  if (unit.starts_with(' ')) unit.remove_prefix(1);
  for (const auto& [name, size] : kDurations) {
    const double seconds = value * static_cast<double>(size);
    if (unit == name && seconds >= 1 && seconds <= kDurationMax)
      return static_cast<int64_t>(std::llround(seconds));
  }
  return std::nullopt;
}

std::string duration_text(int64_t seconds) {
  for (const auto& [name, size] : kDurations) {
    if (seconds % size == 0) return std::to_string(seconds / size) + " " + std::string(name);
  }
  return {};
}

std::optional<int64_t> parse_instant(const std::string& text) {
  std::tm parts{};
  const char* end = strptime(text.c_str(), kInstantFormat, &parts);
  if (end == nullptr || *end != '\0') return std::nullopt;
  const int64_t seconds = timegm(&parts);
  // strptime takes the 31st of any month, and timegm makes the next one's first of it.
  return instant_text(seconds) == text ? std::optional(seconds) : std::nullopt;
}

std::string instant_text(int64_t unix_s) {
  const std::time_t time = unix_s;
  std::tm parts{};
  gmtime_r(&time, &parts);
  char text[32];
  return std::string(text, std::strftime(text, sizeof text, kInstantFormat, &parts));
}

json problem(int status, const std::string& title, const std::string& detail,
             const FieldErrors& errors) {
  json document{{"type", "about:blank"}, {"status", status}, {"title", title}, {"detail", detail}};
  for (const FieldError& e : errors)
    document["errors"].push_back({{"pointer", e.pointer}, {"detail", e.detail}});
  return document;
}

}  // namespace anabranch::control
