// SPDX-License-Identifier: BSD-3-Clause
// Reads one JSON object of a document. Mistakes are collected with their JSON pointer, all of them;
// fields that are not known are mistakes too.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "billing/money.h"

namespace anabranch::billing {

// A mistake in a document: JSON pointer of the field, and a sentence.
struct DocumentError {
  std::string pointer;
  std::string detail;
};
using DocumentErrors = std::vector<DocumentError>;

class DocumentReader {
 public:
  // `what` the object is, such as "a tariff": said when it is no object.
  DocumentReader(const nlohmann::json& object, std::string at, const char* what,
                 std::initializer_list<std::string_view> known, DocumentErrors& errors);
  // Of which each field may have any name.
  DocumentReader(const nlohmann::json& object, std::string at, const char* what,
                 DocumentErrors& errors);

  bool has(const char* name) const { return member(name) != nullptr; }
  const nlohmann::json* member(const char* name) const;
  std::string at(const std::string& name) const;

  // Each returns nothing (an empty text, list, nullopt) where the field is missing or wrong.
  std::string text(const char* name, const char* expected, bool required = true);
  bool flag(const char* name, bool otherwise);
  std::optional<uint64_t> whole(const char* name, uint64_t least, uint64_t most);
  // A decimal number as a text, not negative.
  std::optional<Amount> decimal(const char* name, int decimals_max, const char* expected,
                                bool required = true);
  // The place of a text in `names`.
  std::optional<size_t> choice(const char* name, std::span<const std::string_view> names,
                               bool required = true);
  // Texts, each once and at least one.
  std::vector<std::string> texts(const char* name);
  std::vector<size_t> choices(const char* name, std::span<const std::string_view> names);
  // The elements of a list of at least one and at most `most`; none after a mistake.
  std::span<const nlohmann::json> list(const char* name, size_t most, const char* expected);

  void wrong(const char* name, const std::string& detail) { errors_.push_back({at(name), detail}); }
  void wrong(const std::string& detail) { errors_.push_back({at_, detail}); }
  DocumentErrors& errors() { return errors_; }

 private:
  const nlohmann::json& object_;
  std::string at_;
  DocumentErrors& errors_;
};

// As it is shown in a mistake: at most some dozens of characters.
std::string shown(const nlohmann::json& value);
// "a, b or c".
std::string listed(std::span<const std::string_view> names);

}  // namespace anabranch::billing
