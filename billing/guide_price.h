// SPDX-License-Identifier: BSD-3-Clause
// What an octet is expected to cost, for who chooses among paths before the period is known: by the
// first item that charges the client's own packets at any time of day. What is priced by the month
// alone (a percentile, a fee) costs nothing more for an octet more.
//
// Without what was used so far, it is the price of the first tier, or beyond an allowance. With it,
// it is that of the tier in which the period ends at its pace, nothing within an allowance that
// will not be used up, and nothing where a commitment is paid for that will not be reached.
#pragma once

#include <optional>
#include <string>

#include "billing/tariff.h"
#include "billing/tariff_use.h"

namespace anabranch::billing {

// Per octet. `passed`: the provider's own tariff, or null. `use`: or null. nullopt: the tariff has
// no item for it, so that nothing may be carried there for the client.
std::optional<Amount> guide_price(const Tariff& tariff, const std::string& provider,
                                  const std::string& network, const std::string& path,
                                  const Tariff* passed = nullptr, const TariffUse* use = nullptr);

}  // namespace anabranch::billing
