// SPDX-License-Identifier: BSD-3-Clause
// Reads one JSON object that came from outside: each field is asked for once, with what is expected
// of it. Mistakes are collected with their JSON pointer; fields nobody asked for are mistakes too.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "control/documents.h"

namespace anabranch::control {

// JSON from outside. Deeply nested text is refused: what reads and shows it afterwards is
// recursive. The error is a sentence.
inline constexpr int kJsonDepthMax = 32;
tl::expected<nlohmann::json, std::string> parse_json(std::string_view text);

// Where a text or number of it may be the number of a payment card (billing/card_number.h), as a
// JSON pointer; nullopt: nowhere.
std::optional<std::string> card_number_in(const nlohmann::json& document);

// At most `size` octets of the beginning, whole UTF-8 characters only.
std::string beginning(const std::string& text, size_t size);

class JsonReader {
 public:
  JsonReader(const nlohmann::json& object, std::string at, FieldErrors& errors);

  bool has(const char* key) const { return object_.is_object() && object_.contains(key); }
  const nlohmann::json& raw(const char* key, const char* expected, bool required);

  // Each returns the fallback after a mistake.
  std::string text(const char* key, const char* expected, bool required = true);
  bool boolean(const char* key, bool required = true);
  double number(const char* key, double fallback, double least, double most);
  uint64_t integer(const char* key, uint64_t least, uint64_t most, bool required = true,
                   uint64_t fallback = 0);
  std::vector<std::string> texts(const char* key, const char* expected, bool required = true);
  std::vector<uint64_t> integers(const char* key, uint64_t most, size_t count_max);
  std::vector<JsonReader> objects(const char* key, size_t count_max);
  std::vector<std::pair<std::string, std::string>> text_map(const char* key, const char* expected);

  // A text that `parse` turns into something (returns an optional).
  template <typename Parse>
  auto parsed(const char* key, const char* expected, Parse parse, bool required = true) {
    const std::string value = text(key, expected, required);
    auto result = value.empty() ? decltype(parse(value)){} : parse(value);
    if (!value.empty() && !result) wrong(key, "\"" + value + "\"", expected);
    return result;
  }

  void wrong(const std::string& key, const std::string& what, const std::string& expected) {
    fail(key, what + "; expected " + expected);
  }
  void fail(const std::string& key, const std::string& detail) {
    errors_.push_back({at_ + "/" + key, detail});
  }
  void finish();

 private:
  const nlohmann::json& object_;
  std::string at_;
  FieldErrors& errors_;
  std::vector<std::string> asked_;
};

// What was read, unless there was a mistake.
template <typename T>
Parsed<T> result_of(T&& value, FieldErrors&& errors) {
  if (errors.empty()) return std::forward<T>(value);
  return tl::unexpected(std::move(errors));
}

// null stands for nothing.
template <typename T>
nlohmann::json or_null(const std::optional<T>& value) {
  return value ? nlohmann::json(*value) : nlohmann::json();
}

// What `text` stands for among pairs of a name and a value.
template <typename Names>
auto by_name(const Names& names, const std::string& text)
    -> std::optional<decltype(names[0].second)> {
  for (const auto& [name, value] : names) {
    if (text == name) return value;
  }
  return std::nullopt;
}

// A name: 1 to 64 of a-z, 0-9 and -.
std::string read_id(JsonReader& reader, const char* key);
// The fields of one traffic rule.
TrafficRule read_rule(JsonReader& reader);
nlohmann::json to_json(const TrafficRule& rule);

}  // namespace anabranch::control
