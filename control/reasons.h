// SPDX-License-Identifier: BSD-3-Clause
// Why a scenario is preferred, or none: in words.
#pragma once

#include <string>
#include <vector>

#include "control/search.h"

namespace anabranch::control {

// What is spoken of. `profile`: with those preferred that are rated highest; `stored`: without.
struct Matter {
  const std::vector<PathState>& paths;
  const Profile &profile, &stored;
  const ServiceRequest& request;
  const Ratings& ratings;
  const std::string& currency;
  const Combinations& combinations;
  const Agreed& agreed;
  const Search& search;
};

std::vector<std::string> reasons_for(const Matter& matter, const Scenario& scenario,
                                     bool with_avoided);
// What of the request the scenario does not keep; or empty.
std::string objection_to(const Matter& matter, const Scenario& scenario);
// Of a request that no scenario keeps; `most` is the one that gives the most.
std::string refusal_of(const Matter& matter, const Scenario& most);
// Where there is no scenario at all.
std::string nothing_usable(const Matter& matter);

// Of 10^9 octets, with four decimals.
std::string price_text(Uint128 attos);

}  // namespace anabranch::control
