// SPDX-License-Identifier: BSD-3-Clause
#include "control/network_document.h"

#include <algorithm>

#include "control/json_reader.h"

namespace anabranch::control {
namespace {

using nlohmann::json;

constexpr const char* kMoment = "a time such as \"2026-12-31T18:00:00Z\"";
constexpr const char* kCommitted = "a rate of 64 kbit/s or more, such as \"50 Mbit/s\"";
constexpr const char* kNetworkKind =
    "\"fibre\", \"cable\", \"dsl\", \"mobile\", \"satellite\", \"radio\" or \"other\"";
constexpr std::array<std::string_view, 7> kNetworkKinds{"fibre",     "cable", "dsl",  "mobile",
                                                        "satellite", "radio", "other"};

Maintenance read_window(JsonReader& r) {
  Maintenance m;
  m.from_s = r.parsed("from", kMoment, parse_instant).value_or(0);
  m.until_s = r.parsed("until", kMoment, parse_instant).value_or(INT64_MAX);
  m.why = r.text("why", "why, in words", false);
  if (m.until_s <= m.from_s) r.wrong("until", instant_text(m.until_s), "a time after \"from\"");
  r.finish();
  return m;
}

std::vector<Maintenance> read_maintenance(JsonReader& r) {
  std::vector<Maintenance> all;
  if (!r.has("maintenance")) return all;
  for (JsonReader& window : r.objects("maintenance", NetworkDocument::kMaintenanceMax))
    all.push_back(read_window(window));
  return all;
}

uint64_t read_committed(JsonReader& r, const char* key) {
  const auto enough = [](const std::string& text) {
    const auto rate = parse_rate(text);
    return rate && *rate >= Treatment::kRateMin ? rate : std::nullopt;
  };
  return r.parsed(key, kCommitted, enough, false).value_or(0);
}

// The one that ends last of those it is in.
const Maintenance* window_at(const std::vector<Maintenance>& all, int64_t at_s) {
  const Maintenance* last = nullptr;
  for (const Maintenance& m : all) {
    if (m.from_s <= at_s && at_s < m.until_s && (last == nullptr || m.until_s > last->until_s))
      last = &m;
  }
  return last;
}

void say(PathState& path, const std::string& words) {
  path.quota += (path.quota.empty() ? "" : "; ") + words;
}

void close_for(PathState& path, const std::string& of, const Maintenance* window) {
  if (window == nullptr) return;
  path.alive = false;
  path.used_up = true;
  say(path, of + " is in maintenance until " + instant_text(window->until_s) +
                (window->why.empty() ? "" : " (" + window->why + ")"));
}

void commit(PathState& path, uint64_t& rate_bps, uint64_t committed_bps, const char* way) {
  if (committed_bps == 0 || rate_bps <= committed_bps) return;
  rate_bps = committed_bps;
  say(path, "its provider stands for " + rate_text(committed_bps) + " " + way);
}

}  // namespace

Parsed<NetworkDocument> parse_network(const json& document) {
  FieldErrors errors;
  JsonReader r(document, "", errors);
  NetworkDocument n;
  n.id = read_id(r, "id");
  n.provider = read_id(r, "provider");
  n.name = r.text("name", "the network's name", false);
  n.kind = r.text("kind", kNetworkKind, false);
  const auto* const end = kNetworkKinds.end();
  if (!n.kind.empty() && std::find(kNetworkKinds.begin(), end, n.kind) == end)
    r.wrong("kind", "\"" + n.kind + "\"", kNetworkKind);
  n.region = r.text("region", "where it is", false);
  n.maintenance = read_maintenance(r);
  r.finish();
  return result_of(std::move(n), std::move(errors));
}

Parsed<UplinkDocument> parse_uplink(const json& document) {
  FieldErrors errors;
  JsonReader r(document, "", errors);
  UplinkDocument u;
  u.id = read_id(r, "id");
  u.committed_up_bps = read_committed(r, "committed_rate_up");
  u.committed_down_bps = read_committed(r, "committed_rate_down");
  u.maintenance = read_maintenance(r);
  r.finish();
  return result_of(std::move(u), std::move(errors));
}

void apply_documents(PathState& path, const NetworkDocument* network, const UplinkDocument* uplink,
                     int64_t at_s) {
  if (network != nullptr)
    close_for(path, "the network " + network->id, window_at(network->maintenance, at_s));
  if (uplink == nullptr) return;
  commit(path, path.rate_up_bps, uplink->committed_up_bps, "up");
  commit(path, path.rate_down_bps, uplink->committed_down_bps, "down");
  close_for(path, "the uplink", window_at(uplink->maintenance, at_s));
}

}  // namespace anabranch::control
