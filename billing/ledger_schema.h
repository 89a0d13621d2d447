// SPDX-License-Identifier: BSD-3-Clause
// The ledger's tables, and how older ones become them.
#pragma once

#include <string>

#include "billing/store.h"

namespace anabranch::billing {

inline constexpr int64_t kLedgerVersion = 5;
// What the database says when octets would be charged twice or left out.
inline constexpr const char* kMeterRule = "a meter must be charged from where it is charged to";

// Makes the tables, or brings them up to kLedgerVersion: all in one transaction, once, whoever else
// does the same. `gateway`: whose ledger one of version 1 was, which did not say so itself. The
// error: made by a later version of this program.
Stored<void> migrate(Store& store, const std::string& gateway);

// The error: there is no ledger in it, or one of another version.
Stored<void> check_version(Store& store);

}  // namespace anabranch::billing
