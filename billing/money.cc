// SPDX-License-Identifier: BSD-3-Clause
#include "billing/money.h"

#include <algorithm>
#include <array>
#include <cstdlib>

namespace anabranch::billing {
namespace {

constexpr int kDecimals = 18;
constexpr size_t kWholeDigitsMax = 15;

Int128 power_of_ten(int exponent) {
  Int128 result = 1;
  while (exponent-- > 0) result *= 10;
  return result;
}

bool all_digits(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::string digits_of(Int128 value) {
  std::string text;
  do text.push_back(static_cast<char>('0' + static_cast<int>(value % 10)));
  while ((value /= 10) != 0);
  std::reverse(text.begin(), text.end());
  return text;
}

}  // namespace

Amount Amount::operator+(Amount other) const {
  Int128 sum;
  if (__builtin_add_overflow(attos_, other.attos_, &sum)) std::abort();
  return Amount(sum);
}

Amount Amount::times(uint64_t count) const {
  Int128 product;
  if (__builtin_mul_overflow(attos_, static_cast<Int128>(count), &product)) std::abort();
  return Amount(product);
}

std::optional<Amount> parse_amount(std::string_view text, int decimals_max) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  const size_t point = std::min(text.find('.'), text.size());
  const std::string_view whole = text.substr(0, point);
  std::string_view decimals;
  if (point < text.size()) {
    decimals = text.substr(point + 1);
    if (decimals.empty()) return std::nullopt;
  }
  if (whole.empty() || whole.size() > kWholeDigitsMax ||
      decimals.size() > static_cast<size_t>(decimals_max) || !all_digits(whole) ||
      !all_digits(decimals)) {
    return std::nullopt;
  }
  Int128 attos = 0;
  for (char c : whole) attos = attos * 10 + (c - '0');
  for (char c : decimals) attos = attos * 10 + (c - '0');
  attos *= power_of_ten(kDecimals - static_cast<int>(decimals.size()));
  return Amount::from_attos(negative ? -attos : attos);
}

std::string to_text(Amount amount, int decimals_min) {
  const Int128 attos = amount.attos();
  const Int128 positive = attos < 0 ? -attos : attos;
  std::string decimals = digits_of(positive % kAttosPerUnit);
  decimals.insert(0, kDecimals - decimals.size(), '0');
  size_t keep = decimals.find_last_not_of('0');
  keep = keep == std::string::npos ? 0 : keep + 1;
  decimals.resize(std::max(keep, static_cast<size_t>(decimals_min)));
  return (attos < 0 ? "-" : "") + digits_of(positive / kAttosPerUnit) +
         (decimals.empty() ? "" : "." + decimals);
}

std::optional<int> minor_digits(std::string_view currency) {
  struct Digits {
    std::string_view code;
    int digits;
  };
  static constexpr std::array<Digits, 20> kCurrencies{
      {{"AUD", 2}, {"BHD", 3}, {"CAD", 2}, {"CHF", 2}, {"CNY", 2}, {"CZK", 2}, {"DKK", 2},
       {"EUR", 2}, {"GBP", 2}, {"HUF", 2}, {"INR", 2}, {"JPY", 0}, {"KRW", 0}, {"KWD", 3},
       {"NOK", 2}, {"NZD", 2}, {"PLN", 2}, {"SEK", 2}, {"TND", 3}, {"USD", 2}}};
  for (const Digits& c : kCurrencies) {
    if (c.code == currency) return c.digits;
  }
  return std::nullopt;
}

Amount round_to_minor(Amount amount, int digits) {
  const Int128 coin = power_of_ten(kDecimals - digits);
  const Int128 attos = amount.attos();
  const Int128 half = attos < 0 ? -coin / 2 : coin / 2;
  return Amount::from_attos((attos + half) / coin * coin);
}

}  // namespace anabranch::billing
