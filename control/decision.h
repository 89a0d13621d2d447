// SPDX-License-Identifier: BSD-3-Clause
// One decision with all it was made of, to be kept on record and made again.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>
#include <tl/expected.hpp>

#include "control/worth.h"

namespace anabranch::control {

struct Decision {
  std::vector<PathState> paths;
  Profile profile;  // but for its billing preferences, by which nothing is chosen
  ServiceRequest request;
  std::string currency;
  std::optional<Scenario> in_force;
  Ratings ratings;
  std::vector<std::pair<std::string, int64_t>> ages_ms;  // of each input, by its name
  Weighing weighing;                                     // what was decided
};

inline constexpr size_t kRunnersUp = 5;

// Decides by what `inputs` holds; its weighing is not looked at.
Decision decide(Decision inputs);

// Lossless; 128-bit prices are texts.
nlohmann::json to_json(const Decision& decision);
// The error is a sentence.
tl::expected<Decision, std::string> decision_from_json(const nlohmann::json& stored);

struct Replayed {
  bool same = false;
  std::string difference;  // a sentence, when not the same
  Decision decision;       // as it is decided now
};
tl::expected<Replayed, std::string> replay(const nlohmann::json& stored);

}  // namespace anabranch::control
