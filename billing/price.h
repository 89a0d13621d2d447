// SPDX-License-Identifier: BSD-3-Clause
// From what an account used in a period to what it is charged: a pure function. The same usage,
// price list and rates give the same charges, to the last octet and coin.
#pragma once

#include <string>

#include <tl/expected.hpp>

#include "billing/exchange_rates.h"
#include "billing/period_charges.h"
#include "billing/period_usage.h"

namespace anabranch::billing {

// The error, in words: usage that no item charges, a provider's tariff or an exchange rate that is
// not there, a sum that is beyond what can be counted. Rates are those of the period's last day in
// the account's zone.
tl::expected<PeriodCharges, std::string> price(const PeriodUsage& usage,
                                               const ExchangeRates& rates = {});

}  // namespace anabranch::billing
