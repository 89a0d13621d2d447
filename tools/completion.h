// SPDX-License-Identifier: BSD-3-Clause
// anabranch completion: a script that completes words in a shell, made from the commands as they
// are defined.
#pragma once

#include <CLI/CLI.hpp>

namespace anabranch::tools {

// Call last: what is added to `app` later is not completed.
void add_completion(CLI::App& app);

}  // namespace anabranch::tools
