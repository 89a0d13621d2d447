// SPDX-License-Identifier: BSD-3-Clause
// Everything about a run, drawn from its seed.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/dataplane/gateway.h"
#include "tests/dataplane/link.h"

namespace anabranch::simulation {

using dataplane::kPaths;

struct LinkConditions {
  uint64_t rate_bps = 0, delay_ns = 0, jitter_ns = 0, queue_ns = 0;
  double loss = 0, turn_bad = 0, corrupt = 0, duplicate = 0;
  bool in_order = true;
  uint16_t mtu = 1500;
  void apply(dataplane::Link& link) const;
};

// A path is dead in both directions from one time to another, from the beginning of the traffic.
struct Outage {
  uint8_t path = 0;
  uint64_t from_ns = 0, to_ns = 0;
};

struct Conditions {
  explicit Conditions(uint64_t seed);

  uint64_t seed;
  std::array<LinkConditions, kPaths + 1> up, down;
  std::array<uint64_t, dataplane::kPathsMax> configured_bps{};
  std::array<uint16_t, dataplane::kPathsMax> configured_mtu{};
  std::array<bool, dataplane::kPathsMax> ipv6{};      // between the gateways
  std::array<uint16_t, dataplane::kPathsMax> vlan{};  // of a path's frames; 0: no tags
  uint16_t lan_vlan = 0;
  std::vector<Outage> outages;
  dataplane::Segmentation segmentation = dataplane::Segmentation::packet;
  dataplane::Dispersion dispersion = dataplane::Dispersion::earliest_delivery;
  bool estimated = false;  // the gateways are not told the links' rates
  bool repaired = true;    // what is lost is sent again
  bool classes = false;    // some flows are urgent, some background
  uint64_t rate_max_bps = 0;
  bool in_order() const { return segmentation == dataplane::Segmentation::packet; }
  bool blackout = false;     // all paths are dead for a while
  bool few_buffers = false;  // little may be held
  dataplane::WorkerOptions limits;
  bool on_path = false, off_path = false;  // adversaries
  double drift = 0;
  uint32_t bulk_up = 1, bulk_down = 0, constant = 0, short_flows = 0;
  uint64_t traffic_ns = 0;

  // Nothing may be lost, and nothing overtaken.
  bool all_is_promised() const { return repaired && !blackout && !few_buffers; }
  std::string text() const;
};

}  // namespace anabranch::simulation
