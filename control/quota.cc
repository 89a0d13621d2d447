// SPDX-License-Identifier: BSD-3-Clause
#include "control/quota.h"

#include <fmt/format.h>

#include <algorithm>

#include "billing/money.h"
#include "control/json_reader.h"
#include "control/octets.h"

namespace anabranch::control {
namespace {

constexpr const char* kOctets = "octets such as \"500 GB\" or \"1.5 TB\"";
constexpr const char* kZone = "an IANA time zone such as \"Europe/Berlin\"";
constexpr const char* kCounts = "\"up\", \"down\" or \"both\"";
constexpr const char* kAtLimits = "\"stop\", \"slow\" or \"pay\"";
constexpr const char* kOverage = "a price of a GB such as \"0.80\"";
constexpr size_t kAlertsMax = 16;
constexpr unsigned kPercentMax = 1000;

constexpr std::array<std::pair<const char*, Quota::Counts>, 3> kCountsNames{
    {{"up", Quota::Counts::up}, {"down", Quota::Counts::down}, {"both", Quota::Counts::both}}};
constexpr std::array<std::pair<const char*, Quota::AtLimit>, 3> kAtLimitNames{
    {{"stop", Quota::AtLimit::stop}, {"slow", Quota::AtLimit::slow}, {"pay", Quota::AtLimit::pay}}};
constexpr std::array<std::pair<const char*, Quota::Of>, 3> kOfNames{
    {{"uplink", Quota::Of::uplink},
     {"network", Quota::Of::network},
     {"provider", Quota::Of::provider}}};
constexpr auto parse_allowed = [](const std::string& text) { return parse_octets(text); };

void read_whose(JsonReader& r, Quota& q) {
  size_t named = 0;
  for (const auto& [key, of] : kOfNames) {
    const std::string name = r.text(key, "its name", false);
    if (name.empty()) continue;
    q.of = of;
    q.name = name;
    ++named;
  }
  if (named != 1)
    r.fail("uplink", "expected exactly one of \"uplink\", \"network\" and \"provider\"");
}

void read_cycle(JsonReader& r, Quota& q) {
  q.cycle.day = static_cast<unsigned>(r.integer("cycle_day", 1, 31, false, 1));
  const auto zone = [](const std::string& name) -> std::optional<billing::Zone> {
    auto found = billing::Zone::find(name);
    return found ? std::optional(*found) : std::nullopt;
  };
  if (const auto found = r.parsed("zone", kZone, zone, false)) q.cycle.zone = *found;
}

void read_rollover(JsonReader& r, Quota& q, FieldErrors& errors) {
  constexpr const char* kExpected = "an object such as {\"cycles\": 1, \"max\": \"100 GB\"}";
  const auto& given = r.raw("rollover", kExpected, false);
  if (!r.has("rollover")) return;
  JsonReader rollover(given, "/rollover", errors);
  q.rollover_cycles =
      static_cast<unsigned>(rollover.integer("cycles", 1, Quota::kRolloverCyclesMax, false, 1));
  q.rollover_max = rollover.parsed("max", kOctets, parse_allowed, false).value_or(UINT64_MAX);
  rollover.finish();
}

void read_alerts(JsonReader& r, Quota& q) {
  if (!r.has("alerts")) {
    (void)r.raw("alerts", "percentages", false);
    return;
  }
  q.alerts.clear();
  for (const uint64_t percent : r.integers("alerts", kPercentMax, kAlertsMax))
    q.alerts.push_back(static_cast<unsigned>(percent));
  const bool rising = std::adjacent_find(q.alerts.begin(), q.alerts.end(),
                                         std::greater_equal<>()) == q.alerts.end();
  if (!rising || (!q.alerts.empty() && q.alerts.front() == 0))
    r.fail("alerts", "expected percentages from 1 on, each higher than the one before");
}

void read_at_limit(JsonReader& r, Quota& q) {
  const auto by = [](const std::string& text) { return by_name(kAtLimitNames, text); };
  q.at_limit = r.parsed("at_limit", kAtLimits, by).value_or(Quota::AtLimit::stop);
  const auto rate = [](const std::string& text) {
    const auto bps = parse_rate(text);
    return bps && *bps >= Treatment::kRateMin ? bps : std::nullopt;
  };
  const bool slow = q.at_limit == Quota::AtLimit::slow;
  q.slow_bps = r.parsed("slow_to", "a rate of 64 kbit/s or more such as \"1 Mbit/s\"", rate, slow)
                   .value_or(0);
  if (!slow && q.slow_bps != 0) r.fail("slow_to", "expected only where \"at_limit\" is \"slow\"");
  const auto price = [](const std::string& text) -> std::optional<billing::Amount> {
    const auto amount = billing::parse_amount(text, 9);
    return amount && amount->attos() >= 0 ? std::optional(*amount) : std::nullopt;
  };
  const bool pay = q.at_limit == Quota::AtLimit::pay;
  if (const auto per_gb = r.parsed("overage_per_gb", kOverage, price, pay))
    q.overage_attos_per_octet = static_cast<dataplane::Uint128>(per_gb->attos()) / 1'000'000'000u;
}

}  // namespace

bool Quota::covers(const std::string& uplink, const std::string& network,
                   const std::string& provider) const {
  return name == (of == Of::uplink ? uplink : of == Of::network ? network : provider);
}

bool Quota::covers(const billing::Catalogue::Path& path) const {
  std::string uplink = path.name;
  if (uplink.ends_with(kNoPath)) uplink.resize(uplink.size() - std::string_view(kNoPath).size());
  return covers(uplink, path.network, path.provider);
}

bool Quota::covers(billing::Direction direction) const {
  return counts == Counts::both ||
         (counts == Counts::up) == (direction == billing::Direction::sent);
}

Parsed<Quota> parse_quota(const nlohmann::json& document) {
  FieldErrors errors;
  JsonReader r(document, "", errors);
  Quota q;
  q.id = read_id(r, "id");
  read_whose(r, q);
  q.octets = r.parsed("octets", kOctets, parse_allowed).value_or(0);
  const auto counts = [](const std::string& text) { return by_name(kCountsNames, text); };
  q.counts = r.parsed("counts", kCounts, counts, false).value_or(Quota::Counts::both);
  read_cycle(r, q);
  read_rollover(r, q, errors);
  read_alerts(r, q);
  read_at_limit(r, q);
  r.finish();
  if (!errors.empty()) return tl::unexpected(std::move(errors));
  return q;
}

}  // namespace anabranch::control
