// SPDX-License-Identifier: BSD-3-Clause
// How each way of charging makes lines of what an item counts. Pure functions.
//
// What an item comes to is divided among its providers. Tiers are: in each, a provider has octets
// in proportion to what it has left, whole ones, the largest fractions being rounded up; so octets
// times prices are exact in every line. A percentile is divided by the octets of the period.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "billing/exact.h"
#include "billing/period_charges.h"
#include "billing/tariff_item.h"

namespace anabranch::billing {

// A line before it is cut off and rounded.
struct Priced {
  ChargeLine line;
  Exact exact;
};
using ByProvider = std::map<std::string, Count>;

// What a billed part is of its cycle.
struct Share {
  Uint128 part = 1, whole = 1;
};

// Octets at one price.
struct Block {
  uint64_t octets = 0;
  Amount per_octet;
};
// Of PerOctet, Graduated, Volume, Allowance and Free.
std::vector<Block> blocks(const TariffItem& item, uint64_t octets, const Share& share);
// Each provider's octets of each block.
std::map<std::string, std::vector<Block>> divide(const std::vector<Block>& blocks,
                                                 const ByProvider& octets);

// The n-th percentile by nearest rank, as octets in a slot, of `slots` slots of which those not in
// `samples` are empty.
uint64_t percentile_octets(const Percentile& model, const PeriodUsage::Samples* samples,
                           uint64_t slots);

std::vector<Priced> price_octets(const TariffItem& item, const ByProvider& used,
                                 const Share& share);
std::vector<Priced> price_percentile(const TariffItem& item, const ByProvider& used,
                                     const PeriodUsage::Samples* samples, uint64_t slots,
                                     const Share& share);
Priced price_fee(const TariffItem& item, Amount fee, const Share& share);

}  // namespace anabranch::billing
