// SPDX-License-Identifier: BSD-3-Clause
// A statement as a table for spreadsheets and programs.
#pragma once

#include <string>

#include <nlohmann/json.hpp>
#include <tl/expected.hpp>

namespace anabranch::billing {

// RFC 4180 in UTF-8 with a byte order mark, columns as named in the first row. `row` says what a
// row is: the amounts of "line" and "credit" add up to that of "net", those of "tax" to that of
// "total tax", and these to "gross". Numbers are as in the document. A text that a spreadsheet
// would compute begins with an apostrophe; control characters but tabs and ends of lines are
// U+FFFD. A line of one tier has its quantity and price, a line of several has them all in `tiers`.
// The columns `for` are what a credit was measured in and what an adjustment corrects. The error:
// what the document lacks, by its JSON pointer (statement_reading.h).
tl::expected<std::string, std::string> statement_csv(const nlohmann::json& statement);

}  // namespace anabranch::billing
