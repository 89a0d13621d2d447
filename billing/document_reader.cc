// SPDX-License-Identifier: BSD-3-Clause
#include "billing/document_reader.h"

#include <algorithm>

namespace anabranch::billing {
namespace {

using nlohmann::json;

constexpr size_t kShownMax = 60;

// RFC 6901: "~" and "/" inside of a name are "~0" and "~1".
std::string escaped(const std::string& name) {
  std::string out;
  for (char c : name) {
    if (c == '~')
      out += "~0";
    else if (c == '/')
      out += "~1";
    else
      out += c;
  }
  return out;
}

}  // namespace

std::string shown(const json& value) {
  std::string text = value.dump(-1, ' ', false, json::error_handler_t::replace);
  if (text.size() <= kShownMax) return text;
  size_t end = kShownMax - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end) + "...";
}

std::string listed(std::span<const std::string_view> names) {
  std::string out;
  for (size_t i = 0; i < names.size(); ++i) {
    if (i > 0) out += i + 1 == names.size() ? " or " : ", ";
    out += names[i];
  }
  return out;
}

DocumentReader::DocumentReader(const json& object, std::string at, const char* what,
                               std::initializer_list<std::string_view> known,
                               DocumentErrors& errors)
    : DocumentReader(object, std::move(at), what, errors) {
  if (!object.is_object()) return;
  for (const auto& [name, value] : object.items()) {
    if (std::find(known.begin(), known.end(), name) == known.end())
      errors_.push_back(
          {this->at(name), "unknown field; expected " + listed({known.begin(), known.size()})});
  }
}

DocumentReader::DocumentReader(const json& object, std::string at, const char* what,
                               DocumentErrors& errors)
    : object_(object), at_(std::move(at)), errors_(errors) {
  if (!object.is_object())
    errors_.push_back({at_, shown(object) + " is no JSON object; expected " + what});
}

std::string DocumentReader::at(const std::string& name) const {
  return at_ + "/" + escaped(name);
}

const json* DocumentReader::member(const char* name) const {
  if (!object_.is_object()) return nullptr;
  const auto found = object_.find(name);
  return found == object_.end() ? nullptr : &*found;
}

std::string DocumentReader::text(const char* name, const char* expected, bool required) {
  const json* value = member(name);
  if (value != nullptr && value->is_string() && !value->get_ref<const std::string&>().empty())
    return *value;
  if (value != nullptr)
    wrong(name, shown(*value) + "; expected " + expected);
  else if (required && object_.is_object())
    wrong(name, std::string("is missing; expected ") + expected);
  return {};
}

bool DocumentReader::flag(const char* name, bool otherwise) {
  const json* value = member(name);
  if (value == nullptr) return otherwise;
  if (value->is_boolean()) return *value;
  wrong(name, shown(*value) + "; expected true or false");
  return otherwise;
}

std::optional<uint64_t> DocumentReader::whole(const char* name, uint64_t least, uint64_t most) {
  const json* value = member(name);
  if (value == nullptr) return std::nullopt;
  if (value->is_number_integer() && *value >= 0 && value->get<uint64_t>() >= least &&
      value->get<uint64_t>() <= most)
    return value->get<uint64_t>();
  wrong(name, shown(*value) + "; expected a whole number from " + std::to_string(least) + " to " +
                  std::to_string(most));
  return std::nullopt;
}

std::optional<Amount> DocumentReader::decimal(const char* name, int decimals_max,
                                              const char* expected, bool required) {
  const std::string value = text(name, expected, required);
  if (value.empty()) return std::nullopt;
  const auto number = parse_amount(value, decimals_max);
  if (number && !value.starts_with('-')) return number;
  wrong(name, "\"" + value + "\" is no such number; expected " + expected + ", with at most " +
                  std::to_string(decimals_max) + " decimals");
  return std::nullopt;
}

std::optional<size_t> DocumentReader::choice(const char* name,
                                             std::span<const std::string_view> names,
                                             bool required) {
  const std::string expected = listed(names);
  const std::string value = text(name, expected.c_str(), required);
  if (value.empty()) return std::nullopt;
  const auto found = std::find(names.begin(), names.end(), value);
  if (found != names.end()) return static_cast<size_t>(found - names.begin());
  wrong(name, "\"" + value + "\" is not known; expected " + expected);
  return std::nullopt;
}

std::vector<std::string> DocumentReader::texts(const char* name) {
  constexpr const char* kExpected = "a list of different names";
  std::vector<std::string> all;
  const json* value = member(name);
  if (value == nullptr) return all;
  bool good = value->is_array() && !value->empty();
  for (size_t i = 0; good && i < value->size(); ++i) {
    const json& element = (*value)[i];
    good = element.is_string() && !element.get_ref<const std::string&>().empty() &&
           std::find(all.begin(), all.end(), element) == all.end();
    if (good) all.push_back(element);
  }
  if (good) return all;
  wrong(name, shown(*value) + "; expected " + kExpected);
  return {};
}

std::vector<size_t> DocumentReader::choices(const char* name,
                                            std::span<const std::string_view> names) {
  std::vector<size_t> all;
  const auto elements = list(name, SIZE_MAX, "names");
  for (size_t i = 0; i < elements.size(); ++i) {
    const auto found = std::find_if(names.begin(), names.end(), [&](std::string_view n) {
      return elements[i] == std::string(n);
    });
    if (found != names.end())
      all.push_back(static_cast<size_t>(found - names.begin()));
    else
      errors_.push_back({at(name) + "/" + std::to_string(i),
                         shown(elements[i]) + " is not known; expected " + listed(names)});
  }
  return all;
}

std::span<const json> DocumentReader::list(const char* name, size_t most, const char* expected) {
  const json* value = member(name);
  if (value == nullptr) return {};
  if (value->is_array() && !value->empty() && value->size() <= most)
    return value->get_ref<const json::array_t&>();
  wrong(name, shown(*value) + "; expected a list of " +
                  (most == SIZE_MAX ? "" : "1 to " + std::to_string(most) + " ") + expected);
  return {};
}

}  // namespace anabranch::billing
