// SPDX-License-Identifier: BSD-3-Clause
#include "billing/guide_price.h"

#include <algorithm>

#include "billing/exact.h"

namespace anabranch::billing {
namespace {

struct PriceOf {
  uint64_t octets = 0;           // by the end of the period
  std::optional<Amount> theirs;  // by the provider's own tariff

  std::optional<Amount> operator()(const PerOctet& m) const { return m.price; }
  std::optional<Amount> operator()(const Graduated& m) const { return of_tier(m.tiers); }
  std::optional<Amount> operator()(const Volume& m) const { return of_tier(m.tiers); }
  std::optional<Amount> operator()(const Allowance& m) const {
    return octets != 0 && octets < m.octets ? Amount() : m.per_octet;
  }
  std::optional<Amount> operator()(const PassThrough& m) const {
    if (!theirs) return std::nullopt;
    const auto margin = Exact(*theirs).times(m.percent).times(1, 100).cut_off();
    return *theirs + margin.value_or(Amount()) + m.per_octet;
  }
  std::optional<Amount> operator()(const auto&) const { return Amount(); }

 private:
  Amount of_tier(const std::vector<Tier>& tiers) const {
    const auto tier =
        std::find_if(tiers.begin(), tiers.end(), [&](const Tier& t) { return octets < t.up_to; });
    return (tier == tiers.end() ? tiers.back() : *tier).per_octet;
  }
};

const TariffItem* charging_item(const Tariff& tariff, const std::string& provider,
                                const std::string& network, const std::string& path) {
  const auto charges = [&](const TariffItem& item) {
    return item.charges_usage() && item.charges(Kind::first) && item.is_of(provider, network, path);
  };
  const auto end = tariff.items.end();
  auto item = std::find_if(tariff.items.begin(), end,
                           [&](const TariffItem& i) { return i.times.empty() && charges(i); });
  if (item == end) item = std::find_if(tariff.items.begin(), end, charges);
  return item == end ? nullptr : &*item;
}

// A commitment of which the item is, and that will not be reached.
bool is_paid_for(const TariffItem& item, const Tariff& tariff, const TariffUse& use) {
  return std::any_of(tariff.items.begin(), tariff.items.end(), [&](const TariffItem& i) {
    const auto* commit = std::get_if<Commit>(&i.model);
    if (commit == nullptr) return false;
    const bool is_of =
        commit->items.empty() ||
        std::find(commit->items.begin(), commit->items.end(), item.id) != commit->items.end();
    return is_of && use.charged_at_end(*commit, tariff) < commit->least;
  });
}

}  // namespace

std::optional<Amount> guide_price(const Tariff& tariff, const std::string& provider,
                                  const std::string& network, const std::string& path,
                                  const Tariff* passed, const TariffUse* use) {
  const TariffItem* item = charging_item(tariff, provider, network, path);
  if (item == nullptr) return std::nullopt;
  PriceOf price;
  if (use != nullptr) price.octets = use->octets_at_end(item->id);
  if (passed != nullptr && std::holds_alternative<PassThrough>(item->model)) {
    const TariffItem* theirs = charging_item(*passed, provider, network, path);
    PriceOf their_price;
    if (use != nullptr && theirs != nullptr)
      their_price.octets = use->octets_at_end(provider, theirs->id);
    if (theirs != nullptr) price.theirs = std::visit(their_price, theirs->model);
  }
  const auto result = std::visit(price, item->model);
  if (result && use != nullptr && is_paid_for(*item, tariff, *use)) return Amount();
  return result;
}

}  // namespace anabranch::billing
