// SPDX-License-Identifier: BSD-3-Clause
// The store on a PostgreSQL server (15 or later), by libpq.
//
// A connection that is lost before COMMIT was sent has done nothing. One that is lost after it, and
// before the answer, is Failure::unknown, and Store::transact looks it up.
#pragma once

#include <memory>
#include <string>

#include "billing/store.h"

namespace anabranch::billing {

// The error: no connection, with what the server or the network said.
Stored<std::unique_ptr<Store>> open_postgres(const std::string& url);

}  // namespace anabranch::billing
