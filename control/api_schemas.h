// SPDX-License-Identifier: BSD-3-Clause
// JSON Schema (2020-12) of what the API takes and gives, by name; tests hold what is served against
// it.
#pragma once

#include <nlohmann/json.hpp>

namespace anabranch::control {

nlohmann::json api_schemas();

}  // namespace anabranch::control
