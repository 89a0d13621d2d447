// SPDX-License-Identifier: BSD-3-Clause
// anabranch ledger: a ledger that a gateway may be using, read without the gateway.
#pragma once

#include <CLI/CLI.hpp>

namespace anabranch::tools {

// Exit status: 0 done, nothing is wrong; 1 something is; 2 wrong arguments; 3 cannot be read.
void add_ledger(CLI::App& app, const bool& as_json);

}  // namespace anabranch::tools
