// SPDX-License-Identifier: BSD-3-Clause
#include "billing/guide_price.h"

#include <algorithm>

#include "billing/exact.h"

namespace anabranch::billing {
namespace {

struct PriceOf {
  std::optional<uint64_t> octets;  // by the end of the period; nullopt: not known
  double share = 1;                // of an allowance, for this part of a cycle
  std::optional<Amount> theirs;    // by the provider's own tariff

  std::optional<Amount> operator()(const PerOctet& m) const { return m.price; }
  std::optional<Amount> operator()(const Graduated& m) const { return of_tier(m.tiers); }
  std::optional<Amount> operator()(const Volume& m) const { return of_tier(m.tiers); }
  std::optional<Amount> operator()(const Allowance& m) const {
    const bool will_do =
        octets && static_cast<double>(*octets) < static_cast<double>(m.octets) * share;
    return will_do ? Amount() : m.per_octet;
  }
  std::optional<Amount> operator()(const PassThrough& m) const {
    if (!theirs) return std::nullopt;
    const auto margin = Exact(*theirs).times(m.percent).times(1, 100).cut_off();
    return *theirs + margin.value_or(Amount()) + m.per_octet;
  }
  std::optional<Amount> operator()(const auto&) const { return Amount(); }

 private:
  Amount of_tier(const std::vector<Tier>& tiers) const {
    const auto tier = std::find_if(tiers.begin(), tiers.end(),
                                   [&](const Tier& t) { return octets.value_or(0) < t.up_to; });
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

PriceOf price_of(const TariffItem& item, std::optional<uint64_t> octets, const TariffUse* use) {
  PriceOf price;
  price.octets = octets;
  if (use != nullptr) price.share = use->share_of(item);
  return price;
}

}  // namespace

std::optional<Amount> guide_price(const Tariff& tariff, const std::string& provider,
                                  const std::string& network, const std::string& path,
                                  const Tariff* passed, const TariffUse* use) {
  const TariffItem* item = charging_item(tariff, provider, network, path);
  if (item == nullptr) return std::nullopt;
  const auto known = [&](auto... of) {
    return use == nullptr ? std::nullopt : std::optional(use->octets_at_end(of...));
  };
  PriceOf price = price_of(*item, known(item->id), use);
  if (passed != nullptr && std::holds_alternative<PassThrough>(item->model)) {
    if (const TariffItem* theirs = charging_item(*passed, provider, network, path))
      price.theirs = std::visit(price_of(*theirs, known(provider, theirs->id), use), theirs->model);
  }
  const auto result = std::visit(price, item->model);
  const bool is_paid_for =
      use != nullptr &&
      std::any_of(tariff.items.begin(), tariff.items.end(), [&](const TariffItem& commit) {
        return use->is_paid_for(*item, provider, commit, tariff);
      });
  return result && is_paid_for ? Amount() : result;
}

}  // namespace anabranch::billing
