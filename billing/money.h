// SPDX-License-Identifier: BSD-3-Clause
// Money: exact integers of 10^-18 currency units ("attos"). No floating point, and one function
// that rounds.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace anabranch::billing {

__extension__ typedef __int128 Int128;

// ±1.7 × 10^20 currency units. Overflow is a programming error and aborts: a limit of usage and
// price (kPriceMaxUnits) keeps sums far below it.
class Amount {
 public:
  constexpr Amount() = default;
  static constexpr Amount from_attos(Int128 attos) { return Amount(attos); }
  constexpr Int128 attos() const { return attos_; }

  Amount operator+(Amount other) const;
  Amount operator-() const { return Amount(-attos_); }
  Amount& operator+=(Amount other) { return *this = *this + other; }
  Amount times(uint64_t count) const;
  auto operator<=>(const Amount&) const = default;

 private:
  constexpr explicit Amount(Int128 attos) : attos_(attos) {}
  Int128 attos_ = 0;
};
inline constexpr Int128 kAttosPerUnit = Int128{1'000'000'000} * 1'000'000'000;

// "-12.50" → exactly that; at most `decimals_max` (≤ 18) decimals and 15 digits before the point.
std::optional<Amount> parse_amount(std::string_view text, int decimals_max = 18);
// Exact; at least `decimals_min` decimals, no exponent.
std::string to_text(Amount amount, int decimals_min = 2);

// Decimals of a currency's smallest coin (ISO 4217); nullopt for a code that is none of those
// known.
std::optional<int> minor_digits(std::string_view currency);
// To the smallest coin, half away from zero.
Amount round_to_minor(Amount amount, int digits);

}  // namespace anabranch::billing
