// SPDX-License-Identifier: BSD-3-Clause
// A statement as an electronic invoice: UBL 2.1 (ISO/IEC 19845) by EN 16931, an Invoice or a
// CreditNote.
#pragma once

#include <string>

#include <nlohmann/json.hpp>
#include <tl/expected.hpp>

namespace anabranch::billing {

// One XML document, UTF-8. The error: what the document lacks, by its JSON pointer
// (statement_reading.h), or what no invoice can be made of (statement_invoice.h). For any thread.
tl::expected<std::string, std::string> statement_ubl(const nlohmann::json& statement);

}  // namespace anabranch::billing
