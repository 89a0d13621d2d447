// SPDX-License-Identifier: BSD-3-Clause
// A month of an account, for the tests: June 2026 in Berlin unless another is given.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "billing/price.h"

namespace anabranch::billing {

using Documents = std::map<std::string, nlohmann::json>;  // by provider

inline constexpr uint64_t kGb = kOctetsPerGb;
inline constexpr int64_t kSecondNs = 1'000'000'000, kHourNs = 3600 * kSecondNs;

inline Tariff parsed(const nlohmann::json& document) {
  auto tariff = parse_tariff(document);
  if (!tariff)
    throw std::runtime_error(tariff.error()[0].pointer + ": " + tariff.error()[0].detail);
  return *tariff;
}

inline std::shared_ptr<const PriceList> price_list(const BilledPeriod& period,
                                                   const nlohmann::json& tariff,
                                                   const Documents& providers = {},
                                                   const char* zone = "Europe/Berlin") {
  std::map<std::string, Tariff> own;
  for (const auto& [provider, document] : providers) own.emplace(provider, parsed(document));
  return PriceList::make(period, Zone::find(zone).value(), parsed(tariff), own).value();
}

inline BilledPeriod month_of(int year, unsigned month, const char* zone = "Europe/Berlin") {
  const Cycle cycle{Zone::find(zone).value(), 1};
  const Period whole = cycle.containing(cycle.zone.begin_ns({year, month, 15}));
  return {whole, whole};
}
inline BilledPeriod june() {
  return month_of(2026, 6);
}

// {"id": "t", "currency": "EUR", "items": […]}
inline nlohmann::json tariff_of(const std::vector<nlohmann::json>& items,
                                const char* currency = "EUR") {
  return {{"id", "t"}, {"currency", currency}, {"items", items}};
}

class Month {
 public:
  explicit Month(const nlohmann::json& tariff, const Documents& providers = {},
                 const BilledPeriod& period = june(), const char* zone = "Europe/Berlin")
      : usage(price_list(period, tariff, providers, zone)) {}

  int64_t begin() const { return usage.prices().part().from_ns; }
  // Octets of a provider's first sends, at an instant, an hour after the beginning by default.
  Month& used(const std::string& provider, uint64_t octets, int64_t after_ns = kHourNs,
              Kind kind = Kind::first, Direction direction = Direction::sent) {
    const int64_t at = begin() + after_ns;
    usage.add(usage.place({provider, "net", provider + "-link", "site-a"}), 1, direction, kind,
              {octets, octets / 1000}, {at, at});
    return *this;
  }
  PeriodCharges charges(const ExchangeRates& rates = {}) const {
    auto charged = price(usage, rates);
    if (!charged) throw std::runtime_error(charged.error());
    return *charged;
  }
  std::string refusal(const ExchangeRates& rates = {}) const {
    const auto charged = price(usage, rates);
    return charged ? "none" : charged.error();
  }
  std::string net() const { return to_text(charges().net); }

  PeriodUsage usage;
};

// "northfibre traffic 1.50, airmobile traffic 2.00"
inline std::string told(const PeriodCharges& charges) {
  std::string all;
  for (const ChargeLine& line : charges.lines)
    all += (all.empty() ? "" : ", ") + (line.provider.empty() ? "" : line.provider + " ") +
           line.item + (line.passed.empty() ? "" : "/" + line.passed) + " " + to_text(line.amount);
  return all;
}

}  // namespace anabranch::billing
