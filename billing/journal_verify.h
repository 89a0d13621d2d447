// SPDX-License-Identifier: BSD-3-Clause
// What a journal holds, and whether all of it is there.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "billing/journal_catalogue.h"
#include "billing/journal_segment.h"

namespace anabranch::billing {

// A stretch of a meter that no record covers.
struct JournalGap {
  std::string file;
  uint64_t offset = 0;
  MeterKey key;
  uint64_t octets_from = 0, octets_to = 0;
};

struct JournalReport {
  std::string folder;
  Catalogue catalogue;
  uint64_t journal_id = 0;
  uint64_t first_segment = 0, last_segment = 0;
  uint64_t segments = 0, compacted = 0, repaired = 0;
  uint64_t first_frame = 0, last_frame = 0;
  uint64_t frames = 0, records = 0, unknown_frames = 0;
  uint64_t repeated_octets = 0;  // came twice: a write that failed was written again
  uint64_t lost_frames = 0;      // known to be lost before they were missed: their end was cut off
  int64_t wall_first_ns = 0, wall_last_ns = 0;
  std::array<uint64_t, 2> octets{};  // by direction; each octet once
  std::array<uint64_t, 2> packets{};
  std::vector<JournalFault> faults;
  std::vector<JournalGap> gaps;  // at most kGapsMax of them
  uint64_t gaps_found = 0;
  static constexpr size_t kGapsMax = 100;

  bool whole() const { return faults.empty() && gaps_found == 0; }
};

// Reads all of it; goes on behind what is damaged. cost: as the reader, and the memory of a map of
// meters. The error: the folder cannot be read.
tl::expected<JournalReport, JournalFault> verify_journal(Disk& disk, const std::string& folder);

std::string to_text(const JournalReport& report);
nlohmann::json to_json(const JournalReport& report);
// "2026-11-25T05:43:32.000Z"
std::string utc_text(int64_t wall_ns);

}  // namespace anabranch::billing
