// SPDX-License-Identifier: BSD-3-Clause
// anabranch events: what happens at a gateway, as it happens.
#pragma once

#include <CLI/CLI.hpp>

#include <string>

namespace anabranch::tools {

// Until it is interrupted; goes on where it was when the gateway was away. Exit status: 1 the
// gateway refused; 3 it could not be reached at all.
void add_events(CLI::App& app, const std::string& api, const std::string& token,
                const bool& as_json);

}  // namespace anabranch::tools
