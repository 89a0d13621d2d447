// SPDX-License-Identifier: BSD-3-Clause
#include "control/negotiation/tmf_fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "control/negotiation/moment.h"

namespace anabranch::negotiation {
namespace {

using nlohmann::json;

constexpr size_t kFieldOctetsMax = 256;
constexpr size_t kCharacteristicsMax = 64;

bool is_short_and_plain(const std::string& text) {
  return text.size() <= kFieldOctetsMax && std::none_of(text.begin(), text.end(), [](char c) {
           return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
         });
}

}  // namespace

std::string to_text(const Refusal& refusal) {
  return refusal.field.empty() ? refusal.reason : refusal.field + " " + refusal.reason;
}

std::string Fields::text(const char* name, bool required) const {
  if (!has(name)) {
    if (required) refuse(name, "is missing");
    return {};
  }
  if (!object_[name].is_string()) refuse(name, "is no text");
  const auto& text = object_[name].get_ref<const std::string&>();
  if (!is_short_and_plain(text))
    refuse(name,
           fmt::format("is longer than {} octets, or has control characters", kFieldOctetsMax));
  if (required && text.empty()) refuse(name, "is empty");
  return text;
}

std::optional<int64_t> Fields::moment(const char* name, bool required) const {
  const std::string value = text(name, required);
  if (value.empty()) return std::nullopt;
  const auto moment = parse_moment(value);
  if (!moment) refuse(name, "is \"" + value + "\"; expected a moment such as 2026-11-27T09:00:00Z");
  return moment;
}

std::optional<double> Fields::number(const char* name) const {
  if (!has(name)) return std::nullopt;
  if (!object_[name].is_number()) refuse(name, "is no number");
  return object_[name].get<double>();
}

Fields Fields::object(const char* name) const {
  if (!has(name)) refuse(name, "is missing");
  return {object_[name], at(name)};
}

std::vector<Fields> Fields::objects(const char* name, size_t most) const {
  std::vector<Fields> list;
  if (!has(name)) return list;
  const json& array = object_[name];
  if (!array.is_array()) refuse(name, "is no list");
  if (array.size() > most)
    refuse(name, fmt::format("has {} elements, more than {}", array.size(), most));
  for (size_t i = 0; i < array.size(); ++i)
    list.emplace_back(array[i], at(name) + "/" + std::to_string(i));
  return list;
}

Money Fields::money(const char* name) const {
  if (!has(name)) refuse(name, "is missing");
  auto money = read_money(object_[name]);
  if (!money) refuse(name, money.error());
  return *money;
}

std::vector<std::pair<std::string, std::string>> characteristics_of(const Fields& fields,
                                                                    const char* name) {
  std::vector<std::pair<std::string, std::string>> list;
  for (const Fields& each : fields.objects(name, kCharacteristicsMax)) {
    std::string key = each.text("name");
    if (!each.has("value")) each.refuse("value", "is missing");
    const json& value = each.raw("value");
    // Others may be anything; ours are numbers and texts.
    if (!value.is_number() && !value.is_string()) continue;
    const bool again =
        std::any_of(list.begin(), list.end(), [&](const auto& c) { return c.first == key; });
    if (again) each.refuse("name", "is \"" + key + "\" for the second time");
    list.emplace_back(std::move(key), value.is_string() ? each.text("value", false) : value.dump());
  }
  return list;
}

std::optional<double> number_of(const std::vector<std::pair<std::string, std::string>>& list,
                                const std::string& name, const Fields& fields) {
  const auto found =
      std::find_if(list.begin(), list.end(), [&](const auto& c) { return c.first == name; });
  if (found == list.end()) return std::nullopt;
  const std::string& text = found->second;
  double value = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), value);
  // The upper bound is beyond any rate in Mbit/s, delay in ms or per cent.
  if (end.ec != std::errc() || end.ptr != text.data() + text.size() ||
      !(value >= 0 && value <= 1e12))
    fields.refuse(name, "is \"" + text + "\"; expected a number of 0 or more");
  return value;
}

}  // namespace anabranch::negotiation
