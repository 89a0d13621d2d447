// SPDX-License-Identifier: BSD-3-Clause
#include "billing/guide_price.h"

#include <algorithm>

#include "billing/exact.h"

namespace anabranch::billing {
namespace {

struct PriceOf {
  std::optional<Amount> theirs;  // by the provider's own tariff

  std::optional<Amount> operator()(const PerOctet& m) const { return m.price; }
  std::optional<Amount> operator()(const Graduated& m) const { return m.tiers.front().per_octet; }
  std::optional<Amount> operator()(const Volume& m) const { return m.tiers.front().per_octet; }
  std::optional<Amount> operator()(const Allowance& m) const { return m.per_octet; }
  std::optional<Amount> operator()(const PassThrough& m) const {
    if (!theirs) return std::nullopt;
    const auto margin = Exact(*theirs).times(m.percent).times(1, 100).cut_off();
    return *theirs + margin.value_or(Amount()) + m.per_octet;
  }
  std::optional<Amount> operator()(const auto&) const { return Amount(); }
};

}  // namespace

std::optional<Amount> guide_price(const Tariff& tariff, const std::string& provider,
                                  const std::string& network, const std::string& path,
                                  const Tariff* passed) {
  const auto charges = [&](const TariffItem& item) {
    return item.charges_usage() && item.charges(Kind::first) && item.is_of(provider, network, path);
  };
  auto item = std::find_if(tariff.items.begin(), tariff.items.end(),
                           [&](const TariffItem& i) { return i.times.empty() && charges(i); });
  if (item == tariff.items.end())
    item = std::find_if(tariff.items.begin(), tariff.items.end(), charges);
  if (item == tariff.items.end()) return std::nullopt;
  PriceOf price;
  if (passed != nullptr && std::holds_alternative<PassThrough>(item->model))
    price.theirs = guide_price(*passed, provider, network, path);
  return std::visit(price, item->model);
}

}  // namespace anabranch::billing
