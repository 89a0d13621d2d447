// SPDX-License-Identifier: BSD-3-Clause
#include "billing/charge.h"

#include <tbb/parallel_pipeline.h>

#include <algorithm>

namespace anabranch::billing {

Charging::Charging(const Journal& journal, Ledger& ledger, Tariff house)
    : journal_(journal),
      ledger_(ledger),
      house_(std::move(house)),
      position_(journal.begin()),
      charged_(ledger.charged()) {}

tl::expected<const Tariff*, std::string> Charging::tariff_of(uint64_t service) {
  if (service == kHouse) return &house_;
  if (const auto known = tariffs_.find(service); known != tariffs_.end()) return &known->second;
  const auto entry = ledger_.service(service);
  if (!entry)
    return tl::unexpected("usage of service " + std::to_string(service) +
                          ", which was never opened");
  auto tariff = ledger_.tariff(entry->tariff, entry->tariff_version);
  if (!tariff)
    return tl::unexpected("service " + std::to_string(service) + ": tariff " + entry->tariff +
                          " is not stored");
  return &tariffs_.emplace(service, std::move(*tariff)).first->second;
}

tl::expected<std::string, std::string> Charging::provider_of(uint16_t path) {
  if (const auto known = providers_.find(path); known != providers_.end()) return known->second;
  const auto entry = ledger_.path(path);
  if (!entry)
    return tl::unexpected("usage of path " + std::to_string(path) +
                          ", which is not in the catalogue");
  return providers_[path] = entry->provider;
}

// What of the record is not charged yet. A record that begins behind what is charged would leave
// octets on no bill.
tl::expected<Charging::Item, std::string> Charging::prepare(
    const UsageRecord& r, const std::map<MeterKey, Ledger::Through>& charged) {
  const auto known = charged.find(r.key);
  const Ledger::Through before = known == charged.end() ? Ledger::Through{} : known->second;
  if (r.octets_from > before.octets || r.packets_from > before.packets) {
    return tl::unexpected("usage is missing: service " + std::to_string(r.key.service) + ", path " +
                          std::to_string(r.key.path) + " is charged up to octet " +
                          std::to_string(before.octets) + ", the next record begins at " +
                          std::to_string(r.octets_from));
  }
  Item item;
  item.charge.key = r.key;
  item.charge.octets = r.octets_to - std::min(r.octets_to, before.octets);
  item.charge.packets = r.packets_to - std::min(r.packets_to, before.packets);
  item.charge.octets_through = std::max(r.octets_to, before.octets);
  item.charge.packets_through = std::max(r.packets_to, before.packets);
  const auto tariff = tariff_of(r.key.service);
  if (!tariff) return tl::unexpected(tariff.error());
  const auto provider = provider_of(r.key.path);
  if (!provider) return tl::unexpected(provider.error());
  item.tariff = *tariff;
  item.provider = *provider;
  return item;
}

tl::expected<void, std::string> Charging::run(int64_t wall_ns) {
  std::vector<UsageRecord> records;
  Journal::Position position = position_;
  const uint64_t charged_sequence = ledger_.charged_sequence();
  const auto read =
      journal_.read(position, [&](uint64_t sequence, std::span<const UsageRecord> frame) {
        if (sequence > charged_sequence) records.insert(records.end(), frame.begin(), frame.end());
      });
  if (!read) return tl::unexpected(read.error());
  if (records.empty()) {
    position_ = position;
    return {};
  }

  auto charged = charged_;
  auto charges = price(records, charged);
  if (!charges) return tl::unexpected("charging: " + charges.error());
  if (auto posted = ledger_.post(*charges, house_, position.next_sequence - 1, wall_ns); !posted)
    return posted;
  charged_ = std::move(charged);
  position_ = position;
  return {};
}

// The pipeline: what is new of each record, one after the other; its price, in parallel; sums by
// meter, in order. The first and last stage run on different threads, so each has its own error.
tl::expected<std::vector<Charge>, std::string> Charging::price(
    std::span<const UsageRecord> records, std::map<MeterKey, Ledger::Through>& charged) {
  constexpr size_t kTokens = 16;
  using Priced = std::pair<Item, std::optional<Amount>>;
  std::string missing, unpriced;
  size_t next = 0;
  std::map<MeterKey, Charge> sums;
  const auto take = [&](tbb::flow_control& control) -> Item {
    if (next < records.size()) {
      const UsageRecord& record = records[next++];
      if (auto item = prepare(record, charged)) {
        charged[record.key] = {item->charge.octets_through, item->charge.packets_through};
        return *item;
      } else {
        missing = item.error();
      }
    }
    control.stop();
    return {};
  };
  const auto multiply = [](const Item& item) -> Priced {
    return {item, item.tariff->charge(item.provider, item.charge.key.kind, item.charge.octets)};
  };
  const auto add = [&](const Priced& priced) {
    const auto& [item, amount] = priced;
    if (!amount) {
      unpriced = "tariff " + item.tariff->id + " has no price for provider " + item.provider;
      return;
    }
    Charge& sum = sums[item.charge.key];
    sum.key = item.charge.key;
    sum.octets += item.charge.octets;
    sum.packets += item.charge.packets;
    sum.amount += *amount;
    sum.octets_through = item.charge.octets_through;
    sum.packets_through = item.charge.packets_through;
  };
  tbb::parallel_pipeline(
      kTokens, tbb::make_filter<void, Item>(tbb::filter_mode::serial_in_order, take) &
                   tbb::make_filter<Item, Priced>(tbb::filter_mode::parallel, multiply) &
                   tbb::make_filter<Priced, void>(tbb::filter_mode::serial_in_order, add));
  if (!missing.empty()) return tl::unexpected(missing);
  if (!unpriced.empty()) return tl::unexpected(unpriced);
  std::vector<Charge> charges;
  for (const auto& [key, sum] : sums) charges.push_back(sum);
  return charges;
}

}  // namespace anabranch::billing
