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

using Weights = std::array<uint16_t, dataplane::kPathsMax>;  // by path number

Weights weights_up(const Scenario& scenario);
Weights weights_down(const Scenario& scenario);

// One direction of a service, as a gateway sends it.
struct Carriage {
  Segmentation segmentation = Segmentation::packet;
  Dispersion dispersion = Dispersion::weighted;
  bool resequence = true;
  Weights weights{};
  bool operator==(const Carriage&) const = default;
};

// `path_mtu` by path number; the plan's packets fit the smallest of those it uses. Generations are
// drawn from a counter of this process.
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
std::unique_ptr<const dataplane::Ruleset> compile(const std::vector<SlotRules>& services);

}  // namespace anabranch::control
