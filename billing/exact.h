// SPDX-License-Identifier: BSD-3-Clause
// An amount that is still being computed: a rational number of attos, not negative. Shares, margins
// and exchange rates are exact in it, however many follow each other; it is cut off to whole attos
// once, at the end. Cut off towards zero, so that rounding that to coins is the same as rounding
// the exact number: half a coin is a whole number of attos.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "billing/money.h"

namespace anabranch::billing {

__extension__ typedef unsigned __int128 Uint128;

class Exact {
 public:
  Exact() = default;              // zero
  explicit Exact(Amount amount);  // not negative
  Exact times(Uint128 numerator, Uint128 denominator = 1) const;
  // By a decimal number that an Amount holds: "1.19" is 1.19.
  Exact times(Amount decimal) const;
  Exact operator+(const Exact& other) const;
  // nullopt: more than 10^20 units, below which an Amount has room to be rounded and added to.
  std::optional<Amount> cut_off() const;

 private:
  // 512 bits: more than a count, a price, a percentile's divisor, a share of time, a margin and an
  // exchange rate have together unless nearly all are at their limits. Beyond is remembered.
  using Wide = std::array<uint64_t, 8>;  // least significant first
  static bool multiply(Wide& wide, Uint128 by);
  static bool multiply(Wide& wide, const Wide& by);
  static bool add(Wide& wide, const Wide& other);

  Wide numerator_{}, denominator_{1};
  bool overflow_ = false;
};

}  // namespace anabranch::billing
