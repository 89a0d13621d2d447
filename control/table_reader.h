// SPDX-License-Identifier: BSD-3-Clause
// Reads one TOML table: each key is asked for once, with what is expected of it. Mistakes are
// collected with their place; at the end, keys nobody asked for are mistakes too.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <toml++/toml.h>

namespace anabranch::control {

struct ConfigError {
  uint32_t line = 0, column = 0;
  std::string text;  // "section.key: what is wrong; expected …"
};

class TableReader {
 public:
  // A missing table reads as one without keys, at the place of its parent.
  TableReader(const toml::table* table, std::string name, toml::source_position place,
              std::vector<ConfigError>& errors)
      : table_(table), name_(std::move(name)), place_(place), errors_(errors) {}

  bool has(const char* key) const { return table_ != nullptr && table_->contains(key); }
  toml::source_position place(const char* key) const {
    return has(key) ? table_->get(key)->source().begin : place_;
  }

  // Each returns the fallback after a mistake. `expected` ends the sentence of the mistake.
  std::string text(const char* key, const char* expected, bool required = true,
                   std::string fallback = {});
  bool boolean(const char* key, bool fallback);
  uint64_t integer(const char* key, uint64_t fallback, uint64_t least, uint64_t most,
                   bool required = false);
  std::vector<std::string> texts(const char* key, const char* expected, bool required = true);
  std::vector<uint64_t> integers(const char* key, uint64_t most);
  TableReader table(const char* key);
  std::vector<TableReader> tables(const char* key, bool required);

  // A text that `parse` turns into something (returns an optional).
  template <typename Parse>
  auto parsed(const char* key, const char* expected, Parse parse, bool required = true) {
    const std::string value = text(key, expected, required);
    auto result = value.empty() ? decltype(parse(value)){} : parse(value);
    if (!value.empty() && !result) wrong(key, "\"" + value + "\"", expected);
    return result;
  }

  void wrong(const char* key, const std::string& what, const std::string& expected) {
    fail(place(key), std::string(key) + ": " + what + "; expected " + expected);
  }
  void fail(toml::source_position at, const std::string& text) {
    errors_.push_back({at.line, at.column, (name_.empty() ? "" : name_ + ".") + text});
  }
  // Call last: names keys nobody asked for.
  void finish();

 private:
  const toml::node* ask(const char* key, const char* expected, bool required);

  const toml::table* table_;
  std::string name_;
  toml::source_position place_;
  std::vector<ConfigError>& errors_;
  std::vector<std::string> asked_;
};

}  // namespace anabranch::control
