// SPDX-License-Identifier: BSD-3-Clause
// The lines that a tariff makes of what its items count: usage, fees, what is passed through, and
// what is missing to a commit.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "billing/exchange_rates.h"
#include "billing/period_usage.h"
#include "billing/price_models.h"

namespace anabranch::billing {

// The octets of a period by what charges them.
using ItemCounts = std::vector<ByProvider>;  // of each item of a tariff
struct Counted {
  ItemCounts own;
  // Where an item passes a provider's tariff through: of each item of that.
  std::map<std::pair<uint16_t, std::string>, ItemCounts> passed;
};

class PriceLines {
 public:
  PriceLines(const PeriodUsage& usage, const ExchangeRates& rates)
      : usage_(usage), prices_(usage.prices()), rates_(rates) {}
  tl::expected<std::vector<Priced>, std::string> all(const Counted& counted) const;

 private:
  using Status = tl::expected<void, std::string>;

  std::vector<Priced> items(const Tariff& tariff, const ItemCounts& counted, uint16_t passing,
                            const std::string& provider) const;
  tl::expected<std::vector<Priced>, std::string> pass_through(uint16_t passing,
                                                              const std::string& provider,
                                                              const ItemCounts& counted,
                                                              bool fees) const;
  tl::expected<std::optional<Conversion>, std::string> conversion(const Tariff& theirs) const;
  Status add_commits(const Tariff& tariff, std::vector<Priced>& lines) const;
  Share share_of(const TariffItem& item) const;

  const PeriodUsage& usage_;
  const PriceList& prices_;
  const ExchangeRates& rates_;
};

}  // namespace anabranch::billing
