// SPDX-License-Identifier: BSD-3-Clause
#include "billing/exact.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace anabranch::billing {
namespace {

constexpr Int128 kUnitsMost = Int128{10'000'000'000} * 10'000'000'000;

Uint128 common_divisor(Uint128 a, Uint128 b) {
  while (b != 0) a = std::exchange(b, a % b);
  return a;
}

template <typename Wide>
int bits(const Wide& wide) {
  for (size_t i = wide.size(); i-- > 0;) {
    if (wide[i] != 0) return static_cast<int>(i * 64 + 64) - __builtin_clzll(wide[i]);
  }
  return 0;
}

template <typename Wide>
bool at_least(const Wide& a, const Wide& b) {
  return !std::lexicographical_compare(a.rbegin(), a.rend(), b.rbegin(), b.rend());
}

template <typename Wide>
void subtract(Wide& from, const Wide& what) {
  bool borrow = false;
  for (size_t i = 0; i < from.size(); ++i) {
    const Uint128 taken = static_cast<Uint128>(what[i]) + borrow;
    borrow = from[i] < taken;
    from[i] -= static_cast<uint64_t>(taken);
  }
}

template <typename Wide>
void double_and_add(Wide& wide, bool bit) {
  for (uint64_t& limb : wide) {
    const bool carry = limb >> 63 != 0;
    limb = limb << 1 | static_cast<uint64_t>(bit);
    bit = carry;
  }
}

}  // namespace

Exact::Exact(Amount amount) {
  if (amount < Amount()) std::abort();
  const auto attos = static_cast<Uint128>(amount.attos());
  numerator_[0] = static_cast<uint64_t>(attos);
  numerator_[1] = static_cast<uint64_t>(attos >> 64);
}

bool Exact::add(Wide& wide, const Wide& other) {
  Uint128 carry = 0;
  for (size_t i = 0; i < wide.size(); ++i) {
    carry += static_cast<Uint128>(wide[i]) + other[i];
    wide[i] = static_cast<uint64_t>(carry);
    carry >>= 64;
  }
  return carry == 0;
}

bool Exact::multiply(Wide& wide, const Wide& by) {
  Wide product{};
  bool fits = true;
  for (size_t i = 0; i < wide.size(); ++i) {
    if (by[i] == 0) continue;
    Uint128 carry = 0;
    for (size_t j = 0; j < wide.size(); ++j) {
      if (i + j >= wide.size()) {
        fits = fits && wide[j] == 0 && carry == 0;
        continue;
      }
      carry += static_cast<Uint128>(by[i]) * wide[j] + product[i + j];
      product[i + j] = static_cast<uint64_t>(carry);
      carry >>= 64;
    }
    fits = fits && carry == 0;
  }
  wide = product;
  return fits;
}

bool Exact::multiply(Wide& wide, Uint128 by) {
  return multiply(wide, Wide{static_cast<uint64_t>(by), static_cast<uint64_t>(by >> 64)});
}

Exact Exact::times(Uint128 numerator, Uint128 denominator) const {
  if (denominator == 0) std::abort();
  const Uint128 common = numerator == 0 ? denominator : common_divisor(numerator, denominator);
  Exact product = *this;
  product.overflow_ |= !multiply(product.numerator_, numerator / common);
  product.overflow_ |= !multiply(product.denominator_, denominator / common);
  return product;
}

Exact Exact::times(Amount decimal) const {
  if (decimal < Amount()) std::abort();
  return times(static_cast<Uint128>(decimal.attos()), static_cast<Uint128>(kAttosPerUnit));
}

Exact Exact::operator+(const Exact& other) const {
  Exact sum = *this;
  sum.overflow_ |= other.overflow_;
  Wide addend = other.numerator_;
  if (denominator_ != other.denominator_) {
    sum.overflow_ |= !multiply(sum.numerator_, other.denominator_);
    sum.overflow_ |= !multiply(addend, denominator_);
    sum.overflow_ |= !multiply(sum.denominator_, other.denominator_);
  }
  sum.overflow_ |= !add(sum.numerator_, addend);
  return sum;
}

// Long division, bit by bit: a statement has some dozens of lines.
std::optional<Amount> Exact::cut_off() const {
  if (overflow_) return std::nullopt;
  Wide quotient = numerator_;
  if (denominator_ != Wide{1}) {
    // The remainder stays below twice the denominator, which has a bit to spare.
    if (denominator_.back() >> 63 != 0) return std::nullopt;
    quotient = {};
    Wide remainder{};
    for (int bit = bits(numerator_); bit-- > 0;) {
      const auto at = static_cast<size_t>(bit);
      double_and_add(remainder, (numerator_[at / 64] >> (at % 64) & 1) != 0);
      const bool goes = at_least(remainder, denominator_);
      if (goes) subtract(remainder, denominator_);
      double_and_add(quotient, goes);
    }
  }
  if (bits(quotient) > 127) return std::nullopt;
  const auto attos = static_cast<Int128>(static_cast<Uint128>(quotient[1]) << 64 | quotient[0]);
  if (attos > kUnitsMost * kAttosPerUnit) return std::nullopt;
  return Amount::from_attos(attos);
}

}  // namespace anabranch::billing
