// SPDX-License-Identifier: BSD-3-Clause
// Journals read from their start or from a time on, as a stream: for charging, for people, for
// other processes while the gateway writes. Memory is that of the frames in hand.
//
//   for (;;) { auto frame = reader.next(); if (!frame) fault; if (!*frame) end; … (*frame)->usage()
//   }
//
// Order: one journal after the other, each in the order it was written. A frame keeps its octets as
// long as it is held, on any thread. The same usage may come twice (a write that failed was written
// again elsewhere): records are intervals of readings, cover them once.
//
// Which segments hold a time is known from their openings, one block each; there is no index to
// keep.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "billing/journal_segment.h"

namespace anabranch::billing {

class FolderReader {
 public:
  struct Options {
    WallRange range;
    JournalPosition from;  // segment 0: from the first
    // At the end, look behind it for frames that must not be there (reads the rest of the file).
    // Not for who follows a journal and comes again.
    bool check_tail = true;
  };
  FolderReader(Disk& disk, std::string folder, Options options,
               std::shared_ptr<ChunkPool> pool = std::make_shared<ChunkPool>());

  // nullopt: the end, for now; called again, it looks again. A fault stays until resync().
  tl::expected<std::optional<JournalFrame>, JournalFault> next();
  // Goes on behind a fault, at the next frame that is whole. False: there is none.
  bool resync();

  const JournalPosition& position() const { return position_; }
  const std::string& folder() const { return folder_; }
  uint64_t journal_id() const { return journal_id_; }

 private:
  enum class Step { frame, again, end };
  using Result = tl::expected<Step, JournalFault>;
  Result open_current();
  Result leave_segment();
  Result enter(uint64_t number);
  Result at_end();
  Result lost_opening(uint64_t number);
  // The first segment behind `number`, and its opening.
  struct Follower {
    uint64_t number = 0;
    std::optional<FrameHeader> opening;
    std::string foreign;
  };
  tl::expected<Follower, JournalFault> follower();
  std::string foreign(SegmentReader& segment) const;
  bool follows(const FrameHeader& opening) const;
  bool outside(uint64_t number);
  JournalFault fault(std::string what, std::string advice, bool repairable = false) const;
  JournalFault not_its_place(std::string what) const;
  JournalFault damaged(std::string more);
  std::string misdirected();

  Disk* disk_;
  std::string folder_;
  Options options_;
  std::shared_ptr<ChunkPool> pool_;
  JournalPosition position_;
  std::optional<SegmentReader> segment_;
  uint64_t journal_id_ = 0;
  uint64_t seen_ = 0;  // the last frame's sequence
  uint64_t superseded_from_ = std::numeric_limits<uint64_t>::max();
};

// Several at once.
class JournalReader {
 public:
  JournalReader(std::vector<std::string> folders, WallRange range = {},
                Disk& disk = real_disk(true));
  tl::expected<std::optional<JournalFrame>, JournalFault> next();

 private:
  std::vector<FolderReader> journals_;
  size_t at_ = 0;
};

// What each segment's usage spans; `known` is false for the last, whose end is open. Spares are
// left out. cost: reads a block of each.
struct SegmentSpan {
  uint64_t number = 0;
  uint64_t octets = 0;  // of the file
  bool compacted = false;
  bool known = false;
  uint64_t last_sequence = 0;
  int64_t wall_first_ns = 0, wall_last_ns = 0;
};
tl::expected<std::vector<SegmentSpan>, JournalFault> segment_spans(Disk& disk,
                                                                   const std::string& folder);

}  // namespace anabranch::billing
