// SPDX-License-Identifier: BSD-3-Clause
// Statements are delivered as files: FOLDER/CLIENT/ISSUER-NUMBER.html and so on, in the formats of
// the client's preferences. A file is there as a whole or not at all; one that is missing is made
// again, one that is there is left alone.
#pragma once

#include <string>

#include <tl/expected.hpp>

#include "billing/billing_documents.h"
#include "billing/ledger.h"

namespace anabranch::billing {

// Names of files come from documents: what is no plain letter or digit is a dash.
std::string plain_name(std::string name);

// Of statements issued since then. Returns how many files were made. The error: the first file that
// could not be; others were made.
tl::expected<size_t, std::string> deliver(const Ledger& ledger, const std::string& folder,
                                          int64_t since_ns);

}  // namespace anabranch::billing
