// SPDX-License-Identifier: BSD-3-Clause
#include "billing/card_number.h"

namespace anabranch::billing {
namespace {

constexpr size_t kDigitsMin = 13, kDigitsMax = 19;
constexpr size_t kGroupMin = 3, kGroupMax = 7;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// What makes a run of digits a part of something else, such as a hash or a name.
bool is_word(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool passes_luhn(const std::string& digits) {
  int sum = 0;
  bool doubled = false;
  for (auto d = digits.rbegin(); d != digits.rend(); ++d, doubled = !doubled) {
    const int value = (*d - '0') * (doubled ? 2 : 1);
    sum += value > 9 ? value - 9 : value;
  }
  return sum % 10 == 0;
}

// The end of what begins at `from`, a digit, and is one number; and its digits.
size_t number_at(std::string_view text, size_t from, std::string& digits) {
  digits.clear();
  char separator = 0;
  bool are_groups = true;
  size_t at = from, group = 0;
  for (; at < text.size(); ++at) {
    if (is_digit(text[at])) {
      digits += text[at];
      ++group;
      continue;
    }
    const bool goes_on = at + 1 < text.size() && is_digit(text[at + 1]);
    const bool separates =
        (text[at] == ' ' || text[at] == '-') && (separator == 0 || separator == text[at]);
    if (!goes_on || !separates) break;
    separator = text[at];
    are_groups = are_groups && group >= kGroupMin && group <= kGroupMax;
    group = 0;
  }
  if (separator != 0) are_groups = are_groups && group >= kGroupMin && group <= kGroupMax;
  const bool ends = at == text.size() || !is_word(text[at]);
  if (!ends || (separator != 0 && !are_groups)) digits.clear();
  return at;
}

// Calls `found(from, to)` for each.
template <typename Found>
void each_card_number(std::string_view text, Found found) {
  std::string digits;
  for (size_t at = 0; at < text.size(); ++at) {
    if (!is_digit(text[at]) || (at > 0 && is_word(text[at - 1]))) continue;
    const size_t end = number_at(text, at, digits);
    if (digits.size() >= kDigitsMin && digits.size() <= kDigitsMax && passes_luhn(digits))
      found(at, end);
    at = end;
  }
}

}  // namespace

bool has_card_number(std::string_view text) {
  bool has = false;
  each_card_number(text, [&](size_t, size_t) { has = true; });
  return has;
}

std::string without_card_numbers(std::string_view text) {
  std::string result;
  size_t copied = 0;
  each_card_number(text, [&](size_t from, size_t to) {
    result.append(text.substr(copied, from - copied)).append("[card number]");
    copied = to;
  });
  return result.append(text.substr(copied));
}

}  // namespace anabranch::billing
