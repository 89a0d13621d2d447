// SPDX-License-Identifier: BSD-3-Clause
// From scenarios and requests to what the data plane executes.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "control/scenario.h"
#include "dataplane/classify.h"
#include "dataplane/plan.h"
#include "dataplane/wire.h"

namespace anabranch::control {

// One direction of a service, as a gateway sends it. Arrays are by path number, but for `order`.
struct Carriage {
  Dispersion dispersion = Dispersion::weighted;
  bool resequence = true;
  std::array<uint16_t, dataplane::kPathsMax> weights{};  // 0: not used
  std::array<uint8_t, dataplane::kPathsMax> order{};     // path numbers; 0 ends it
  std::array<uint8_t, dataplane::kPathsMax> provider{};  // equal numbers: the same provider
  uint8_t weight = 1;                                    // beside other services
  uint64_t rate_max = 0;                                 // bits a second; 0: not limited
  DscpSet urgent = 0, background = 0;
  bool operator==(const Carriage&) const = default;
};
Carriage carriage_up(const Scenario& scenario);
Carriage carriage_down(const Scenario& scenario);

// How large an outer packet a path takes, and what of it is not the client's; by path number.
struct PathSize {
  uint16_t mtu = 0, overhead = dataplane::kSegmentOverhead;
  uint16_t room() const { return static_cast<uint16_t>(mtu < overhead ? 0 : mtu - overhead); }
  bool operator==(const PathSize&) const = default;
};
using PathSizes = std::array<PathSize, dataplane::kPathsMax>;

// Connections are made so that they fit the narrowest path used.
// Generations are drawn from a counter of this process.
std::unique_ptr<const dataplane::Plan> compile(const Carriage& carriage, uint32_t receiver_index,
                                               uint32_t peer_index, const PathSizes& sizes);

// Rules of a service as the gateway at its far end has them: source is that gateway's LAN.
std::vector<TrafficRule> mirrored(const std::vector<TrafficRule>& rules);

struct SlotRules {
  uint16_t slot = 0;
  std::vector<TrafficRule> rules;
};
// More special rules first, whatever service they belong to; among equals the earlier service.
std::unique_ptr<dataplane::Ruleset> compile(const std::vector<SlotRules>& services);

}  // namespace anabranch::control
