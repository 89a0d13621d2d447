// SPDX-License-Identifier: BSD-3-Clause
// A configuration file in TOML, read as a whole: every mistake is told, in the order of its place.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

#include "control/table_reader.h"

namespace anabranch::control {

// `read` asks for what the file may have. The error: `file:line:column: what is wrong`, one a line.
tl::expected<void, std::string> parse_toml(std::string_view text, const std::string& file,
                                           const std::function<void(TableReader&)>& read);
// `what` it is expected to be, such as "the gateway's configuration".
tl::expected<std::string, std::string> read_whole(const std::string& file, const char* what);

}  // namespace anabranch::control
