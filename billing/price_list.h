// SPDX-License-Identifier: BSD-3-Clause
// By what an account's period is charged: its tariff, the providers' tariffs that it may pass
// through, and the times of day of all of them. Usage is counted by what these ask for. Immutable.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include <tl/expected.hpp>

#include "billing/period.h"
#include "billing/tariff.h"
#include "billing/time_bands.h"

namespace anabranch::billing {

// Where an octet was counted.
struct Place {
  std::string provider, network, path, gateway;
  auto operator<=>(const Place&) const = default;
};

class PriceList {
 public:
  static constexpr uint16_t kNone = UINT16_MAX;
  // An item of the tariff and, where that passes through, one of the provider's own.
  struct Charging {
    uint16_t item = kNone, passed = kNone;
    auto operator<=>(const Charging&) const = default;
  };

  // `zone`: the account's. The error: a provider's tariff that passes through again, an empty
  // period, a zone that this machine does not have.
  static tl::expected<std::shared_ptr<const PriceList>, std::string> make(
      const BilledPeriod& period, const Zone& zone, Tariff tariff,
      std::map<std::string, Tariff> providers = {});

  const Period& part() const { return period_.part; }
  const Period& cycle() const { return period_.cycle; }
  const Zone& zone() const { return zone_; }
  const Tariff& tariff() const { return tariff_; }
  const Tariff* of_provider(const std::string& provider) const;
  const TimeBands& bands() const { return bands_; }
  bool has_percentiles() const { return percentiles_; }

  // The first item that matches, or none.
  Charging charging(const Place& place, Direction direction, Kind kind, uint16_t band) const;
  // The item that counts: of the provider's tariff, where one is passed through.
  const TariffItem* item(const Charging& charging, const std::string& provider) const;
  // Of how many five-minute slots in the period an item's percentile is taken.
  uint64_t slots(const Charging& charging, const std::string& provider) const;

 private:
  PriceList(const BilledPeriod& period, const Zone& zone, Tariff tariff,
            std::map<std::string, Tariff> providers)
      : period_(period),
        zone_(zone),
        tariff_(std::move(tariff)),
        providers_(std::move(providers)) {}

  size_t calendar(const std::string& provider) const;
  uint16_t first_match(const Tariff& tariff, size_t calendar, const Place& place,
                       Direction direction, Kind kind, uint16_t band) const;
  bool holds(const Tariff& tariff, size_t calendar, uint16_t item, uint16_t band) const;

  BilledPeriod period_;
  Zone zone_;
  Tariff tariff_;
  std::map<std::string, Tariff> providers_;
  TimeBands bands_;  // calendars: the tariff's, then each provider's in the order of their names
  bool percentiles_ = false;
};

}  // namespace anabranch::billing
