// SPDX-License-Identifier: BSD-3-Clause
// A statement for a browser, a telephone and a printer.
#pragma once

#include <string>

#include <nlohmann/json.hpp>
#include <tl/expected.hpp>

namespace anabranch::billing {

// One HTML document that needs and loads nothing else and has no script; light or dark as the
// reader prefers. Each amount and count is a `data` element with its exact value. The error: what
// the document lacks, by its JSON pointer (statement_reading.h).
tl::expected<std::string, std::string> statement_html(const nlohmann::json& statement);

}  // namespace anabranch::billing
