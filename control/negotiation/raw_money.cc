// SPDX-License-Identifier: BSD-3-Clause
#include "control/negotiation/raw_money.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <vector>

namespace anabranch::negotiation {
namespace {

using nlohmann::json;

constexpr size_t kShownMax = 40;
// A number's text with more digits or a larger exponent is no price; both are worked out in memory.
constexpr size_t kTokenMax = 64;
constexpr int kExponentMax = 40;

std::string cut_short(std::string_view text) {
  std::string shown(text.substr(0, kShownMax));
  if (text.size() > kShownMax) shown += "…";
  return shown;
}

bool is_money_key(const std::string& key) {
  return key == "dutyFreeAmount" || key == "taxIncludedAmount";
}

json raw_token(const std::string& text) {
  return json::binary(json::binary_t::container_type(text.begin(), text.end()));
}

// Builds the value; each function returns false to stop.
class MoneyKeeper final : public json::json_sax_t {
 public:
  json take() { return std::move(root_); }
  const std::string& mistake() const { return mistake_; }

  bool null() override { return put(nullptr); }
  bool boolean(bool value) override { return put(value); }
  bool number_integer(int64_t value) override {
    return is_money() ? put(raw_token(std::to_string(value))) : put(value);
  }
  bool number_unsigned(uint64_t value) override {
    return is_money() ? put(raw_token(std::to_string(value))) : put(value);
  }
  bool number_float(double value, const std::string& text) override {
    return is_money() ? put(raw_token(text)) : put(value);
  }
  bool string(std::string& text) override { return put(std::move(text)); }
  bool binary(json::binary_t&) override { return false; }
  bool start_object(size_t) override { return open(json::object()); }
  bool start_array(size_t) override { return open(json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(std::string& name) override {
    Level& top = open_.back();
    if (top.value->contains(name)) {
      mistake_ = "the field \"" + cut_short(name) + "\" is given twice in one object";
      return false;
    }
    top.key = name;
    return true;
  }
  bool parse_error(size_t position, const std::string& token, const json::exception& e) override {
    // 406: a number beyond what a double holds.
    if (e.id == 406)
      mistake_ = "the number " + cut_short(token) + " does not fit";
    else
      mistake_ = fmt::format("no JSON at octet {}", position);
    return false;
  }

 private:
  struct Level {
    json* value;
    std::string key;  // of an object: of what comes next
  };

  bool is_money() const {
    return open_.size() >= 2 && open_.back().key == "value" &&
           is_money_key(open_[open_.size() - 2].key);
  }

  json* place(json value) {
    if (open_.empty()) return &(root_ = std::move(value));
    Level& top = open_.back();
    if (top.value->is_array()) return &top.value->emplace_back(std::move(value));
    return &((*top.value)[top.key] = std::move(value));
  }
  bool put(json value) {
    place(std::move(value));
    return true;
  }
  bool open(json value) {
    if (open_.size() >= kBodyDepthMax) {
      mistake_ = fmt::format("nested more than {} deep", kBodyDepthMax);
      return false;
    }
    open_.push_back({place(std::move(value)), {}});
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  json root_;
  std::vector<Level> open_;
  std::string mistake_;
};

// Digits of a JSON number without its point, and how many of them are decimals.
struct Digits {
  bool negative = false;
  std::string digits;
  int decimals = 0;
};

std::optional<int> small_exponent(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  if (text.empty()) return std::nullopt;
  int value = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = std::min(kExponentMax + 1, value * 10 + (c - '0'));
  }
  if (value > kExponentMax) return std::nullopt;
  return negative ? -value : value;
}

std::optional<Digits> digits_of(std::string_view token) {
  if (token.size() > kTokenMax) return std::nullopt;
  Digits number;
  number.negative = token.starts_with('-');
  if (number.negative) token.remove_prefix(1);
  const size_t e = std::min(token.find_first_of("eE"), token.size());
  const std::string_view mantissa = token.substr(0, e);
  const size_t point = std::min(mantissa.find('.'), mantissa.size());
  number.digits = std::string(mantissa.substr(0, point));
  if (point < mantissa.size()) {
    number.digits += mantissa.substr(point + 1);
    number.decimals = static_cast<int>(mantissa.size() - point - 1);
    if (number.decimals == 0) return std::nullopt;
  }
  const bool all_digits = std::all_of(number.digits.begin(), number.digits.end(),
                                      [](char c) { return c >= '0' && c <= '9'; });
  if (point == 0 || !all_digits) return std::nullopt;
  if (e < token.size()) {
    const auto exponent = small_exponent(token.substr(e + 1));
    if (!exponent) return std::nullopt;
    number.decimals -= *exponent;
  }
  return number;
}

// Without zeros at the end behind the point, and none that are missing before it.
void normalise(Digits& number) {
  for (; number.decimals > 0 && number.digits.size() > 1 && number.digits.back() == '0';
       --number.decimals)
    number.digits.pop_back();
  for (; number.decimals < 0; ++number.decimals) number.digits += '0';
  if (number.digits.find_first_not_of('0') == std::string::npos) number = {false, "0", 0};
  const size_t decimals = static_cast<size_t>(number.decimals);
  if (number.digits.size() <= decimals)
    number.digits.insert(0, decimals + 1 - number.digits.size(), '0');
  const size_t whole = number.digits.size() - decimals;
  number.digits.erase(0, std::min(number.digits.find_first_not_of('0'), whole - 1));
}

void write(const json& value, std::string& text) {
  if (value.is_object()) {
    text += '{';
    bool first = true;
    for (const auto& [key, member] : value.items()) {
      text += (first ? "" : ",") + json(key).dump() + ":";
      write(member, text);
      first = false;
    }
    text += '}';
  } else if (value.is_array()) {
    text += '[';
    for (size_t i = 0; i < value.size(); ++i) {
      if (i > 0) text += ',';
      write(value[i], text);
    }
    text += ']';
  } else if (value.is_binary()) {
    const auto& token = value.get_binary();
    text.append(token.begin(), token.end());
  } else {
    text += value.dump(-1, ' ', false, json::error_handler_t::replace);
  }
}

}  // namespace

tl::expected<json, std::string> parse_body(std::string_view text) {
  MoneyKeeper keeper;
  if (!json::sax_parse(text, &keeper)) {
    return tl::unexpected(keeper.mistake());
  }
  return keeper.take();
}

tl::expected<billing::Amount, std::string> exact_amount(std::string_view token) {
  auto number = digits_of(token);
  if (!number) return tl::unexpected(cut_short(token) + " is no amount of money");
  normalise(*number);
  if (number->decimals > kMoneyDecimalsMax) {
    return tl::unexpected(
        fmt::format("{} has more than {} decimals", cut_short(token), kMoneyDecimalsMax));
  }
  const size_t whole = number->digits.size() - static_cast<size_t>(number->decimals);
  if (whole > kMoneyWholeDigitsMax) {
    return tl::unexpected(fmt::format("{} has more than {} digits before the point",
                                      cut_short(token), kMoneyWholeDigitsMax));
  }
  std::string decimal = (number->negative ? "-" : "") + number->digits.substr(0, whole);
  if (number->decimals > 0) decimal += "." + number->digits.substr(whole);
  const auto amount = billing::parse_amount(decimal, kMoneyDecimalsMax);
  if (!amount) return tl::unexpected(cut_short(token) + " is no amount of money");
  return *amount;
}

tl::expected<Money, std::string> read_money(const json& money) {
  if (!money.is_object()) return tl::unexpected(std::string("is missing"));
  const auto unit = money.find("unit");
  if (unit == money.end() || !unit->is_string())
    return tl::unexpected(std::string("has no currency (\"unit\")"));
  const auto value = money.find("value");
  if (value == money.end() || value->is_null())
    return tl::unexpected(std::string("has no \"value\""));
  if (!value->is_binary()) return tl::unexpected(std::string("has a \"value\" that is no number"));
  const auto& text = value->get_binary();
  const auto amount = exact_amount(std::string(text.begin(), text.end()));
  if (!amount) return tl::unexpected(amount.error());
  if (*amount < billing::Amount()) {
    return tl::unexpected("is negative: " + billing::to_text(*amount));
  }
  return Money{*amount, cut_short(unit->get<std::string>())};
}

json money_json(billing::Amount amount, const std::string& currency) {
  return {{"unit", currency}, {"value", raw_token(billing::to_text(amount, 0))}};
}

std::string write_body(const json& body) {
  std::string text;
  write(body, text);
  return text;
}

}  // namespace anabranch::negotiation
