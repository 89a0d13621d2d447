// SPDX-License-Identifier: BSD-3-Clause
// A statement for a printer and an archive.
#pragma once

#include <string>

#include <nlohmann/json.hpp>
#include <tl/expected.hpp>

namespace anabranch::billing {

// A PDF of pages of A4 with its fonts in it. On one machine the same document gives the same
// octets: the date in it is that of issue. The error: what the document lacks, by its JSON pointer
// (statement_reading.h). For any thread.
tl::expected<std::string, std::string> statement_pdf(const nlohmann::json& statement);

}  // namespace anabranch::billing
