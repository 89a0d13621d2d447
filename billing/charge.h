// SPDX-License-Identifier: BSD-3-Clause
// From the journal to the ledger: usage is priced in parallel (oneTBB) and posted in order.
#pragma once

#include <map>
#include <string>

#include <tl/expected.hpp>

#include "billing/journal.h"
#include "billing/ledger.h"

namespace anabranch::billing {

class Charging {
 public:
  // `house` prices what belongs to no client.
  Charging(const Journal& journal, Ledger& ledger, Tariff house);

  // Charges what the journal has and the ledger has not. All or nothing for each call. The error
  // names what is missing: a price, a service, a stretch of a meter.
  tl::expected<void, std::string> run(int64_t wall_ns);

 private:
  // A meter's advance and what is needed to price it.
  struct Item {
    Charge charge;
    const Tariff* tariff = nullptr;
    std::string provider;
  };
  tl::expected<Item, std::string> prepare(const UsageRecord& record,
                                          const std::map<MeterKey, Ledger::Through>& charged);
  tl::expected<std::vector<Charge>, std::string> price(
      std::span<const UsageRecord> records, std::map<MeterKey, Ledger::Through>& charged);
  tl::expected<const Tariff*, std::string> tariff_of(uint64_t service);
  tl::expected<std::string, std::string> provider_of(uint16_t path);

  const Journal& journal_;
  Ledger& ledger_;
  Tariff house_;
  Journal::Position position_;
  std::map<MeterKey, Ledger::Through> charged_;
  std::map<uint64_t, Tariff> tariffs_;         // by service
  std::map<uint16_t, std::string> providers_;  // by path
};

}  // namespace anabranch::billing
