// SPDX-License-Identifier: BSD-3-Clause
#include "billing/price_models.h"

#include <algorithm>

#include "billing/samples.h"

namespace anabranch::billing {
namespace {

constexpr Uint128 kBitsPerMbit = 1'000'000;

// A decimal number of attos; what is beyond is cut off.
Amount ratio(Uint128 numerator, Uint128 denominator) {
  return Exact(Amount::from_attos(kAttosPerUnit))
      .times(numerator, denominator)
      .cut_off()
      .value_or(Amount());
}

Amount gb(uint64_t octets) {
  return ratio(octets, kOctetsPerGb);
}

Priced line_of(const TariffItem& item, const std::string& provider, Unit unit) {
  return {{.provider = provider,
           .item = item.id,
           .description = item.description.empty() ? item.id : item.description,
           .unit = unit,
           .tax = item.tax},
          {}};
}

uint64_t octets_of(const ByProvider& used) {
  uint64_t sum = 0;
  for (const auto& [provider, count] : used) sum += count.octets;
  return sum;
}

std::string owner(const TariffItem& item) {
  return item.providers.size() == 1 ? item.providers[0] : std::string();
}

}  // namespace

std::vector<Block> blocks(const TariffItem& item, uint64_t octets, const Share& share) {
  if (const auto* model = std::get_if<PerOctet>(&item.model)) return {{octets, model->price}};
  if (const auto* model = std::get_if<Allowance>(&item.model)) {
    const Uint128 allowed = static_cast<Uint128>(model->octets) * share.part / share.whole;
    const auto free = static_cast<uint64_t>(std::min<Uint128>(octets, allowed));
    return {{free, Amount()}, {octets - free, model->per_octet}};
  }
  if (const auto* model = std::get_if<Volume>(&item.model)) {
    const auto reached = std::find_if(model->tiers.begin(), model->tiers.end(),
                                      [&](const Tier& t) { return octets <= t.up_to; });
    return {{octets, reached->per_octet}};
  }
  if (const auto* model = std::get_if<Graduated>(&item.model)) {
    std::vector<Block> all;
    uint64_t below = 0;
    for (const Tier& tier : model->tiers) {
      const uint64_t up_to = std::min(octets, tier.up_to);
      if (up_to <= below) break;
      all.push_back({up_to - below, tier.per_octet});
      below = up_to;
    }
    return all;
  }
  return {{octets, Amount()}};
}

std::map<std::string, std::vector<Block>> divide(const std::vector<Block>& blocks,
                                                 const ByProvider& octets) {
  std::map<std::string, std::vector<Block>> result;
  std::map<std::string, uint64_t> left;
  uint64_t all_left = octets_of(octets);
  for (const auto& [provider, count] : octets) left[provider] = count.octets;
  for (const Block& block : blocks) {
    if (block.octets == 0) continue;
    struct Part {
      std::string provider;
      uint64_t octets, fraction;
    };
    std::vector<Part> parts;
    uint64_t unassigned = block.octets;
    for (const auto& [provider, own] : left) {
      const Uint128 product = static_cast<Uint128>(block.octets) * own;
      parts.push_back({provider, static_cast<uint64_t>(product / all_left),
                       static_cast<uint64_t>(product % all_left)});
      unassigned -= parts.back().octets;
    }
    std::stable_sort(parts.begin(), parts.end(),
                     [](const Part& a, const Part& b) { return a.fraction > b.fraction; });
    for (Part& part : parts) {
      const uint64_t own = part.octets + (unassigned > 0 ? 1 : 0);
      unassigned -= unassigned > 0 ? 1 : 0;
      left[part.provider] -= own;
      if (own > 0) result[part.provider].push_back({own, block.per_octet});
    }
    all_left -= block.octets;
  }
  return result;
}

uint64_t percentile_octets(const Percentile& model, const PeriodUsage::Samples* samples,
                           uint64_t slots) {
  if (samples == nullptr) return 0;
  const auto of = [&](auto octets) -> uint64_t {
    std::vector<uint64_t> busy;
    for (const auto& slot : *samples) {
      if (const uint64_t value = octets(slot); value > 0) busy.push_back(value);
    }
    slots = std::max<uint64_t>(slots, busy.size());
    const auto rank =
        static_cast<uint64_t>((static_cast<Uint128>(slots) * model.percent + 99) / 100);  // from 1
    const uint64_t empty = slots - busy.size();
    if (rank <= empty) return 0;
    const auto nth = busy.begin() + static_cast<std::ptrdiff_t>(rank - empty - 1);
    std::nth_element(busy.begin(), nth, busy.end());
    return *nth;
  };
  if (model.of == Percentile::Of::sum) return of([](const auto& s) { return s[0] + s[1]; });
  return std::max(of([](const auto& s) { return s[0]; }), of([](const auto& s) { return s[1]; }));
}

std::vector<Priced> price_octets(const TariffItem& item, const ByProvider& used,
                                 const Share& share) {
  const auto divided = divide(blocks(item, octets_of(used), share), used);
  std::vector<Priced> all;
  for (const auto& [provider, count] : used) {
    Priced priced = line_of(item, provider, Unit::gb);
    priced.line.count = count;
    const auto own = divided.find(provider);
    for (const Block& block : own == divided.end() ? std::vector<Block>() : own->second) {
      priced.exact = priced.exact + Exact(block.per_octet).times(block.octets);
      priced.line.at.push_back({gb(block.octets), block.per_octet.times(kOctetsPerGb)});
    }
    all.push_back(std::move(priced));
  }
  return all;
}

std::vector<Priced> price_percentile(const TariffItem& item, const ByProvider& used,
                                     const PeriodUsage::Samples* samples, uint64_t slots,
                                     const Share& share) {
  const auto& model = std::get<Percentile>(item.model);
  // In 1/300 bit/s, so that a slot's octets are a whole number.
  const Uint128 measured = static_cast<Uint128>(percentile_octets(model, samples, slots)) * 8;
  const Uint128 commit = static_cast<Uint128>(model.commit_bps) * kSampleSeconds;
  const Uint128 over = measured > commit ? measured - commit : 0;
  const Uint128 per_mbit = kBitsPerMbit * kSampleSeconds;
  const Exact whole = (Exact(model.per_mbps).times(commit, per_mbit) +
                       Exact(model.overage_per_mbps).times(over, per_mbit))
                          .times(share.part, share.whole);
  const auto line = [&](const std::string& provider, const Count& count, Uint128 own, Uint128 of) {
    Priced priced = line_of(item, provider, Unit::mbps);
    priced.line.count = count;
    priced.exact = whole.times(own, of);
    for (const auto& [rate, price] :
         {std::pair(commit, model.per_mbps), {over, model.overage_per_mbps}}) {
      const Amount mbps = Exact(ratio(rate, per_mbit)).times(own, of).cut_off().value_or(Amount());
      const Amount now = Exact(price).times(share.part, share.whole).cut_off().value_or(Amount());
      if (mbps != Amount()) priced.line.at.push_back({mbps, now});
    }
    return priced;
  };
  const uint64_t octets = octets_of(used);
  std::vector<Priced> all;
  if (octets == 0 && commit > 0) all.push_back(line(owner(item), {}, 1, 1));
  for (const auto& [provider, count] : used) {
    if (octets > 0) all.push_back(line(provider, count, count.octets, octets));
  }
  return all;
}

Priced price_fee(const TariffItem& item, Amount fee, const Share& share) {
  Priced priced = line_of(item, owner(item), Unit::cycle);
  priced.exact = Exact(fee).times(share.part, share.whole);
  priced.line.at.push_back({ratio(share.part, share.whole), fee});
  return priced;
}

}  // namespace anabranch::billing
