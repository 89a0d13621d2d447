// SPDX-License-Identifier: BSD-3-Clause
#include "billing/price_lines.h"

#include <algorithm>
#include <iterator>
#include <set>

namespace anabranch::billing {
namespace {

constexpr Uint128 kPercent = 100;

// Cuts off and rounds, each line once.
tl::expected<void, std::string> finish(std::vector<Priced>& lines, const Tariff& tariff) {
  const int digits = minor_digits(tariff.currency).value();
  for (Priced& p : lines) {
    const auto exact = p.exact.cut_off();
    if (!exact) {
      return tl::unexpected("tariff " + tariff.id + ", item " + p.line.item +
                            (p.line.provider.empty() ? "" : ", provider " + p.line.provider) +
                            ": comes to more than 10^20 " + tariff.currency +
                            "; a price must be wrong");
    }
    p.line.exact = *exact;
    p.line.amount = round_to_minor(*exact, digits);
  }
  return {};
}

bool covers(const TariffItem& commit, const Tariff& tariff, const ChargeLine& line) {
  if (!commit.providers.empty() && commit.providers[0] != line.provider) return false;
  const auto& named = std::get<Commit>(commit.model).items;
  if (!named.empty()) return std::find(named.begin(), named.end(), line.item) != named.end();
  return std::any_of(tariff.items.begin(), tariff.items.end(), [&](const TariffItem& item) {
    return item.id == line.item && item.charges_usage();
  });
}

}  // namespace

Share PriceLines::share_of(const TariffItem& item) const {
  if (!item.prorated) return {};
  return {static_cast<Uint128>(prices_.part().length_ns()),
          static_cast<Uint128>(prices_.cycle().length_ns())};
}

// Usage and fees, by one tariff; `passing` and `provider` where it is passed through.
std::vector<Priced> PriceLines::items(const Tariff& tariff, const ItemCounts& counted,
                                      uint16_t passing, const std::string& provider) const {
  std::vector<Priced> lines;
  for (uint16_t i = 0; i < tariff.items.size(); ++i) {
    const TariffItem& item = tariff.items[i];
    std::vector<Priced> made;
    if (const auto* flat = std::get_if<Flat>(&item.model)) {
      made.push_back(price_fee(item, flat->fee, share_of(item)));
    } else if (std::holds_alternative<Percentile>(item.model)) {
      const auto by = passing == PriceList::kNone ? PriceList::Charging{i, PriceList::kNone}
                                                  : PriceList::Charging{passing, i};
      made = price_percentile(item, counted[i], usage_.samples(by, provider),
                              prices_.slots(by, provider), share_of(item));
    } else if (item.charges_usage() && !std::holds_alternative<PassThrough>(item.model)) {
      made = price_octets(item, counted[i], share_of(item));
    }
    std::move(made.begin(), made.end(), std::back_inserter(lines));
  }
  return lines;
}

// What is missing is taken from rounded lines, so that they and it come to the commit exactly.
PriceLines::Status PriceLines::add_commits(const Tariff& tariff, std::vector<Priced>& lines) const {
  const size_t charged = lines.size();
  for (const TariffItem& item : tariff.items) {
    const auto* commit = std::get_if<Commit>(&item.model);
    if (commit == nullptr) continue;
    Exact covered;
    for (size_t i = 0; i < charged; ++i) {
      if (covers(item, tariff, lines[i].line)) covered = covered + Exact(lines[i].line.amount);
    }
    std::vector<Priced> fee{price_fee(item, commit->least, share_of(item))};
    if (auto finished = finish(fee, tariff); !finished) return finished;
    ChargeLine& line = fee[0].line;
    const auto reached = covered.cut_off();
    if (!reached || *reached >= line.amount) continue;
    line.exact = line.amount = line.amount + -*reached;
    line.at = {{Amount::from_attos(kAttosPerUnit), line.amount}};
    fee[0].exact = Exact(line.amount);
    lines.push_back(std::move(fee[0]));
  }
  return {};
}

tl::expected<std::optional<Conversion>, std::string> PriceLines::conversion(
    const Tariff& theirs) const {
  const Tariff& ours = prices_.tariff();
  if (theirs.currency == ours.currency) return std::nullopt;
  auto found =
      rates_.find(theirs.currency, ours.currency, prices_.zone().day_of(prices_.part().to_ns - 1));
  if (!found)
    return tl::unexpected("tariff " + ours.id + " passes " + theirs.id +
                          " through: " + found.error());
  return *found;
}

// A provider's own lines, in our tariff's currency and with the item's margin; its margin per GB is
// a line of its own.
tl::expected<std::vector<Priced>, std::string> PriceLines::pass_through(uint16_t passing,
                                                                        const std::string& provider,
                                                                        const ItemCounts& counted,
                                                                        bool fees) const {
  const Tariff& theirs = *prices_.of_provider(provider);
  const TariffItem& item = prices_.tariff().items[passing];
  const auto& margin = std::get<PassThrough>(item.model);
  const auto conversion = this->conversion(theirs);
  if (!conversion) return tl::unexpected(conversion.error());
  std::vector<Priced> lines = items(theirs, counted, passing, provider);
  if (auto finished = finish(lines, theirs); !finished) return tl::unexpected(finished.error());
  if (auto added = add_commits(theirs, lines); !added) return tl::unexpected(added.error());
  if (!fees) std::erase_if(lines, [](const Priced& p) { return p.line.unit == Unit::cycle; });
  const auto ours = [&](const Exact& amount) {
    const Exact with_margin =
        amount.times(Amount::from_attos(100 * kAttosPerUnit) + margin.percent).times(1, kPercent);
    if (!*conversion) return with_margin;
    return with_margin.times(static_cast<Uint128>((*conversion)->of_to.attos()),
                             static_cast<Uint128>((*conversion)->of_from.attos()));
  };
  ByProvider octets;
  for (Priced& p : lines) {
    octets[provider].octets += p.line.count.octets;
    p.line.provider = provider;
    p.line.passed = std::exchange(p.line.item, item.id);
    if (!item.description.empty())
      p.line.description = item.description + ": " + p.line.description;
    p.line.conversion = *conversion;
    p.line.tax = item.tax;
    p.exact = ours(p.exact);
    for (ChargedAt& at : p.line.at) at.price = ours(Exact(at.price)).cut_off().value_or(Amount());
  }
  if (margin.per_octet != Amount()) {
    TariffItem per_gb = item;
    per_gb.model = PerOctet{margin.per_octet};
    for (Priced& p : price_octets(per_gb, octets, {})) {
      p.line.count = {};  // those of the lines above
      lines.push_back(std::move(p));
    }
  }
  if (auto finished = finish(lines, prices_.tariff()); !finished)
    return tl::unexpected(finished.error());
  return lines;
}

tl::expected<std::vector<Priced>, std::string> PriceLines::all(const Counted& counted) const {
  const Tariff& tariff = prices_.tariff();
  std::vector<Priced> lines = items(tariff, counted.own, PriceList::kNone, {});
  if (auto finished = finish(lines, tariff); !finished) return tl::unexpected(finished.error());
  std::set<std::string> seen;  // providers whose fees are passed on already
  for (const auto& [by, items] : counted.passed) {
    auto passed = pass_through(by.first, by.second, items, seen.insert(by.second).second);
    if (!passed) return passed;
    std::move(passed->begin(), passed->end(), std::back_inserter(lines));
  }
  if (auto added = add_commits(tariff, lines); !added) return tl::unexpected(added.error());
  return lines;
}

}  // namespace anabranch::billing
