// SPDX-License-Identifier: BSD-3-Clause
// What a client used in a period, out of the journals of one or several gateways: read once, in
// memory that does not grow with them. Changes nothing; gateways may be writing.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "billing/journal_catalogue.h"
#include "billing/journal_reader.h"
#include "billing/period_usage.h"

namespace anabranch::billing {

class JournalUsage {
 public:
  // `client`: whose; empty: the house's, which belongs to nobody.
  JournalUsage(std::string client, std::shared_ptr<const PriceList> prices)
      : client_(std::move(client)), usage_(std::move(prices)) {}

  // Adds what a journal has of the period. An octet counts once however often journals hold it.
  // The error, in words: a damaged frame, or a service or path that the journal does not name.
  tl::expected<void, std::string> add(const std::string& folder, Disk& disk = real_disk(false));

  const PeriodUsage& usage() const { return usage_; }
  // Whose services the journals name.
  const std::set<std::string>& clients() const { return clients_; }

 private:
  using Status = tl::expected<void, std::string>;
  Status add_frame(const JournalFrame& frame, const std::string& folder, Catalogue& catalogue);
  Status add_record(const UsageRecord& record, const Catalogue& catalogue);
  // Leaves of a record what was not counted yet; false: nothing.
  bool take_new(UsageRecord& record);
  tl::expected<PeriodUsage::PlaceId, std::string> place_of(uint16_t path,
                                                           const Catalogue& catalogue);

  struct Through {
    uint64_t octets = 0, packets = 0;
  };
  std::string client_;
  PeriodUsage usage_;
  std::set<std::string> clients_;
  std::map<MeterKey, Through> through_;  // how far each of the client's meters is counted
};

}  // namespace anabranch::billing
