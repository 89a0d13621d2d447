// SPDX-License-Identifier: BSD-3-Clause
// How far an account is into its tariff in a period: on that hangs what an octet more costs it,
// where the tariff has tiers, an allowance or a commitment.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "billing/exchange_rates.h"
#include "billing/money.h"
#include "billing/period_usage.h"
#include "billing/tariff.h"

namespace anabranch::billing {

struct TariffUse {
  // What less than a day was says little of the end yet: it counts as a day.
  static constexpr int64_t kElapsedLeastNs = 86'400LL * 1'000'000'000;

  std::string tariff_version;
  Period cycle;                            // for which tiers and the like hold
  int64_t from_ns = 0, at_ns = 0;          // in which it was used
  std::map<std::string, uint64_t> octets;  // by item
  // By provider and item: octets of providers' own tariffs that are passed through; and what is
  // charged, nullopt where that cannot be said.
  using ByProvider = std::pair<std::string, std::string>;
  std::map<ByProvider, uint64_t> passed;
  std::optional<std::map<ByProvider, Amount>> charged;

  // What it comes to by the cycle's end, if it goes on like that.
  uint64_t octets_at_end(const std::string& item) const;
  uint64_t octets_at_end(const std::string& provider, const std::string& item) const;
  // Whether what an item charges of a provider is of this commitment, and it will not be reached.
  bool is_paid_for(const TariffItem& item, const std::string& provider, const TariffItem& commit,
                   const Tariff& tariff) const;
  // Of an allowance or a commitment of a cycle, what is of this part of it.
  double share_of(const TariffItem& item) const;
};

// Of usage up to then, by the prices it was counted for.
TariffUse tariff_use(const PeriodUsage& usage, const ExchangeRates& rates, int64_t now_ns);

// Whether an octet's price hangs on what was used before it.
bool depends_on_use(const Tariff& tariff);

}  // namespace anabranch::billing
