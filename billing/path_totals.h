// SPDX-License-Identifier: BSD-3-Clause
// What uplinks carried, as their providers count it: all octets of the outer IP packets, of either
// gateway's clients and of the house. Out of the totals of paths that a gateway journals beside its
// meters (usage.h: kPathTotal), and of the meters themselves from there on. An octet comes once,
// however often the journal holds it, and whichever of the two says it first.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>

#include <tl/expected.hpp>

#include "billing/journal_catalogue.h"
#include "billing/journal_reader.h"
#include "billing/period.h"
#include "billing/usage.h"

namespace anabranch::billing {

class PathTotals {
 public:
  // Octets of a path in a stretch of time, over which they are even.
  using Visit = std::function<void(const Catalogue::Path& path, Direction direction,
                                   uint64_t octets, const Period& time)>;

  // Reads what a journal has from the segment on that holds `from_ns`; `visit` cuts what is before
  // it. The error, in words: a damaged frame. cost: reads those segments.
  tl::expected<void, std::string> read(const std::string& folder, int64_t from_ns,
                                       const Visit& visit, Disk& disk = real_disk(false));

  // What is more in readings than is known; those of others than paths' totals are passed over.
  void read(std::span<const Reading> readings, const std::map<uint16_t, Catalogue::Path>& paths,
            int64_t wall_ns, const Visit& visit);

  // The first instant of which something is known; INT64_MAX: nothing is.
  int64_t begin_ns() const { return begin_ns_; }

 private:
  struct Known {
    uint64_t octets = 0;
    int64_t wall_ns = 0;
  };
  void take(const JournalFrame& frame, Catalogue& catalogue, const Visit& visit);
  void take(const UsageRecord& record, const Catalogue::Path& path, const Visit& visit);

  std::map<MeterKey, Known> known_;
  int64_t begin_ns_ = INT64_MAX;
};

}  // namespace anabranch::billing
