// SPDX-License-Identifier: BSD-3-Clause
#include "billing/price.h"

#include <algorithm>

#include "billing/price_lines.h"

namespace anabranch::billing {
namespace {

bool add(Count& into, const Count& count) {
  return !__builtin_add_overflow(into.octets, count.octets, &into.octets) &&
         !__builtin_add_overflow(into.packets, count.packets, &into.packets);
}

// The first octets, in the order of what is said of them, that no item charges.
std::string unpriced(const PeriodUsage& usage) {
  const PriceList& prices = usage.prices();
  const auto lines = usage.lines();
  const auto line = std::find_if(lines.begin(), lines.end(), [&](const PeriodUsage::Line& l) {
    return prices.item(l.charging, l.place.provider) == nullptr;
  });
  const Place& place = line->place;
  const std::string what = std::to_string(line->count.octets) + " octets (" +
                           std::string(kKindNames[static_cast<size_t>(line->kind)]) + ", " +
                           std::string(kDirectionNames[static_cast<size_t>(line->direction)]) +
                           ") of provider " + place.provider + ", path " + place.path;
  const auto nothing = [&](const Tariff& tariff) {
    return "tariff " + tariff.id + ": no item charges " + what +
           "; add one that does, or one that is free";
  };
  if (line->charging.item == PriceList::kNone) return nothing(prices.tariff());
  if (const Tariff* own = prices.of_provider(place.provider)) return nothing(*own);
  return "tariff " + prices.tariff().id + ", item " +
         prices.tariff().items[line->charging.item].id + ": provider " + place.provider +
         " has no tariff that could be passed through, for " + what;
}

tl::expected<Counted, std::string> count(const PeriodUsage& usage) {
  const PriceList& prices = usage.prices();
  Counted counted;
  counted.own.resize(prices.tariff().items.size());
  Count total;
  bool fits = !usage.overflow(), priced = true;
  usage.each([&](const Place& place, const Count& count, const PriceList::Charging& charging) {
    if (prices.item(charging, place.provider) == nullptr) {
      priced = false;
      return;
    }
    ItemCounts* items = &counted.own;
    uint16_t item = charging.item;
    if (charging.passed != PriceList::kNone) {
      items = &counted.passed[{item, place.provider}];
      items->resize(prices.of_provider(place.provider)->items.size());
      item = charging.passed;
    }
    fits = fits && add(total, count) && add((*items)[item][place.provider], count);
  });
  if (!priced) return tl::unexpected(unpriced(usage));
  if (!fits)
    return tl::unexpected("tariff " + prices.tariff().id +
                          ": the usage of the period is more than 2^64 octets or packets; a meter "
                          "must be wrong");
  return counted;
}

// By provider; what is nobody's is first. A provider's lines stay in the order of the tariffs.
void sort(std::vector<ChargeLine>& lines, const Tariff& tariff) {
  std::map<std::string, size_t> place;
  for (const TariffItem& item : tariff.items) place.emplace(item.id, place.size());
  std::stable_sort(lines.begin(), lines.end(), [&](const ChargeLine& a, const ChargeLine& b) {
    return std::tie(a.provider, place.at(a.item)) < std::tie(b.provider, place.at(b.item));
  });
}

}  // namespace

tl::expected<PeriodCharges, std::string> price(const PeriodUsage& usage,
                                               const ExchangeRates& rates) {
  const PriceList& prices = usage.prices();
  const auto counted = count(usage);
  if (!counted) return tl::unexpected(counted.error());
  auto lines = PriceLines(usage, rates).all(*counted);
  if (!lines) return tl::unexpected(lines.error());
  PeriodCharges charges{.tariff = prices.tariff().id,
                        .tariff_version = prices.tariff().version,
                        .currency = prices.tariff().currency,
                        .period = prices.part()};
  for (const auto& [by, items] : counted->passed) {
    const Tariff& own = *prices.of_provider(by.second);
    charges.passed[by.second] = {own.id, own.version};
  }
  for (Priced& priced : *lines) charges.lines.push_back(std::move(priced.line));
  sort(charges.lines, prices.tariff());
  if (auto summed = sum_up(charges); !summed) return tl::unexpected(summed.error());
  return charges;
}

}  // namespace anabranch::billing
