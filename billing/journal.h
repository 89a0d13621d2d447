// SPDX-License-Identifier: BSD-3-Clause
// The usage journal: what was counted, on disk before anything is made of it.
//
// A folder of segment files "00000001.journal", …, preallocated and zeroed, written with O_DIRECT
// and O_DSYNC through io_uring in frames of whole blocks:
//   frame header, 64 octets: magic, sequence, count of records, CRC-32C of the records, CRC-32C of
//   the frame before (chain), CRC-32C of the header; then the records (usage.h); zeros to the
//   end of the block.
// Appending is one write per call, at most kFrameMax octets each (group commit). A write that
// failed or was torn leaves no valid frame at its place and is written there again; the next append
// covers the same usage, because records are made from what was journaled, not from what was tried.
// One process at a time (flock). One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "billing/usage.h"

namespace anabranch::billing {

struct JournalOptions {
  std::string folder;
  uint32_t segment_octets = 16u << 20;
  // Without O_DIRECT a failed write may look like a good one later. false only for development on a
  // filesystem that has no O_DIRECT.
  bool direct = true;
};

class Journal {
 public:
  // A place between two frames.
  struct Position {
    uint64_t segment = 0;
    uint64_t offset = 0;
    uint64_t next_sequence = 1;
    uint32_t previous_crc = 0;
  };
  using Visit = std::function<void(uint64_t sequence, std::span<const UsageRecord>)>;

  // Opens or makes the folder; reads all of it, and stops behind the last valid frame. Errors: in
  // use by another process; no O_DIRECT; corrupt (valid frames behind an invalid one), naming the
  // file and offset.
  static tl::expected<std::unique_ptr<Journal>, std::string> open(const JournalOptions& options);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  // Journals what meters have counted since they were last journaled. Returns when it is durable:
  // the number of records. A reading lower than what is journaled is left out and counted.
  tl::expected<size_t, std::string> record(std::span<const Reading> readings, int64_t wall_now_ns);

  // Calls `visit` for each frame from `position` on, in order; moves `position` behind the last.
  Position begin() const;
  tl::expected<void, std::string> read(Position& position, const Visit& visit) const;

  uint64_t went_backwards() const { return went_backwards_; }

 private:
  struct Through {
    uint64_t octets = 0, packets = 0;
    int64_t wall_ns = 0;
  };
  struct Ring;
  explicit Journal(const JournalOptions& options);
  tl::expected<void, std::string> lock();
  tl::expected<void, std::string> recover();
  tl::expected<void, std::string> open_segment(uint64_t number, bool create);
  tl::expected<void, std::string> append(std::span<const UsageRecord> records);
  tl::expected<void, std::string> write_block(size_t length, uint64_t offset);
  std::string segment_name(uint64_t number) const;
  std::vector<uint64_t> segment_numbers() const;
  void take(const UsageRecord& record);

  JournalOptions options_;
  int lock_fd_ = -1;
  int fd_ = -1;
  Position end_;  // where the next frame goes
  uint64_t went_backwards_ = 0;
  std::map<MeterKey, Through> through_;
  std::unique_ptr<uint8_t[], void (*)(void*)> block_;
  std::unique_ptr<Ring> ring_;
};

}  // namespace anabranch::billing
