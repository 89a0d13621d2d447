// SPDX-License-Identifier: BSD-3-Clause
// A statement's document in the format that is asked for.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>
#include <tl/expected.hpp>

#include "billing/preferences.h"

namespace anabranch::billing {

// The error: the document lacks what a statement has.
tl::expected<std::string, std::string> render(const nlohmann::json& statement, Format format);
const char* extension(Format format);   // ".txt", ".json", ".csv", ".html", ".pdf", ".xml"
const char* media_type(Format format);  // "application/pdf"
std::optional<Format> format_of(std::string_view name);

}  // namespace anabranch::billing
