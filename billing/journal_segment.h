// SPDX-License-Identifier: BSD-3-Clause
// One segment file, read frame by frame. Needs no lock: a running gateway's may be read.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

#include "billing/journal_disk.h"
#include "billing/journal_format.h"

namespace anabranch::billing {

// What is wrong with a journal, where, and what to do.
struct JournalFault {
  std::string file;
  uint64_t offset = 0;
  uint64_t frame = 0;  // the sequence expected there; 0: unknown
  std::string what;
  std::string advice;
  bool repairable = false;  // repair_journal() makes it whole
  std::string text() const;
};

// A place between two frames. next_sequence 0: whatever frame is there.
struct JournalPosition {
  uint64_t segment = 0;
  uint64_t offset = 0;
  uint64_t next_sequence = 0;
  uint32_t previous_crc = 0;
};

// Wall-clock time, half-open.
struct WallRange {
  int64_t from_ns = std::numeric_limits<int64_t>::min();
  int64_t to_ns = std::numeric_limits<int64_t>::max();
  bool all() const { return *this == WallRange{}; }
  bool meets(int64_t first_ns, int64_t last_ns) const {
    return last_ns >= from_ns && first_ns < to_ns;
  }
  bool operator==(const WallRange&) const = default;
};

struct JournalFrame {
  size_t journal = 0;  // index of the folder, when several are read
  uint64_t segment = 0;
  uint64_t offset = 0;
  FrameHeader header;
  std::span<const uint8_t> payload;
  std::shared_ptr<const void> buffer;  // holds the payload

  std::span<const UsageRecord> usage() const { return records<UsageRecord>(FrameType::usage); }
  std::span<const TotalRecord> totals() const { return records<TotalRecord>(FrameType::totals); }
  std::string_view text() const {
    return {reinterpret_cast<const char*>(payload.data()), payload.size()};
  }

 private:
  template <typename Record>
  std::span<const Record> records(FrameType type) const {
    if (header.type != type) return {};
    return {reinterpret_cast<const Record*>(payload.data()), payload.size() / sizeof(Record)};
  }
};

std::string segment_name(const std::string& folder, uint64_t number);
// In order. The error: the folder cannot be read.
tl::expected<std::vector<uint64_t>, JournalFault> list_segments(Disk& disk,
                                                                const std::string& folder);

// What is read at once. Chunks whose frames nobody holds any more are used again: the memory a
// reader takes is that of the frames in hand. Thread-safe.
class ChunkPool : public std::enable_shared_from_this<ChunkPool> {
 public:
  static constexpr size_t kOctets = 4u << 20;
  std::shared_ptr<uint8_t> take(size_t octets);
  size_t made() const;

 private:
  struct Free {
    AlignedBuffer bytes;
    size_t octets;
  };
  mutable std::mutex mutex_;
  std::vector<Free> free_;
  size_t made_ = 0;
};

class SegmentReader {
 public:
  // The error: errno.
  static tl::expected<SegmentReader, int> open(
      Disk& disk, const std::string& folder, uint64_t number,
      std::shared_ptr<ChunkPool> pool = std::make_shared<ChunkPool>());
  SegmentReader(SegmentReader&&) = default;
  SegmentReader& operator=(SegmentReader&&) = default;

  // The frame that is at `position` and follows what was before; moves `position` behind it. Usage
  // outside of `range` is passed over, unread. nullopt: there is none.
  std::optional<JournalFrame> next(JournalPosition& position, const WallRange& range);

  // The header at `offset` when it is one, wherever it says it belongs.
  std::optional<FrameHeader> header_at(uint64_t offset);
  bool belongs(const FrameHeader& header, uint64_t offset) const {
    return header.segment == number_ && header.block * kBlock == offset;
  }
  // The whole frame there, when it is one and belongs there.
  bool intact_at(uint64_t offset);
  // The next frame at or behind `offset` for which `wanted(header, offset)`.
  template <typename Wanted>
  std::optional<uint64_t> find(uint64_t offset, const Wanted& wanted) {
    for (; offset < size_; offset += kBlock) {
      const auto header = header_at(offset);
      if (header && wanted(*header, offset)) return offset;
    }
    return std::nullopt;
  }
  // A write that began behind `end`: what was to be at `end` is damaged, not torn.
  std::optional<uint64_t> later_write(const JournalPosition& end);

  // Begins with a frame that belongs there.
  bool begun() {
    const auto header = header_at(0);
    return header && belongs(*header, 0);
  }
  bool format_one();              // begins like a segment of format 1
  bool zero_at(uint64_t offset);  // the block there

  // What is in the file may be other than when it was read.
  void refresh();
  uint64_t number() const { return number_; }
  uint64_t size() const { return size_; }
  const std::string& name() const { return name_; }
  int error() const { return error_; }  // of a read, errno

 private:
  struct Close {
    Disk* disk = nullptr;
    int fd = -1;
    Close(Disk& d, int f) : disk(&d), fd(f) {}
    ~Close() { disk->close(fd); }
    Close(const Close&) = delete;
    Close& operator=(const Close&) = delete;
  };
  SegmentReader(Disk& disk, std::string name, uint64_t number, int fd,
                std::shared_ptr<ChunkPool> pool);
  std::span<const uint8_t> view(uint64_t offset, size_t octets);
  bool follows(const JournalPosition& position, const FrameHeader& header) const;

  Disk* disk_;
  std::string name_;
  uint64_t number_;
  std::unique_ptr<Close> file_;
  uint64_t size_ = 0;
  int error_ = 0;
  std::shared_ptr<ChunkPool> pool_;
  std::shared_ptr<uint8_t> chunk_;
  uint64_t chunk_from_ = 0;
  size_t chunk_octets_ = 0;
  size_t wanted_ = 64u << 10;  // grows while reading goes on
};

}  // namespace anabranch::billing
