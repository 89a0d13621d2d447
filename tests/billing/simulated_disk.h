// SPDX-License-Identifier: BSD-3-Clause
// A disk in memory that fails at its n-th operation, as told, and forgets at a crash what was not
// synced.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "billing/journal_disk.h"
#include "billing/journal_format.h"

namespace anabranch::billing {

enum class Fault {
  kill_before,     // the process ends before the operation …
  kill_torn,       // … with only its second half on disk (a write is no transaction)
  kill_torn_head,  // … with only its first half
  kill_after,      // … with all of it on disk, and unacknowledged
  io_error,        // nothing is written
  io_error_torn,   // half is
  io_error_after,  // all is, and an error reported
  disk_full,
  short_write,
  lost_write,           // reported as written
  misdirected_forward,  // written behind its place
  misdirected_back,     // before it, over other frames
  misdirected_file,     // to the same place of another segment
};
inline constexpr std::array kAllFaults{Fault::kill_before,
                                       Fault::kill_torn,
                                       Fault::kill_torn_head,
                                       Fault::kill_after,
                                       Fault::io_error,
                                       Fault::io_error_torn,
                                       Fault::io_error_after,
                                       Fault::disk_full,
                                       Fault::short_write,
                                       Fault::lost_write,
                                       Fault::misdirected_forward,
                                       Fault::misdirected_back,
                                       Fault::misdirected_file};

struct Killed {};

class SimulatedDisk : public Disk {
 public:
  // The same files, and nothing else of the other.
  void copy(const SimulatedDisk& other) {
    names_.clear();
    for (const auto& [name, file] : other.names_) names_[name] = std::make_shared<File>(*file);
    durable_names_ = names_;
  }
  // Operations `at` to `until` (from 1) fail.
  void fail(Fault fault, uint64_t at, uint64_t until) {
    fault_ = fault;
    at_ = operations_ + at;
    until_ = operations_ + until;
  }
  bool reached() const { return operations_ >= at_; }
  void heal() { at_ = until_ = 0; }
  bool hold = false;  // commits do not finish

  enum class Crash { keeps_all, loses_all_unsynced, loses_unsynced_data };
  // The machine goes down and comes up. Every handle is closed.
  void crash(Crash how) {
    if (how == Crash::loses_all_unsynced) names_ = durable_names_;
    for (auto& [name, file] : names_) {
      if (how != Crash::keeps_all) file->now = file->durable;
      file->durable = file->now;
    }
    durable_names_ = names_;
    open_.clear();
    locked_.clear();
    dead_ = false;
    heal();
  }
  std::vector<uint8_t>& octets(const std::string& name) { return names_.at(name)->now; }
  bool has(const std::string& name) const { return names_.contains(name); }
  size_t files() const { return names_.size(); }

  int64_t make_folder(const std::string&) override { return 0; }
  int64_t lock(const std::string& name) override {
    if (!locked_.insert(name).second) return -EWOULDBLOCK;
    const int fd = next_fd_++;
    locks_[fd] = name;
    return fd;
  }
  int64_t list(const std::string& folder, std::vector<std::string>& names) override {
    for (const auto& [name, file] : names_) {
      if (name.starts_with(folder + "/")) names.push_back(name.substr(folder.size() + 1));
    }
    return 0;
  }
  int64_t open(const std::string& name, Access access) override {
    if (access == Access::make) {
      return changed([&] { names_[name] = std::make_shared<File>(); },
                     [&] { return handle(names_.at(name)); });
    }
    const auto known = names_.find(name);
    return known == names_.end() ? -ENOENT : handle(known->second);
  }
  void close(int fd) override {
    open_.erase(fd);
    if (const auto lock = locks_.find(fd); lock != locks_.end()) {
      locked_.erase(lock->second);
      locks_.erase(lock);
    }
  }
  int64_t size(int fd) override { return static_cast<int64_t>(open_.at(fd)->now.size()); }
  int64_t allocate(int fd, uint64_t octets) override {
    if (dead_) return -EIO;
    open_.at(fd)->now.resize(octets);
    return 0;
  }
  int64_t read(int fd, std::span<uint8_t> into, uint64_t offset) override {
    const auto& file = open_.at(fd)->now;
    if (offset >= file.size()) return 0;
    const size_t n = std::min<uint64_t>(into.size(), file.size() - offset);
    std::memcpy(into.data(), file.data() + offset, n);
    return static_cast<int64_t>(n);
  }
  int64_t write(int fd, std::span<const uint8_t> bytes, uint64_t offset) override {
    return put(open_.at(fd), bytes, offset, false);
  }
  int64_t sync(int fd) override {
    return changed([&] { open_.at(fd)->durable = open_.at(fd)->now; }, [] { return 0; });
  }
  int64_t rename(const std::string& from, const std::string& to) override {
    if (!has(from)) return -ENOENT;
    return changed(
        [&] {
          names_[to] = names_.at(from);
          names_.erase(from);
        },
        [] { return 0; });
  }
  int64_t link(const std::string& from, const std::string& to) override {
    if (!has(from)) return -ENOENT;
    if (has(to)) return -EEXIST;
    return changed([&] { names_[to] = names_.at(from); }, [] { return 0; });
  }
  int64_t remove(const std::string& name) override {
    if (!has(name)) return -ENOENT;
    return changed([&] { names_.erase(name); }, [] { return 0; });
  }
  int64_t sync_folder(const std::string&) override {
    return changed([&] { durable_names_ = names_; }, [] { return 0; });
  }
  std::unique_ptr<CommitQueue> commit_queue(int64_t&) override {
    return std::make_unique<Queue>(*this);
  }

