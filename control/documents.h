// SPDX-License-Identifier: BSD-3-Clause
// The documents a client's service depends on: who the client is, its segmentation profile, and the
// request itself. JSON; unknown fields are refused with the path of the field.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>
#include <tl/expected.hpp>

#include "billing/preferences.h"
#include "control/config.h"
#include "control/dispersion.h"
#include "control/dscp.h"
#include "control/objective.h"

namespace anabranch::control {

// Documents are stored by kind and id: PUT and GET /v1/<kind>/<id>.
inline constexpr std::array<const char*, 11> kDocumentKinds{
    "clients", "profiles", "slas",   "tariffs",  "providers", "rates",
    "issuers", "tokens",   "quotas", "networks", "uplinks"};

// A mistake in a document: which field (JSON pointer, e.g. "/traffic/0/protocol") and what is
// wrong, as one sentence that names value and expectation.
struct FieldError {
  std::string pointer;
  std::string detail;
};
using FieldErrors = std::vector<FieldError>;
template <typename T>
using Parsed = tl::expected<T, FieldErrors>;

struct Client {
  std::string id;  // 1..64 of [a-z0-9-]
  std::string name;
  std::string profile;           // id of a segmentation profile
  std::string tariff;            // id of a tariff (billing's document)
  std::string sla;               // id of a service level agreement; or empty
  std::vector<Prefix> prefixes;  // what the client may ask service for
};

enum class Standing : uint8_t { prefer, allow, avoid, never };

// Whose paths count as preferred for being rated highest at the time.
enum class HighestRated : uint8_t { none, provider, network };

// What a service is given beside others, and which of its packets go first.
struct Treatment {
  static constexpr uint8_t kWeightMax = 100;
  // With less, a full packet would take longer than a fifth of what packets may wait (a second).
  static constexpr uint64_t kRateMin = 64'000, kRateMax = 1'000'000'000'000;
  uint8_t weight = 1;                           // share against others while all paths are busy
  uint64_t rate_up_max = 0, rate_down_max = 0;  // bits a second; 0: not limited
  DscpSet urgent = 0, background = 0;
  bool operator==(const Treatment&) const = default;
};

// Which packets: all given fields must match. Source is the client's side.
struct TrafficRule {
  Prefix source;         // must lie within the client's prefixes
  Prefix destination;    // of the same family; default: everything
  uint8_t protocol = 0;  // 0 any, 6 "tcp", 17 "udp", 1 "icmp", of its family
  uint16_t source_port_from = 0, source_port_to = 65535;
  uint16_t destination_port_from = 0, destination_port_to = 65535;
  std::optional<uint8_t> dscp;  // 0..63
  bool operator==(const TrafficRule&) const = default;
};

struct SegmentationRule;

// Preferences among providers and networks, and how much quality is worth against price.
struct Profile {
  std::string id;
  std::vector<std::pair<std::string, Standing>> providers;
  std::vector<std::pair<std::string, Standing>> networks;
  HighestRated prefer_highest_rated = HighestRated::none;
  std::vector<std::string> pre_approved;  // ids of the providers that may be asked for quotes
  uint8_t quality_percent = 100;          // 100: only quality counts; 0: only price
  // Allowed; none is named: earliest-delivery and flow.
  std::vector<Dispersion> dispersions;
  Treatment treatment;
  static constexpr uint8_t kPriorityMax = 7;
  uint8_t priority = 0;  // services of higher ones have the rates they ask for first
  billing::Preferences billing;
  // By classes of traffic, the first that fits: what is chosen otherwise for it.
  std::vector<SegmentationRule> segmentation_rules;
  // Of a profile as one of its rules has it: the class, and what is asked for at least.
  std::string traffic_class;
  std::optional<double> latency_ms_max, loss_percent_max;
  Standing standing(const std::string& provider, const std::string& network) const;
  // As it is for all of a request's traffic: itself, or as a rule has it.
  const Profile& for_traffic(const std::vector<TrafficRule>& traffic) const;
};

struct SegmentationRule {
  // All given must hold of each part of the traffic.
  DscpSet dscp = 0;      // one of these; 0: any
  uint8_t protocol = 0;  // as in TrafficRule
  std::pair<uint16_t, uint16_t> source_ports{0, 65535}, destination_ports{0, 65535};
  Profile profile;
  bool fits(const TrafficRule& traffic) const;
};

struct ServiceRequest {
  std::string client;
  // Chosen by the client: asked for twice with the same key, it is one service; empty: none.
  std::string key;
  std::vector<TrafficRule> traffic;     // at least one, at most 16
  std::optional<uint64_t> rate_up_bps;  // wanted at least
  std::optional<uint64_t> rate_down_bps;
  std::optional<double> latency_ms_max;  // one way
  std::optional<double> loss_percent_max;
  std::optional<std::string> price_per_gb_max;  // decimal text, in the tariff's currency
  std::optional<uint64_t> volume_octets;        // expected, of its packets, both ways together
  // Decimal text in the tariff's currency: it ends by itself when it has cost as much.
  std::optional<std::string> budget;
  std::optional<int64_t> start_s;     // Unix time when it begins; none: at once
  std::optional<int64_t> until_s;     // Unix time when it ends by itself
  std::optional<int64_t> duration_s;  // in place of `until_s`
  // What of the client's billing profile and agreement leave open; while the service is there.
  billing::Preferences billing;
  // What its client's agreement says of it; not of the document.
  std::vector<Objective> objectives;
};

// Mistakes as billing says them.
FieldErrors field_errors(const billing::DocumentErrors& errors);

Parsed<Client> parse_client(const nlohmann::json& document);
Parsed<Profile> parse_profile(const nlohmann::json& document);
Parsed<std::vector<Objective>> parse_objectives(const nlohmann::json& agreement);
Parsed<ServiceRequest> parse_request(const nlohmann::json& document);
nlohmann::json to_json(const ServiceRequest& request);

// "100 Mbit/s", "2.5 Gbit/s", "800 kbit/s", "64000 bit/s" → bits a second.
std::optional<uint64_t> parse_rate(std::string_view text);
std::string rate_text(uint64_t bits_per_second);

// "8 h", "90 min", "45 s", "2 d" → seconds.
std::optional<int64_t> parse_duration(std::string_view text);
std::string duration_text(int64_t seconds);

// "2026-12-31T18:00:00Z" (RFC 3339, UTC) ↔ Unix time.
std::optional<int64_t> parse_instant(const std::string& text);
std::string instant_text(int64_t unix_s);

// RFC 9457 problem document (application/problem+json), with member "errors" when fields were
// wrong.
nlohmann::json problem(int status, const std::string& title, const std::string& detail,
                       const FieldErrors& errors = {});

}  // namespace anabranch::control
