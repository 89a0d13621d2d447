// SPDX-License-Identifier: BSD-3-Clause
// How far an account is into its tariff in a period: on that hangs what an octet more costs it,
// where the tariff has tiers, an allowance or a commitment.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "billing/money.h"
#include "billing/period_usage.h"
#include "billing/tariff.h"

namespace anabranch::billing {

struct TariffUse {
  struct Item {
    uint64_t octets = 0;
    Amount charged;
  };
  // What less than a day was says little of the end yet: it counts as a day.
  static constexpr int64_t kElapsedLeastNs = 86'400LL * 1'000'000'000;

  Period cycle;                    // for which tiers and the like hold
  int64_t from_ns = 0, at_ns = 0;  // in which it was used
  std::map<std::string, Item> items;
  // Of providers' own tariffs that are passed through: octets by provider and item.
  std::map<std::pair<std::string, std::string>, uint64_t> passed;

  // What it comes to by the cycle's end, if it goes on like that.
  uint64_t octets_at_end(const std::string& item) const;
  uint64_t octets_at_end(const std::string& provider, const std::string& item) const;
  Amount charged_at_end(const Commit& commit, const Tariff& tariff) const;
};

// Of usage up to then, by the prices it was counted for.
TariffUse tariff_use(const PeriodUsage& usage, int64_t now_ns);

// Whether an octet's price hangs on what was used before it.
bool depends_on_use(const Tariff& tariff);

}  // namespace anabranch::billing
