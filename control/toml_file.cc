// SPDX-License-Identifier: BSD-3-Clause
#include "control/toml_file.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace anabranch::control {
namespace {

std::string at(const std::string& file, uint32_t line, uint32_t column, std::string_view what) {
  std::string sentence(what);  // one line, whatever of the file it quotes
  std::replace_if(
      sentence.begin(), sentence.end(), [](char c) { return c >= 0 && c < ' '; }, ' ');
  return file + ":" + std::to_string(line) + ":" + std::to_string(column) + ": " + sentence;
}

}  // namespace

tl::expected<void, std::string> parse_toml(std::string_view text, const std::string& file,
                                           const std::function<void(TableReader&)>& read) {
  toml::table parsed;
  try {
    parsed = toml::parse(text, std::string_view(file));
  } catch (const toml::parse_error& error) {
    const auto& begin = error.source().begin;
    return tl::unexpected(at(file, begin.line, begin.column, error.description()));
  }
  std::vector<ConfigError> errors;
  TableReader root(&parsed, "", {1, 1}, errors);
  read(root);
  root.finish();
  if (errors.empty()) return {};
  std::stable_sort(errors.begin(), errors.end(), [](const ConfigError& a, const ConfigError& b) {
    return std::pair(a.line, a.column) < std::pair(b.line, b.column);
  });
  std::string lines;
  for (const ConfigError& e : errors)
    lines += (lines.empty() ? "" : "\n") + at(file, e.line, e.column, e.text);
  return tl::unexpected(lines);
}

tl::expected<std::string, std::string> read_whole(const std::string& file, const char* what) {
  std::ifstream in(file);
  if (!in || std::filesystem::is_directory(file))
    return tl::unexpected(file + ": cannot be read; expected " + what + " (TOML)");
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

}  // namespace anabranch::control
