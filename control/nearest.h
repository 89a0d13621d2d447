// SPDX-License-Identifier: BSD-3-Clause
// Of a request that no scenario keeps, the nearest that one would: as data. Pure.
#pragma once

#include <nlohmann/json.hpp>

#include "control/decision.h"

namespace anabranch::control {

// {"fields": [{"pointer": "/rate_up", "asked": "900 Mbit/s", "possible": "154.1 Mbit/s"}, …],
//  "scenario": {…}}, by the scenario that gives the most. Each value is as a request has it;
// with `possible` in place of `asked` the request is kept, while the paths are as they are.
// null: no path may be used. `request` is as it was asked for, `refused` what it was refused by.
nlohmann::json nearest_json(const ServiceRequest& request, const Decision& refused);

}  // namespace anabranch::control
