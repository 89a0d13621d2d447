// SPDX-License-Identifier: BSD-3-Clause
#include "control/kept_file.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace anabranch::control {

tl::expected<std::optional<nlohmann::json>, std::string> read_kept(const std::string& file) {
  std::error_code none;
  if (!std::filesystem::exists(file, none)) return std::nullopt;
  std::ifstream in(file);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in) return tl::unexpected(file + ": cannot be read: " + std::strerror(errno));
  return nlohmann::json::parse(text.str(), nullptr, false);
}

tl::expected<void, std::string> write_kept(const std::string& file, const nlohmann::json& kept) {
  const std::string fresh = file + ".new";
  std::ofstream out(fresh, std::ios::trunc);
  out << kept.dump();
  out.close();
  std::error_code error;
  if (out) std::filesystem::rename(fresh, file, error);
  if (!out || error)
    return tl::unexpected(
        file + ": cannot be written: " + (error ? error.message() : std::strerror(errno)));
  return {};
}

}  // namespace anabranch::control
