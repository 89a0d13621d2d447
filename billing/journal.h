// SPDX-License-Identifier: BSD-3-Clause
// The usage journal: what was counted, on disk before anything is made of it.
//
// A folder of segment files "00000001.journal", …, zeroed and durable before they are needed,
// written with O_DIRECT and O_DSYNC through io_uring (journal_format.h says what is in them).
//
// Group commit: add() turns readings into records and never waits; while one write is under way,
// what is added gathers, one record a meter, for the next. So a slow disk delays the journal,
// takes no more memory than there are meters, and holds up nobody. Readings are totals: what could
// not be written is covered by the next that can.
//
// When a write fails:
//   disk full       nothing is taken; the next commit() tries the same place again
//   short write     written again there, twice at most; then as an I/O error
//   I/O error, or the octets read back are others (lost or misdirected write)
//                   nothing more is written to that segment (a page that failed to reach the disk
//                   may look clean afterwards); what was not acknowledged goes to a new segment. If
//                   that fails as well, nothing is taken and commit() says so
//   killed, torn    the torn frame is no frame; it is written over
// What is damaged behind a later frame is never skipped: open() and readers say which file, offset
// and frame. JournalMaintenance (journal_rewrite.h) repairs, compacts and retires.
//
// One process at a time (flock). One thread; segments are prepared on another.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <tl/expected.hpp>

#include "billing/journal_catalogue.h"
#include "billing/journal_disk.h"
#include "billing/journal_segment.h"
#include "billing/usage.h"

namespace anabranch::billing {

struct JournalOptions {
  std::string folder;
  std::string gateway;
  uint32_t segment_octets = 16u << 20;
  // Without O_DIRECT a failed write may look like a good one later. false only for development on a
  // filesystem that has no O_DIRECT.
  bool direct = true;
  // Read each write again, and compare: a write that went elsewhere is known before it is
  // acknowledged. cost: one read a commit, 0.1 ms.
  bool read_back = true;
  bool prepare_in_background = true;
  // The last frame others have taken from this journal. When the journal ends before it, its end
  // was lost; numbers go on behind it.
  uint64_t charged_through = 0;
  // What an operator should know, and is no error of a call.
  std::function<void(const std::string&)> notice;
  Disk* disk = nullptr;  // nullptr: the machine's
};

// What may go (Journal::maintain). Usage that is not charged yet never does.
struct JournalRetention {
  int64_t keep_ns = 0;           // by age of the last usage in a segment; 0: for ever
  uint64_t keep_octets = 0;      // of all segments; 0: without limit
  int64_t compact_after_ns = 0;  // likewise by age; 0: never
};

class Journal {
 public:
  using Position = JournalPosition;
  using Visit = std::function<void(uint64_t sequence, std::span<const UsageRecord>)>;

  // Opens or makes the folder and reads the last segment. Errors: in use by another process; no
  // O_DIRECT; damaged (valid frames behind an invalid one), naming file, offset and frame.
  static tl::expected<std::unique_ptr<Journal>, std::string> open(const JournalOptions& options);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  // Journals what meters have counted since they were last journaled: add() and commit(). Returns
  // the number of records. A reading lower than what is journaled is left out and counted.
  tl::expected<size_t, std::string> record(std::span<const Reading> readings, int64_t wall_now_ns);

  // Returns at once, also when the disk does not answer.
  size_t add(std::span<const Reading> readings, int64_t wall_now_ns);
  // Takes the result of a write that is finished, and begins the next if there is something to
  // write. `wait`: until one is finished. cost: encoding, 0.3 ms a MiB.
  tl::expected<void, std::string> advance(bool wait);
  // Returns when all that was added is durable. After an error it is not, and no longer waits to
  // be: the meters' next readings cover it.
  tl::expected<void, std::string> commit();

  // What ids mean, from now on. Written with the next commit.
  void set_catalogue(const Catalogue& catalogue);
  const Catalogue& catalogue() const { return catalogue_; }

