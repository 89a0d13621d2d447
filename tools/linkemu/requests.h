// SPDX-License-Identifier: BSD-3-Clause
// The language of the control socket: one line asks, one JSON document answers.
//
//   stats                         {"links": [{"name", "ab": {…}, "ba": {…}}]}
//   set LINK ab|ba|both CHANGE…   {"done": true}
//   what is not understood        {"error": "a sentence"}
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "tools/linkemu/direction.h"
#include "tools/linkemu/spec.h"

namespace anabranch::linkemu {

// One direction of one link, by name.
struct Lane {
  std::string link;
  std::string_view way;  // "ab" or "ba"
  Direction direction;
  uint64_t socket_drops = 0;  // frames the receiving socket dropped, that are counted nowhere else
};

// Two for each link, in order: ab, ba. Each draws from a seed of its own, made from `seed`.
std::vector<Lane> make_lanes(std::span<const LinkSpec> links, uint32_t buffers, uint64_t seed);

// A set is done as a whole or not at all.
nlohmann::json answer(std::span<Lane> lanes, const std::string& request);

// The answer to "stats" for people to read.
std::string stats_table(const nlohmann::json& stats);

}  // namespace anabranch::linkemu