 private:
  struct File {
    std::vector<uint8_t> now, durable;
  };
  using FilePtr = std::shared_ptr<File>;

  class Queue : public CommitQueue {
   public:
    explicit Queue(SimulatedDisk& disk) : disk_(disk) {}
    std::span<uint8_t> buffer(unsigned index) override {
      return {disk_.buffers_.get() + index * kFrameMax, kFrameMax};
    }
    int64_t attach(int fd) override {
      file_ = disk_.open_.at(fd);
      return 0;
    }
    void start(unsigned index, size_t length, uint64_t offset, bool read_back) override {
      const auto bytes = buffer(index).first(length);
      killed_ = false;
      try {
        result_ = disk_.put(file_, bytes, offset, true);
      } catch (const Killed&) {
        killed_ = true;
      }
      if (read_back && result_ == static_cast<int64_t>(length) &&
          !std::equal(bytes.begin(), bytes.end(),
                      file_->now.begin() + static_cast<ptrdiff_t>(offset)))
        result_ = kReadsBackOtherwise;
    }
    std::optional<int64_t> finish(bool wait) override {
      if (disk_.hold && !wait) return std::nullopt;
      if (killed_) {
        killed_ = false;
        result_ = -EIO;
        throw Killed();
      }
      return result_;
    }

   private:
    SimulatedDisk& disk_;
    FilePtr file_;
    int64_t result_ = 0;
    bool killed_ = false;
  };

  bool fails() {
    ++operations_;
    return operations_ >= at_ && operations_ <= until_;
  }
  [[noreturn]] void kill() {
    dead_ = true;
    throw Killed();
  }
  int64_t handle(FilePtr file) {
    open_[next_fd_] = std::move(file);
    return next_fd_++;
  }

  // An operation that is done or not.
  template <typename Effect, typename Result>
  int64_t changed(const Effect& effect, const Result& result) {
    if (dead_) return -EIO;
    if (!fails()) {
      effect();
      return result();
    }
    switch (fault_) {
      case Fault::kill_before:
      case Fault::kill_torn:
      case Fault::kill_torn_head:
        kill();
      case Fault::kill_after:
        effect();
        kill();
      case Fault::io_error:
      case Fault::io_error_torn:
      case Fault::io_error_after:
        return -EIO;
      case Fault::disk_full:
        return -ENOSPC;
      default:
        effect();
        return result();
    }
  }

  static void store(File& file, std::span<const uint8_t> bytes, uint64_t offset, bool durable) {
    for (auto* content : {&file.now, durable ? &file.durable : nullptr}) {
      if (content == nullptr) continue;
      if (content->size() < offset + bytes.size()) content->resize(offset + bytes.size());
      std::copy(bytes.begin(), bytes.end(), content->begin() + static_cast<ptrdiff_t>(offset));
    }
  }

  int64_t put(const FilePtr& file, std::span<const uint8_t> bytes, uint64_t offset, bool durable) {
    if (dead_) return -EIO;
    const auto all = static_cast<int64_t>(bytes.size());
    if (!fails()) {
      store(*file, bytes, offset, durable);
      return all;
    }
    const size_t half = bytes.size() / 2;
    const auto head = [&] { store(*file, bytes.first(half), offset, durable); };
    switch (fault_) {
      case Fault::kill_before:
        kill();
      case Fault::kill_torn:
        store(*file, bytes.subspan(half), offset + half, durable);
        kill();
      case Fault::kill_torn_head:
        head();
        kill();
      case Fault::kill_after:
        store(*file, bytes, offset, durable);
        kill();
      case Fault::io_error:
        return -EIO;
      case Fault::io_error_torn:
        head();
        return -EIO;
      case Fault::io_error_after:
        store(*file, bytes, offset, durable);
        return -EIO;
      case Fault::disk_full:
        head();
        return -ENOSPC;
      case Fault::short_write:
        head();
        return static_cast<int64_t>(half);
      case Fault::lost_write:
        return all;
      case Fault::misdirected_forward:
        store(*file, bytes.first(std::min<size_t>(bytes.size(), room(*file, offset + 2 * kBlock))),
              offset + 2 * kBlock, durable);
        return all;
      case Fault::misdirected_back:
        store(*file, bytes, offset > 3 * kBlock ? offset - 3 * kBlock : 0, durable);
        return all;
      case Fault::misdirected_file:
        for (const auto& [name, other] : names_) {
          if (other == file || !name.ends_with(".journal")) continue;
          store(*other, bytes.first(std::min<size_t>(bytes.size(), room(*other, offset))), offset,
                durable);
          break;
        }
        return all;
    }
    return all;
  }
  static size_t room(const File& file, uint64_t offset) {
    return file.now.size() > offset ? file.now.size() - offset : 0;
  }

  inline static const AlignedBuffer buffers_ =
      aligned_buffer(2 * kFrameMax);  // one journal at a time
  std::map<std::string, FilePtr> names_, durable_names_;
  std::map<int, FilePtr> open_;
  std::map<int, std::string> locks_;
  std::set<std::string> locked_;
  int next_fd_ = 3;
  Fault fault_ = Fault::kill_before;
  uint64_t operations_ = 0, at_ = 0, until_ = 0;
  bool dead_ = false;
};

}  // namespace anabranch::billing
