// SPDX-License-Identifier: BSD-3-Clause
// A quota: how many octets a provider lets an uplink, or all uplinks of a network or of its own,
// carry in a month, and what is to happen then. A document of the kind "quotas".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "billing/journal_catalogue.h"
#include "billing/period.h"
#include "billing/usage.h"
#include "control/documents.h"

namespace anabranch::control {

struct Quota {
  enum class Of : uint8_t { uplink, network, provider };
  enum class Counts : uint8_t { up, down, both };
  enum class AtLimit : uint8_t { stop, slow, pay };
  static constexpr unsigned kRolloverCyclesMax = 12;

  std::string id;
  Of of = Of::uplink;
  std::string name;     // of the uplink, network or provider
  uint64_t octets = 0;  // a month
  Counts counts = Counts::both;
  billing::Cycle cycle{billing::Zone::utc()};
  unsigned rollover_cycles = 0;               // for how many cycles unused octets stay; 0: none do
  uint64_t rollover_max = UINT64_MAX;         // … and how many of them at most
  std::vector<unsigned> alerts{75, 95, 100};  // percent, rising
  AtLimit at_limit = AtLimit::stop;
  uint64_t slow_bps = 0;                           // of `slow`
  dataplane::Uint128 overage_attos_per_octet = 0;  // of `pay`, and what scarcity adds at most

  bool covers(const std::string& uplink, const std::string& network,
              const std::string& provider) const;
  bool covers(const billing::Catalogue::Path& path) const;
  bool covers(billing::Direction direction) const;
};

Parsed<Quota> parse_quota(const nlohmann::json& document);

// What a place that stands for an uplink without a path is called behind the uplink's name.
inline constexpr const char* kNoPath = " (no path)";

}  // namespace anabranch::control
