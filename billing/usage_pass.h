// SPDX-License-Identifier: BSD-3-Clause
// One pass over the journals of some gateways: each usage record goes to whoever gathers it for the
// account that used it, and for the provider that carried it. In a pipeline (oneTBB): a block is
// read, its records are dealt out, and each share of accounts takes its own, several at once. What
// one account is given comes in the order of the journal.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "billing/journal_disk.h"
#include "billing/journal_segment.h"
#include "billing/period_collector.h"

namespace anabranch::billing {

class UsagePass {
 public:
  // Null: nobody gathers it.
  struct Sides {
    PeriodCollector* account = nullptr;
    PeriodCollector* provider = nullptr;
  };
  // Client empty: the house. The error is a problem of the journal's (below).
  using Find = std::function<tl::expected<Sides, std::string>(
      const std::string& gateway, const std::string& client, const std::string& provider)>;

  struct Options {
    size_t threads = 0;                       // 0: as many as the machine has
    WallRange range;                          // usage of other times may be left out
    std::map<std::string, uint64_t> charged;  // by gateway: frames that need not be read
  };
  struct Journal {
    std::string gateway;
    uint64_t charged = 0;  // all frames up to this one are charged when the periods are
    uint64_t records = 0;
    int64_t wall_last_ns = 0;  // of the newest usage
  };
  struct Result {
    std::vector<Journal> journals;      // as the folders
    std::vector<std::string> problems;  // each once: usage of which nobody knows whose it is
  };

  // The error: a journal that cannot be read, or is damaged. Collectors are of no use then.
  static tl::expected<Result, std::string> run(const std::vector<std::string>& folders,
                                               const Find& find, const Options& options,
                                               Disk& disk = real_disk(false));
};

}  // namespace anabranch::billing
