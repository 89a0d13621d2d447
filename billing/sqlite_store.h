// SPDX-License-Identifier: BSD-3-Clause
// The store in a file. A transaction that is reported as committed survives a power cut.
#pragma once

#include <memory>
#include <string>

#include "billing/store.h"

namespace anabranch::billing {

// The error: the file cannot be made or opened, or is no database.
Stored<std::unique_ptr<Store>> open_sqlite(const std::string& file);

}  // namespace anabranch::billing