  // Removes or compacts at most one segment, the oldest that is due: call it again while it says
  // true. cost: compacting reads a segment, 20 ms for 16 MiB.
  tl::expected<bool, std::string> maintain(const JournalRetention& retention,
                                           uint64_t charged_through, int64_t wall_now_ns);

  // Calls `visit` for each frame of durable usage from `position` on, in order; moves `position`
  // behind the last.
  Position begin() const { return {}; }
  tl::expected<void, std::string> read(Position& position, const Visit& visit) const;

  // The last durable frame.
  uint64_t acknowledged() const { return acked_.next_sequence - 1; }
  uint64_t went_backwards() const { return went_backwards_; }
  size_t waiting() const { return pending_.size(); }  // records not yet being written
  bool idle() const { return !flying_ && !encoded_ && !due(); }

 private:
  struct Meter {
    uint64_t octets = 0, packets = 0;
    int64_t wall_ns = 0;
    uint64_t pending = 0;  // number of its record, if that is still in pending_
  };
  struct KeyHash {
    size_t operator()(const MeterKey& key) const;
  };
  // Where the next frame goes.
  struct End {
    uint64_t segment = 0, offset = 0, next_sequence = 1;
    uint32_t crc = 0;
    int64_t wall_first_ns = 0, wall_last_ns = 0;  // of usage in this segment
    size_t totals = 0, catalogue = 0;             // how many of these are written in this segment
  };
  // One write.
  struct Batch {
    unsigned buffer = 0;
    size_t length = 0;
    End after;
    std::vector<UsageRecord> records;
    int tries = 0;
  };

  explicit Journal(const JournalOptions& options);
  tl::expected<void, std::string> lock();
  tl::expected<void, std::string> recover();
  tl::expected<uint64_t, std::string> last_segment(const std::vector<uint64_t>& numbers);
  tl::expected<bool, std::string> take_from(uint64_t number);
  void take(const JournalFrame& frame);
  void remove_unfinished();
  void tell_of_torn_frame();
  tl::expected<void, std::string> open_segment(uint64_t number);
  void close_segment();

  bool due() const;
  std::optional<Batch> encode(const End& from, unsigned buffer);
  template <typename Record>
  bool put(Batch& batch, FrameHeader header, std::span<const Record> records);
  uint64_t room(const Batch& batch) const;
  tl::expected<void, std::string> rotate();
  tl::expected<void, std::string> prepare(uint64_t number, uint64_t octets);
  void prepare_ahead();
  void look_ahead();
  uint64_t octets_for_segment() const;
  void snapshot();
  tl::expected<void, std::string> failed_write(int64_t result);
  void take_back();  // what was not acknowledged waits again
  void forget();     // … no longer
  void tell(const std::string& what) const;

  JournalOptions options_;
  Disk& disk_;
  int lock_fd_ = -1;
  int fd_ = -1;
  uint64_t segment_size_ = 0;
  uint64_t journal_id_ = 0;
  End acked_;
  Opening opening_;              // of the current segment
  uint8_t opening_flags_ = 0;    // of the next opening
  bool second_attempt_ = false;  // the write under way failed once, in another segment
  std::unique_ptr<CommitQueue> queue_;
  std::optional<Batch> flying_, encoded_;

  uint64_t went_backwards_ = 0;
  std::unordered_map<MeterKey, Meter, KeyHash> meters_;
  // By place among the readings: they come in the same order each time, so a meter is rarely looked
  // up. An element stays where it is while the map grows.
  std::vector<std::pair<const MeterKey, Meter>*> places_;
  std::vector<UsageRecord> pending_, spare_;
  uint64_t first_pending_ = 1;  // number of pending_[0]
  int64_t wall_now_ns_ = 0;
  uint64_t region_ = 0;  // of the last reading
  std::unordered_set<uint64_t> regions_;
  std::vector<TotalRecord> totals_;  // at the start of this segment
  Catalogue catalogue_;
  std::vector<std::string> catalogue_frames_;  // for this segment

  uint64_t ahead_number_ = 0;  // the segment prepared, or being prepared; 0: none
  int64_t prepare_again_ns_ = 0;
  std::future<tl::expected<void, std::string>> ahead_;
};

}  // namespace anabranch::billing
