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
  return grown(found_in(items, item).octets, times_at_end(*this));
}

uint64_t TariffUse::octets_at_end(const std::string& provider, const std::string& item) const {
  return grown(found_in(passed, std::pair(provider, item)), times_at_end(*this));
}

Amount TariffUse::charged_at_end(const Commit& commit, const Tariff& tariff) const {
  Amount sum;
  for (const TariffItem& item : tariff.items) {
    const bool counts = commit.items.empty() ? item.charges_usage()
                                             : std::find(commit.items.begin(), commit.items.end(),
                                                         item.id) != commit.items.end();
    if (counts) sum += found_in(items, item.id).charged;
  }
  constexpr double kMost = 1e30;  // attos; above any commitment
  const double grown_sum = static_cast<double>(sum.attos()) * times_at_end(*this);
  return Amount::from_attos(static_cast<Int128>(std::min(grown_sum, kMost)));
}

TariffUse tariff_use(const PeriodUsage& usage, int64_t now_ns) {
  const PriceList& prices = usage.prices();
  TariffUse use{.cycle = prices.cycle(),
                .from_ns = prices.part().from_ns,
                .at_ns = now_ns,
                .items = {},
                .passed = {}};
  usage.each([&](const Place& place, const Count& count, const PriceList::Charging& charging) {
    if (charging.item == PriceList::kNone) return;
    use.items[prices.tariff().items[charging.item].id].octets += count.octets;
    if (charging.passed != PriceList::kNone)
      use.passed[{place.provider, prices.item(charging, place.provider)->id}] += count.octets;
  });
  // Without: no commitment is known to be reached, and what is charged is what counts.
  if (const auto charges = price(usage)) {
    for (const ChargeLine& line : charges->lines) use.items[line.item].charged += line.exact;
  }
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
