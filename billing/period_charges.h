// SPDX-License-Identifier: BSD-3-Clause
// What an account's period comes to: lines by provider and tariff item, and their sums. A line is
// rounded once, to the smallest coin, and is the same however it is presented: all lines on one
// statement, or each provider's on its own, come to the same net, to the last coin. Tax is
// computed from each statement's own sums, as EN 16931 wants it (BR-CO-17).
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>
#include <tl/expected.hpp>

#include "billing/exchange_rates.h"
#include "billing/money.h"
#include "billing/period.h"
#include "billing/period_usage.h"
#include "billing/tax.h"

namespace anabranch::billing {

enum class Unit : uint8_t { gb, mbps, cycle };
inline constexpr std::array<std::string_view, 3> kUnitNames{"GB", "Mbit/s", "cycle"};

// A part of a line's quantity, at one price. Decimals beyond the 18th are cut off.
struct ChargedAt {
  Amount quantity;  // a decimal number, not money
  Amount price;     // for one unit
  bool operator==(const ChargedAt&) const = default;
};

struct ChargeLine {
  std::string provider;  // empty: nobody's but ours, such as a fee
  std::string item;      // of the tariff
  std::string passed;    // of the provider's own tariff, where that is passed through
  std::string description;
  Count count;
  Unit unit = Unit::gb;
  std::vector<ChargedAt> at;             // by tier
  std::optional<Conversion> conversion;  // where another currency is passed through
  Amount exact;                          // to 10^-18, cut off
  Amount amount;                         // rounded, once
  Tax tax;
  bool operator==(const ChargeLine&) const = default;
};

struct TaxSum {
  Tax tax;
  Amount net, due;
  bool operator==(const TaxSum&) const = default;
};

struct PeriodCharges {
  std::string tariff, tariff_version, currency;
  std::map<std::string, std::pair<std::string, std::string>> passed;  // provider: tariff, version
  Period period;
  std::vector<ChargeLine> lines;  // by provider, then in the order of the tariff
  std::vector<TaxSum> taxes;      // by category and percentage
  Amount net, tax, gross;
  bool operator==(const PeriodCharges&) const = default;
};

// A tax, or a share, in whole coins: of a credit what it would be of a charge, negative. nullopt:
// beyond what an Amount holds.
std::optional<Amount> percent_of(Amount amount, Amount percent, int digits);

// Sets taxes and sums by the lines. The error: beyond what an Amount holds.
tl::expected<void, std::string> sum_up(PeriodCharges& charges);

// One for each provider that has lines; what is nobody's but ours is by itself, first.
tl::expected<std::vector<PeriodCharges>, std::string> by_provider(const PeriodCharges& charges);

nlohmann::json to_json(const PeriodCharges& charges);

}  // namespace anabranch::billing
