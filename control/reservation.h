// SPDX-License-Identifier: BSD-3-Clause
// What is set aside on the paths of a scenario for the rates that a request asks for.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "control/scenario.h"
#include "dataplane/bounds.h"

namespace anabranch::control {

// Bits a second of payload on each path, by its index.
struct Hold {
  uint64_t up = 0, down = 0;
  bool operator==(const Hold&) const = default;
};
using Holds = std::array<Hold, dataplane::kPathsMax>;

inline bool asks_for_rate(const ServiceRequest& request) {
  return request.rate_up_bps || request.rate_down_bps;
}

// By the scenario's dispersion: spread as there is room, one path after the other, or twice. It is
// the rate asked for, and no more than there is room where the scenario keeps it. What is in force
// is left as it is where it still fits: others have been decided by it.
void reserve(Scenario& scenario, const std::vector<PathState>& paths, const ServiceRequest& request,
             const Scenario* in_force);

// Adds what the scenario has set aside, for each of `services` equal ones.
void add_reserved(Holds& holds, const Scenario& scenario, uint64_t services = 1);

// The paths as they are seen beside what others hold, by one of `equals` services.
std::vector<PathState> beside(std::vector<PathState> paths, const Holds& held, uint32_t equals = 1);

}  // namespace anabranch::control
