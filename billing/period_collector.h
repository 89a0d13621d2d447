// SPDX-License-Identifier: BSD-3-Clause
// Gathers what one account used in one period, meter by meter, from where each is charged to: so an
// octet is in one period, whatever journals say twice and whenever they are read.
//
// A meter's octets are taken in the order in which they were counted. The clock of a gateway may be
// set meanwhile: what was stamped behind the period is of it when something behind it in the meter
// is; what was stamped before the period is late.
//
// One thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "billing/ledger_closing.h"
#include "billing/period_usage.h"

namespace anabranch::billing {

class PeriodCollector {
 public:
  using Prices = std::vector<std::shared_ptr<const PriceList>>;
  // Of a meter: charged from here, up to there.
  struct Range {
    std::string gateway;
    MeterKey key;
    Count from, to;
  };
  // Usage of before the period.
  struct Late {
    Range range;
    Place place;
    Period time;
    Count count() const { return range.to - range.from; }
  };
  // Octets of a day, by direction.
  using Day = std::array<uint64_t, 2>;

  // Takes nothing, and says what is not charged yet: the account's period is not due.
  PeriodCollector() = default;
  // `prices`: a list for each stretch of the period, in order.
  PeriodCollector(const Period& period, const Zone& zone, const Prices& prices);

  // Before the first record. A meter that is not named begins at zero.
  void charged(const MeterKey& key, const Count& through);
  // For what was closed: takes these alone. In the order of their octets.
  void only(const std::vector<Range>& ranges);

  // Takes of a record what is of the period. False: something of it is not charged when this
  // period is. cost: below 190 ns, reading and dealing out included, where meters come in the same
  // order each time, as in a journal (2026-11, EPYC, bench/closing).
  bool take(const std::string& gateway, const Place& place, const UsageRecord& record);
  // Behind the last record; what was taken is told only then.
  void taken();

  // Late usage that no earlier period is corrected by is of the begin of this one.
  void count_late();
  const std::vector<Late>& late() const { return late_; }

  bool due() const { return !parts_.empty(); }
  const Period& period() const { return period_; }
  const std::vector<PeriodUsage>& parts() const { return parts_; }
  // What was taken, in the order of gateways and meters; and without what is late, which is of
  // other periods.
  std::vector<Range> ranges() const;
  std::vector<Range> ranges_of_period() const;
  const std::vector<Period>& days() const { return days_; }
  // By day, of each place.
  const std::map<Place, std::vector<Day>>& by_day() const { return by_day_; }

 private:
  struct Meter {
    Count begin, through;
    Count pending;  // stamped behind the period
    // What was taken, and is counted when a record is of another stretch of time: within one, it
    // is the same whether records are counted one by one or as a sum.
    Count sum;
    Period alike;
    std::pair<const MeterKey, Meter>* next = nullptr;  // which came behind this one, the last time
    std::vector<Day>* days = nullptr;
    PeriodUsage::PlaceId place = 0;
    std::string gateway;
    std::vector<std::pair<Count, Count>> only;  // what is left of it

    bool goes_on(const UsageRecord& record) const;
  };
  using Entry = std::pair<const MeterKey, Meter>;
  struct Hash {
    size_t operator()(const MeterKey& key) const;
  };
  Entry& find(const MeterKey& key);
  void begin(Meter& meter, const std::string& gateway, const Place& place);
  bool enter_range(Meter& meter, const UsageRecord& record);
  bool take_part(const Place& place, Meter& meter, const UsageRecord& record);
  void count_sum(Entry& entry);
  Period alike(const Meter& meter, const MeterKey& key, int64_t at_ns);
  void count(const Meter& meter, const MeterKey& key, const Count& count, const Period& time);

  Period period_;
  std::vector<PeriodUsage> parts_;
  std::vector<Period> days_;
  std::map<Place, std::vector<Day>> by_day_;
  std::unordered_map<MeterKey, Meter, Hash> meters_;
  Entry* last_ = nullptr;
  std::vector<Late> late_;
  std::vector<Range> taken_;  // of ranges that were left for the next
  bool restricted_ = false;
};

}  // namespace anabranch::billing
