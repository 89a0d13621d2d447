// SPDX-License-Identifier: BSD-3-Clause
// What stands beside a decision, by the inputs it has: for refusals and explanations. Pure.
#pragma once

#include <optional>
#include <vector>

#include "control/agreed.h"
#include "control/decision.h"

namespace anabranch::control {

// What gives the most, up and down together, whether it keeps the request or not, and what of the
// agreement it does not keep; nullopt: no path may be used.
struct Most {
  Scenario scenario;
  std::vector<Missed> missed;
};
std::optional<Most> most_of(const Decision& decision);
// While a scenario is in force: what keeps the request and would be worth more than the preferred
// one, but not with the margin that a change needs. At most kRunnersUp, best first.
std::vector<Valued> without_margin(const Decision& decision);

}  // namespace anabranch::control
