// SPDX-License-Identifier: BSD-3-Clause
// Segments written anew: compacted, retired, repaired. The new file is whole and durable before it
// takes the old one's name, so whoever is killed leaves the one or the other.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "billing/journal.h"

namespace anabranch::billing {

inline constexpr int64_t kSlotNs = 300'000'000'000;  // five minutes, UTC

struct Maintenance {
  JournalRetention retention;
  uint64_t current_segment = 0;  // this and later ones are left alone
  uint64_t charged_through = 0;  // frames up to here are no longer needed to charge
  int64_t wall_now_ns = 0;
};
// At most one segment, the oldest that is due: removed, or else compacted. True: one was.
tl::expected<bool, std::string> maintain_journal(Disk& disk, const std::string& folder,
                                                 const Maintenance& maintenance);

// Consecutive records of a meter within a slot become one; readings, totals and order stay. False:
// it is compacted already. cost: a second for 4 GiB, 20 ms for 16 MiB.
tl::expected<bool, std::string> compact_segment(Disk& disk, const std::string& folder,
                                                uint64_t number);

// Makes a damaged journal whole: a damaged segment is written anew from what of it is readable
// (the old file is kept as NUMBER.journal.damaged), a missing one made. What is lost of a meter is
// known from the readings before and behind: it becomes one record of that stretch, marked. What
// has no reading behind it is covered by the meter itself, if that still lives. The journal must
// not be in use. Returns what was done, a sentence each; nothing for a journal that is whole.
tl::expected<std::vector<std::string>, std::string> repair_journal(Disk& disk,
                                                                   const std::string& folder);

}  // namespace anabranch::billing
