// SPDX-License-Identifier: BSD-3-Clause
// A statement's document in the format that is asked for.
#pragma once

#include <string>

#include <nlohmann/json.hpp>
#include <tl/expected.hpp>

#include "billing/preferences.h"

namespace anabranch::billing {

// The error: the document lacks what a statement has.
tl::expected<std::string, std::string> render(const nlohmann::json& statement, Format format);
// ".txt", ".json", ".csv", ".html"
const char* extension(Format format);

}  // namespace anabranch::billing
