// SPDX-License-Identifier: BSD-3-Clause
// What the journal asks of a disk, so that tests can put one below it that fails, tears and
// misdirects. A virtual call costs nothing beside a system call.
//
// Results are 0 or more, or -errno. Buffers and offsets are multiples of kBlock, except where a
// file was opened to read.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace anabranch::billing {

// Durable writes, one at a time, out of two buffers: while one is written the other is filled. One
// thread.
class CommitQueue {
 public:
  // A write whose octets, read again, are others: lost or misdirected.
  static constexpr int64_t kReadsBackOtherwise = -74;  // -EBADMSG

  virtual ~CommitQueue() = default;
  virtual std::span<uint8_t> buffer(unsigned index) = 0;  // 0 or 1; kFrameMax octets
  // Writes go to this file, opened with Access::append.
  virtual int64_t attach(int fd) = 0;
  // None may be under way.
  virtual void start(unsigned index, size_t length, uint64_t offset, bool read_back) = 0;
  // The octets written, all of them durable, or -errno. nullopt: not finished, when not to wait.
  virtual std::optional<int64_t> finish(bool wait) = 0;
};

// Thread-safe.
class Disk {
 public:
  enum class Access {
    read,
    append,  // each write is durable when it returns
    make,    // a new file; a write is durable after sync()
  };

  virtual ~Disk() = default;
  virtual int64_t make_folder(const std::string& folder) = 0;
  // Exclusive, until closed; -EWOULDBLOCK when another process has it.
  virtual int64_t lock(const std::string& name) = 0;
  virtual int64_t list(const std::string& folder, std::vector<std::string>& names) = 0;
  virtual int64_t open(const std::string& name, Access access) = 0;
  virtual void close(int fd) = 0;
  virtual int64_t size(int fd) = 0;
  virtual int64_t allocate(int fd, uint64_t octets) = 0;
  virtual int64_t read(int fd, std::span<uint8_t> into, uint64_t offset) = 0;
  virtual int64_t write(int fd, std::span<const uint8_t> bytes, uint64_t offset) = 0;
  virtual int64_t sync(int fd) = 0;
  virtual int64_t rename(const std::string& from, const std::string& to) = 0;
  virtual int64_t link(const std::string& from, const std::string& to) = 0;
  virtual int64_t remove(const std::string& name) = 0;
  virtual int64_t sync_folder(const std::string& folder) = 0;
  // The error: io_uring is not available.
  virtual std::unique_ptr<CommitQueue> commit_queue(int64_t& error) = 0;
};

// The machine's own. Without `direct`, a failed write may look like a good one later: only for
// development, on a filesystem that has no O_DIRECT.
Disk& real_disk(bool direct);

// For buffers of Disk::write: kBlock-aligned.
struct FreeAligned {
  void operator()(uint8_t* bytes) const;
};
using AlignedBuffer = std::unique_ptr<uint8_t[], FreeAligned>;
AlignedBuffer aligned_buffer(size_t octets);

}  // namespace anabranch::billing
