// SPDX-License-Identifier: BSD-3-Clause
// `anabranch bill`: what usage comes to, without a gateway.
#pragma once

#include <CLI/CLI.hpp>

namespace anabranch::tools {

// `as_json`: of --json, set when the command line is read.
void add_bill(CLI::App& app, const bool& as_json);

}  // namespace anabranch::tools
