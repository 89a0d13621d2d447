// SPDX-License-Identifier: BSD-3-Clause
// What is kept on disk between two runs, and is no loss when it is gone: one JSON document a file,
// written whole or not at all. The errors are sentences.
#pragma once

#include <optional>
#include <string>

#include <nlohmann/json.hpp>
#include <tl/expected.hpp>

namespace anabranch::control {

// nullopt: there is no such file. What is no JSON comes as a discarded value.
tl::expected<std::optional<nlohmann::json>, std::string> read_kept(const std::string& file);
tl::expected<void, std::string> write_kept(const std::string& file, const nlohmann::json& kept);

}  // namespace anabranch::control
