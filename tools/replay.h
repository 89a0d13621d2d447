// SPDX-License-Identifier: BSD-3-Clause
// anabranch replay: decisions that are on record on this machine, decided again.
#pragma once

#include <CLI/CLI.hpp>

namespace anabranch::tools {

// Exit status: 0 all came out the same; 1 one did not, or the record is torn, spoilt or not all
// there; 2 wrong arguments; 3 cannot be read.
void add_replay(CLI::App& app, const bool& as_json);

}  // namespace anabranch::tools
