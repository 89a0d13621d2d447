// SPDX-License-Identifier: BSD-3-Clause
// A statement for a terminal.
#pragma once

#include <string>

#include <nlohmann/json.hpp>
#include <tl/expected.hpp>

namespace anabranch::billing {

// UTF-8, no line wider than 78 columns, no control characters but the ends of lines. Times are of
// the account's zone. The error: what the document lacks, by its JSON pointer
// (statement_reading.h).
tl::expected<std::string, std::string> statement_text(const nlohmann::json& statement);

}  // namespace anabranch::billing
