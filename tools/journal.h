// SPDX-License-Identifier: BSD-3-Clause
// anabranch journal: usage journals on this machine, read without the gateway. They may be in use.
#pragma once

#include <CLI/CLI.hpp>

namespace anabranch::tools {

// Exit status: 0 whole; 1 damaged, or usage is missing; 2 wrong arguments; 3 cannot be read.
void add_journal(CLI::App& app, const bool& as_json);

}  // namespace anabranch::tools
