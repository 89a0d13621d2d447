// SPDX-License-Identifier: BSD-3-Clause
#include "control/json_reader.h"

#include <algorithm>

#include "billing/card_number.h"
#include "control/suggest.h"

namespace anabranch::control {
namespace {

using nlohmann::json;

const json kNull;

std::string shown(const json& value) {
  std::string text = value.dump(-1, ' ', false, json::error_handler_t::replace);
  if (text.size() > 60) text = beginning(text, 57) + "...";
  return text;
}

// RFC 6901: "~" and "/" inside of a name are "~0" and "~1".
std::string in_pointer(const std::string& name) {
  std::string out;
  for (const char c : name) out += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  return out;
}

}  // namespace

tl::expected<json, std::string> parse_json(std::string_view text) {
  bool too_deep = false;
  const auto shallow = [&](int depth, json::parse_event_t, const json&) {
    too_deep |= depth > kJsonDepthMax;
    return !too_deep;
  };
  try {
    json document = json::parse(text, shallow);
    if (!too_deep) return document;
  } catch (const json::exception& e) {  // a number may be out of range, not only the text wrong
    return tl::unexpected<std::string>(e.what());
  }
  return tl::unexpected("lists and objects are nested more than " + std::to_string(kJsonDepthMax) +
                        " deep");
}

std::optional<std::string> card_number_in(const json& document) {
  if (!document.is_structured()) {
    const std::string text = document.is_string()           ? document.get<std::string>()
                             : document.is_number_integer() ? document.dump()
                                                            : "";
    return billing::has_card_number(text) ? std::optional("") : std::nullopt;
  }
  for (const auto& [name, value] : document.items()) {
    if (const auto at = card_number_in(value)) return "/" + in_pointer(name) + *at;
  }
  return std::nullopt;
}

std::string beginning(const std::string& text, size_t size) {
  if (text.size() <= size) return text;
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80) --size;
  return text.substr(0, size);
}

JsonReader::JsonReader(const json& object, std::string at, FieldErrors& errors)
    : object_(object), at_(std::move(at)), errors_(errors) {
  if (!object.is_object()) errors_.push_back({at_, shown(object) + " is no JSON object"});
}

const json& JsonReader::raw(const char* key, const char* expected, bool required) {
  asked_.emplace_back(key);
  if (has(key)) return object_.at(key);
  if (required && object_.is_object()) fail(key, std::string("is missing; expected ") + expected);
  return kNull;
}

std::string JsonReader::text(const char* key, const char* expected, bool required) {
  const json& value = raw(key, expected, required);
  if (value.is_string() && !value.get_ref<const std::string&>().empty()) return value;
  if (has(key)) wrong(key, shown(value), expected);
  return {};
}

bool JsonReader::boolean(const char* key, bool required) {
  const json& value = raw(key, "true or false", required);
  if (has(key) && !value.is_boolean()) wrong(key, shown(value), "true or false");
  return value.is_boolean() && value.get<bool>();
}

double JsonReader::number(const char* key, double fallback, double least, double most) {
  const json& value = raw(key, "a number", false);
  if (!has(key)) return fallback;
  if (value.is_number() && value.get<double>() >= least && value.get<double>() <= most)
    return value;
  wrong(key, shown(value), "a number from " + json(least).dump() + " to " + json(most).dump());
  return fallback;
}

uint64_t JsonReader::integer(const char* key, uint64_t least, uint64_t most, bool required,
                             uint64_t fallback) {
  const json& value = raw(key, "a whole number", required);
  if (!has(key)) return fallback;
  if (value.is_number_unsigned() && value.get<uint64_t>() >= least && value.get<uint64_t>() <= most)
    return value;
  wrong(key, shown(value),
        "a whole number from " + std::to_string(least) + " to " + std::to_string(most));
  return fallback;
}

std::vector<std::string> JsonReader::texts(const char* key, const char* expected, bool required) {
  std::vector<std::string> result;
  const json& value = raw(key, expected, required);
  if (!has(key)) return result;
  if (!value.is_array()) wrong(key, shown(value), expected);
  for (size_t i = 0; value.is_array() && i < value.size(); ++i) {
    if (value[i].is_string())
      result.push_back(value[i]);
    else
      wrong(std::string(key) + "/" + std::to_string(i), shown(value[i]), "a text");
  }
  return result;
}

std::vector<uint64_t> JsonReader::integers(const char* key, uint64_t most, size_t count_max) {
  std::vector<uint64_t> result;
  const json& value = raw(key, "a list of whole numbers", true);
  if (!has(key)) return result;
  if (!value.is_array() || value.size() > count_max) {
    wrong(key, shown(value), "a list of at most " + std::to_string(count_max) + " whole numbers");
    return result;
  }
  for (const json& element : value) {
    if (element.is_number_unsigned() && element.get<uint64_t>() <= most)
      result.push_back(element);
    else
      wrong(key, shown(element), "whole numbers from 0 to " + std::to_string(most));
  }
  return result;
}

std::vector<JsonReader> JsonReader::objects(const char* key, size_t count_max) {
  std::vector<JsonReader> result;
  const json& value = raw(key, "a list of objects", true);
  if (!has(key)) return result;
  if (!value.is_array() || value.empty() || value.size() > count_max) {
    wrong(key, shown(value), "a list of 1 to " + std::to_string(count_max) + " objects");
    return result;
  }
  for (size_t i = 0; i < value.size(); ++i) {
    result.emplace_back(value[i], at_ + "/" + key + "/" + std::to_string(i), errors_);
  }
  return result;
}

std::vector<std::pair<std::string, std::string>> JsonReader::text_map(const char* key,
                                                                      const char* expected) {
  std::vector<std::pair<std::string, std::string>> result;
  const json& value = raw(key, expected, false);
  if (!has(key)) return result;
  if (!value.is_object()) {
    wrong(key, shown(value), expected);
    return result;
  }
  for (const auto& [name, text] : value.items()) {
    if (text.is_string())
      result.emplace_back(name, text);
    else
      wrong(std::string(key) + "/" + name, shown(text), expected);
  }
  return result;
}

void JsonReader::finish() {
  if (!object_.is_object()) return;
  for (const auto& [key, value] : object_.items()) {
    if (std::find(asked_.begin(), asked_.end(), key) == asked_.end()) {
      fail(in_pointer(key), "unknown field" + suggestion(key, asked_));
    }
  }
}

}  // namespace anabranch::control
