// SPDX-License-Identifier: BSD-3-Clause
#include "billing/tariff_use.h"

#include <algorithm>

#include "billing/price.h"

namespace anabranch::billing {
namespace {

// Of a whole that goes on as it did: the times of what was seen.
double times_at_end(const TariffUse& use) {
  const int64_t elapsed = std::max(use.at_ns - use.from_ns, TariffUse::kElapsedLeastNs);
  const int64_t whole = use.cycle.to_ns - use.from_ns;
  return std::max(1.0, static_cast<double>(whole) / static_cast<double>(elapsed));
}

uint64_t grown(uint64_t octets, double times) {
  const double sum = static_cast<double>(octets) * times;
  return sum < 1e18 ? static_cast<uint64_t>(sum) : static_cast<uint64_t>(1e18);
}

template <typename Map, typename Key>
auto found_in(const Map& map, const Key& key) {
  const auto found = map.find(key);
  return found == map.end() ? typename Map::mapped_type() : found->second;
}

}  // namespace

uint64_t TariffUse::octets_at_end(const std::string& item) const {
  return grown(found_in(octets, item), times_at_end(*this));
}

uint64_t TariffUse::octets_at_end(const std::string& provider, const std::string& item) const {
  return grown(found_in(passed, ByProvider(provider, item)), times_at_end(*this));
}

bool TariffUse::is_paid_for(const TariffItem& item, const std::string& provider,
                            const TariffItem& of, const Tariff& tariff) const {
  const auto* commit = std::get_if<Commit>(&of.model);
  if (commit == nullptr || !charged) return false;
  const auto counts = [&](const TariffItem& i, const std::string& whose) {
    if (!of.providers.empty() && of.providers[0] != whose) return false;
    if (commit->items.empty()) return i.charges_usage();
    return std::find(commit->items.begin(), commit->items.end(), i.id) != commit->items.end();
  };
  if (!counts(item, provider)) return false;
  double sum = 0;
  for (const auto& [by, amount] : *charged) {
    const auto found = std::find_if(tariff.items.begin(), tariff.items.end(),
                                    [&](const TariffItem& i) { return i.id == by.second; });
    if (found != tariff.items.end() && counts(*found, by.first))
      sum += static_cast<double>(amount.attos());
  }
  return sum * times_at_end(*this) < static_cast<double>(commit->least.attos()) * share_of(of);
}

double TariffUse::share_of(const TariffItem& item) const {
  if (!item.prorated) return 1;
  return static_cast<double>(cycle.to_ns - from_ns) /
         static_cast<double>(cycle.to_ns - cycle.from_ns);
}

TariffUse tariff_use(const PeriodUsage& usage, const ExchangeRates& rates, int64_t now_ns) {
  const PriceList& prices = usage.prices();
  TariffUse use;
  use.tariff_version = prices.tariff().version;
  use.cycle = prices.cycle();
  use.from_ns = prices.part().from_ns;
  use.at_ns = now_ns;
  usage.each([&](const Place& place, const Count& count, const PriceList::Charging& charging) {
    if (charging.item == PriceList::kNone) return;
    use.octets[prices.tariff().items[charging.item].id] += count.octets;
    if (charging.passed != PriceList::kNone)
      use.passed[{place.provider, prices.item(charging, place.provider)->id}] += count.octets;
  });
  const auto charges = price(usage, rates);
  if (!charges) return use;
  use.charged.emplace();
  for (const ChargeLine& line : charges->lines)
    (*use.charged)[{line.provider, line.item}] += line.exact;
  return use;
}

bool depends_on_use(const Tariff& tariff) {
  return std::any_of(tariff.items.begin(), tariff.items.end(), [](const TariffItem& item) {
    return std::holds_alternative<Graduated>(item.model) ||
           std::holds_alternative<Volume>(item.model) ||
           std::holds_alternative<Allowance>(item.model) ||
           std::holds_alternative<Commit>(item.model) ||
           std::holds_alternative<PassThrough>(item.model);
  });
}

}  // namespace anabranch::billing
