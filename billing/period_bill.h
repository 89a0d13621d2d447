// SPDX-License-Identifier: BSD-3-Clause
// What an account's period comes to, before it is presented: charges of each stretch of the period,
// corrections of periods before, and credits by the agreement. Pure functions.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>
#include <tl/expected.hpp>

#include "billing/agreement.h"
#include "billing/exchange_rates.h"
#include "billing/period_charges.h"
#include "billing/period_collector.h"

namespace anabranch::billing {

struct BilledLine {
  ChargeLine line;
  std::optional<Period> period;  // where it is not the statement's
  nlohmann::json evidence;       // of a credit
};

struct PeriodBill {
  std::string currency;
  std::vector<std::pair<std::string, std::string>> tariffs;  // id and version, the last one last
  std::vector<BilledLine> lines;
};

// In `currency`, by the rates of the period's last day; empty: the tariff's. The error, in words.
tl::expected<PeriodBill, std::string> make_bill(const PeriodCollector& usage,
                                                const std::string& currency,
                                                const ExchangeRates& rates);

// What was charged, as it is kept, and what charges of now differ from it by. A line is that of a
// provider, an item and a tax.
nlohmann::json kept_lines(std::span<const BilledLine> lines);
std::vector<BilledLine> differences(const nlohmann::json& kept, std::span<const BilledLine> now,
                                    const Period& period);

// A service's minutes of the period.
struct ServiceMinutes {
  uint64_t service = 0;
  std::string gateway;
  std::vector<Measurement> minutes;
};
// Credits, one a service, promise and tax. A service's part of the charges is that of its octets.
// Never more than the service came to.
std::vector<BilledLine> credits(const Agreement& agreement,
                                std::span<const ServiceMinutes> services,
                                const PeriodCollector& usage, const PeriodBill& bill);

}  // namespace anabranch::billing
