// SPDX-License-Identifier: BSD-3-Clause
// What stands beside a decision, by the inputs it has: for refusals and explanations. Pure.
#pragma once

#include <optional>
#include <vector>

#include "control/decision.h"

namespace anabranch::control {

// What gives the most, up and down together, whether it keeps the request or not; nullopt: no path
// may be used.
std::optional<Scenario> most_of(const Decision& decision);
// While a scenario is in force: what keeps the request and would be worth more than the preferred
// one, but not with the margin that a change needs. At most kRunnersUp, best first.
std::vector<Valued> without_margin(const Decision& decision);

}  // namespace anabranch::control
