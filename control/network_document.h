// SPDX-License-Identifier: BSD-3-Clause
// What is known of networks and of our uplinks beside what the gateway's configuration and
// measurement say of them: documents of the kinds "networks" and "uplinks".
//
//   {"id": "airmobile-5g", "provider": "airmobile", "name": "Air Mobile 5G", "kind": "mobile",
//    "region": "IE", "maintenance": [{"from": "2026-12-01T01:00:00Z",
//                                     "until": "2026-12-01T03:00:00Z", "why": "new antennas"}]}
//   {"id": "mobile", "committed_rate_up": "20 Mbit/s", "committed_rate_down": "80 Mbit/s"}
//
// The id is what the configuration calls it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "control/scenario.h"

namespace anabranch::control {

// A time in which a path is not to be used; Unix time.
struct Maintenance {
  int64_t from_s = 0, until_s = 0;
  std::string why;  // or empty
};

struct NetworkDocument {
  static constexpr size_t kMaintenanceMax = 64;
  std::string id, provider;
  std::string name, kind, region;  // for people; or empty
  std::vector<Maintenance> maintenance;
};

struct UplinkDocument {
  std::string id;
  // What the provider stands for, bits a second: no scenario counts on more. 0: nothing is said.
  uint64_t committed_up_bps = 0, committed_down_bps = 0;
  std::vector<Maintenance> maintenance;
};

Parsed<NetworkDocument> parse_network(const nlohmann::json& document);
Parsed<UplinkDocument> parse_uplink(const nlohmann::json& document);

// The path as it may be counted on at a time, by what is known of its network and uplink (null:
// nothing). In maintenance it counts as not alive, and says so.
void apply_documents(PathState& path, const NetworkDocument* network, const UplinkDocument* uplink,
                     int64_t at_s);

}  // namespace anabranch::control
