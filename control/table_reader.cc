// SPDX-License-Identifier: BSD-3-Clause
#include "control/table_reader.h"

#include <algorithm>
#include <sstream>

#include "control/suggest.h"

namespace anabranch::control {
namespace {

std::string shown(const toml::node& node) {
  std::ostringstream out;
  out << toml::node_view<const toml::node>(node);
  std::string text = out.str();
  if (text.size() > 60) text = text.substr(0, 57) + "...";
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

}  // namespace

const toml::node* TableReader::ask(const char* key, const char* expected, bool required) {
  asked_.emplace_back(key);
  const toml::node* node = table_ == nullptr ? nullptr : table_->get(key);
  if (node == nullptr && required)
    fail(place_, std::string(key) + ": is missing; expected " + expected);
  return node;
}

std::string TableReader::text(const char* key, const char* expected, bool required,
                              std::string fallback) {
  const toml::node* node = ask(key, expected, required);
  if (node == nullptr) return fallback;
  const auto* value = node->as_string();
  if (value != nullptr && !value->get().empty()) return value->get();
  wrong(key, value != nullptr ? "is empty" : shown(*node) + " is no text", expected);
  return fallback;
}

bool TableReader::boolean(const char* key, bool fallback) {
  const toml::node* node = ask(key, "true or false", false);
  if (node == nullptr) return fallback;
  if (const auto* value = node->as_boolean()) return value->get();
  wrong(key, shown(*node) + " is neither", "true or false");
  return fallback;
}

uint64_t TableReader::integer(const char* key, uint64_t fallback, uint64_t least, uint64_t most,
                              bool required) {
  const std::string expected =
      "a whole number from " + std::to_string(least) + " to " + std::to_string(most);
  const toml::node* node = ask(key, expected.c_str(), required);
  if (node == nullptr) return fallback;
  const auto* value = node->as_integer();
  if (value != nullptr && value->get() >= 0 && static_cast<uint64_t>(value->get()) >= least &&
      static_cast<uint64_t>(value->get()) <= most) {
    return static_cast<uint64_t>(value->get());
  }
  wrong(key, shown(*node), expected);
  return fallback;
}

std::vector<std::string> TableReader::texts(const char* key, const char* expected, bool required) {
  std::vector<std::string> result;
  const toml::node* node = ask(key, expected, required);
  if (node == nullptr) return result;
  const auto* array = node->as_array();
  if (array == nullptr) {
    wrong(key, shown(*node) + " is no list", expected);
    return result;
  }
  for (const toml::node& element : *array) {
    if (const auto* value = element.as_string())
      result.push_back(value->get());
    else
      wrong(key, shown(element) + " is no text", expected);
  }
  return result;
}

std::vector<uint64_t> TableReader::integers(const char* key, uint64_t most) {
  const std::string expected = "a list of whole numbers from 0 to " + std::to_string(most);
  std::vector<uint64_t> result;
  const toml::node* node = ask(key, expected.c_str(), false);
  if (node == nullptr) return result;
  const auto* array = node->as_array();
  if (array == nullptr) {
    wrong(key, shown(*node) + " is no list", expected);
    return result;
  }
  for (const toml::node& element : *array) {
    const auto* value = element.as_integer();
    if (value != nullptr && value->get() >= 0 && static_cast<uint64_t>(value->get()) <= most) {
      result.push_back(static_cast<uint64_t>(value->get()));
    } else {
      wrong(key, shown(element), expected);
    }
  }
  return result;
}

TableReader TableReader::table(const char* key) {
  const toml::node* node = ask(key, "a section", false);
  const std::string name = name_.empty() ? key : name_ + "." + key;
  if (node != nullptr && !node->is_table())
    wrong(key, shown(*node) + " is no section", "a section [" + name + "]");
  return {node == nullptr ? nullptr : node->as_table(), name, place(key), errors_};
}

std::vector<TableReader> TableReader::tables(const char* key, bool required) {
  const std::string name = name_.empty() ? key : name_ + "." + key;
  const std::string expected = "at least one section [[" + name + "]]";
  const toml::node* node = ask(key, expected.c_str(), required);
  std::vector<TableReader> result;
  if (node == nullptr) return result;
  const auto* array = node->as_array();
  if (array == nullptr || !array->is_array_of_tables()) {
    wrong(key, shown(*node), expected);
    return result;
  }
  for (size_t i = 0; i < array->size(); ++i) {
    const toml::node& element = *array->get(i);
    result.emplace_back(element.as_table(), name + "[" + std::to_string(i) + "]",
                        element.source().begin, errors_);
  }
  return result;
}

void TableReader::finish() {
  if (table_ == nullptr) return;
  for (const auto& [key, node] : *table_) {
    const std::string name(key.str());
    if (std::find(asked_.begin(), asked_.end(), name) != asked_.end()) continue;
    fail(key.source().begin, name + ": unknown key" + suggestion(name, asked_));
  }
}

}  // namespace anabranch::control
