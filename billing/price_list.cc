// SPDX-License-Identifier: BSD-3-Clause
#include "billing/price_list.h"

#include <algorithm>
#include <iterator>

#include "billing/samples.h"

namespace anabranch::billing {
namespace {

bool matches(const TariffItem& item, const Place& place, Direction direction, Kind kind) {
  return item.charges_usage() && item.charges(kind) &&
         item.direction.value_or(direction) == direction &&
         item.is_of(place.provider, place.network, place.path);
}

// All windows of a tariff, item after item.
tl::expected<TimeBands::Calendar, std::string> calendar_of(const Tariff& tariff, const Zone& zone) {
  TimeBands::Calendar calendar{zone, {}};
  if (!tariff.zone.empty()) {
    auto own = Zone::find(tariff.zone);
    if (!own) return tl::unexpected("tariff " + tariff.id + ": " + own.error());
    calendar.zone = *own;
  }
  for (const TariffItem& item : tariff.items)
    calendar.windows.insert(calendar.windows.end(), item.times.begin(), item.times.end());
  return calendar;
}

template <typename M>
const TariffItem* any(const Tariff& tariff) {
  const auto found = std::find_if(tariff.items.begin(), tariff.items.end(), [](const auto& item) {
    return std::holds_alternative<M>(item.model);
  });
  return found == tariff.items.end() ? nullptr : &*found;
}

}  // namespace

tl::expected<std::shared_ptr<const PriceList>, std::string> PriceList::make(
    const BilledPeriod& period, const Zone& zone, Tariff tariff,
    std::map<std::string, Tariff> providers) {
  if (period.part.length_ns() <= 0 || period.cycle.length_ns() < period.part.length_ns())
    return tl::unexpected("tariff " + tariff.id +
                          ": the period is empty, or longer than the cycle it is of");
  std::shared_ptr<PriceList> list(
      new PriceList(period, zone, std::move(tariff), std::move(providers)));
  std::vector<TimeBands::Calendar> calendars;
  const auto add = [&](const Tariff& t) -> tl::expected<void, std::string> {
    auto calendar = calendar_of(t, zone);
    if (!calendar) return tl::unexpected(calendar.error());
    calendars.push_back(std::move(*calendar));
    list->percentiles_ |= any<Percentile>(t) != nullptr;
    return {};
  };
  if (auto added = add(list->tariff_); !added) return tl::unexpected(added.error());
  for (const auto& [provider, own] : list->providers_) {
    if (const TariffItem* again = any<PassThrough>(own))
      return tl::unexpected("tariff " + own.id + " of provider " + provider + ", item " +
                            again->id + ": passes through again; expected prices of its own");
    if (auto added = add(own); !added) return tl::unexpected(added.error());
  }
  auto bands = TimeBands::make(period.part, calendars);
  if (!bands) return tl::unexpected("tariff " + list->tariff_.id + ": " + bands.error());
  list->bands_ = std::move(*bands);
  return list;
}

const Tariff* PriceList::of_provider(const std::string& provider) const {
  const auto found = providers_.find(provider);
  return found == providers_.end() ? nullptr : &found->second;
}

size_t PriceList::calendar(const std::string& provider) const {
  return 1 + static_cast<size_t>(std::distance(providers_.begin(), providers_.find(provider)));
}

bool PriceList::holds(const Tariff& tariff, size_t calendar, uint16_t item, uint16_t band) const {
  const size_t windows = tariff.items[item].times.size();
  if (windows == 0) return true;
  size_t first = 0;
  for (size_t i = 0; i < item; ++i) first += tariff.items[i].times.size();
  const uint64_t mask = (windows == 64 ? ~uint64_t{0} : (uint64_t{1} << windows) - 1) << first;
  return (bands_.windows(band, calendar) & mask) != 0;
}

uint16_t PriceList::first_match(const Tariff& tariff, size_t calendar, const Place& place,
                                Direction direction, Kind kind, uint16_t band) const {
  for (uint16_t i = 0; i < tariff.items.size(); ++i) {
    if (matches(tariff.items[i], place, direction, kind) && holds(tariff, calendar, i, band))
      return i;
  }
  return kNone;
}

PriceList::Charging PriceList::charging(const Place& place, Direction direction, Kind kind,
                                        uint16_t band) const {
  Charging by{.item = first_match(tariff_, 0, place, direction, kind, band)};
  if (by.item == kNone || !std::holds_alternative<PassThrough>(tariff_.items[by.item].model))
    return by;
  if (const Tariff* own = of_provider(place.provider))
    by.passed = first_match(*own, calendar(place.provider), place, direction, kind, band);
  return by;
}

const TariffItem* PriceList::item(const Charging& charging, const std::string& provider) const {
  if (charging.item == kNone) return nullptr;
  const TariffItem& item = tariff_.items[charging.item];
  if (!std::holds_alternative<PassThrough>(item.model)) return &item;
  const Tariff* own = of_provider(provider);
  return own == nullptr || charging.passed == kNone ? nullptr : &own->items[charging.passed];
}

uint64_t PriceList::slots(const Charging& charging, const std::string& provider) const {
  const bool passed = charging.passed != kNone;
  const Tariff& tariff = passed ? *of_provider(provider) : tariff_;
  uint64_t count = 0;
  for (const TimeBands::Stretch& s : bands_.stretches()) {
    if (!holds(tariff, passed ? calendar(provider) : 0, passed ? charging.passed : charging.item,
               s.band))
      continue;
    // A slot is of the stretch in which it begins; one that the period cuts, of its first.
    const bool cut = s.period.from_ns == part().from_ns && s.period.from_ns % kSampleNs != 0;
    count +=
        static_cast<uint64_t>(sample_from(s.period.to_ns) - sample_from(s.period.from_ns)) + cut;
  }
  return count;
}

}  // namespace anabranch::billing
