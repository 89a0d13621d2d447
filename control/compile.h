// SPDX-License-Identifier: BSD-3-Clause
// From scenarios and requests to what the data plane executes.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "control/scenario.h"
#include "dataplane/classify.h"
#include "dataplane/plan.h"

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

// `path_mtu` by path number; connections are made so that they fit the narrowest path used.
// Generations are drawn from a counter of this process.
std::unique_ptr<const dataplane::Plan> compile(
    const Carriage& carriage, uint32_t receiver_index, uint32_t peer_index,
    const std::array<uint16_t, dataplane::kPathsMax>& path_mtu);

// Rules of a service as the gateway at its far end has them: source is that gateway's LAN.
std::vector<TrafficRule> mirrored(const std::vector<TrafficRule>& rules);

struct SlotRules {
  uint16_t slot = 0;
  std::vector<TrafficRule> rules;
};
// More special rules first, whatever service they belong to; among equals the earlier service.
std::unique_ptr<dataplane::Ruleset> compile(const std::vector<SlotRules>& services);

}  // namespace anabranch::control
