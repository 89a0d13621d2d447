// SPDX-License-Identifier: BSD-3-Clause
// Writes what it is given, in order, on a thread of its own: a slow disk holds up neither control
// nor billing. What cannot be written is tried again each second; what has no room to wait is lost,
// counted, and told of.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include <tl/expected.hpp>

namespace anabranch::control {

struct WrittenCounts {
  uint64_t written = 0;
  uint64_t waiting = 0;
  uint64_t failures = 0;  // of tries to write
  uint64_t lost = 0;      // never written
};

template <typename Item>
class WrittenAside {
 public:
  struct Options {
    std::string what;          // the items are, such as "decisions"
    uint64_t waiting_max = 0;  // items; those beyond it are lost
    // Both on the thread. All of an item is written afterwards, or nothing: it is tried again.
    std::function<tl::expected<void, std::string>(Item&)> write;
    std::function<tl::expected<void, std::string>()> sync;  // when nothing waits any more
    std::function<void(const std::string&)> notice;         // or none
  };

  explicit WrittenAside(Options options)
      : options_(std::move(options)), thread_([this] { run(); }) {}
  // Writes what waits, as far as it can be written.
  ~WrittenAside() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    thread_.join();
  }
  WrittenAside(const WrittenAside&) = delete;
  WrittenAside& operator=(const WrittenAside&) = delete;

  // Any thread; never waits. `count`: of how many it is counted as.
  void put(Item item, uint64_t count = 1) {
    {
      const std::lock_guard lock(mutex_);
      if (counts_.waiting + count > options_.waiting_max) {
        counts_.lost += count;
        return;
      }
      counts_.waiting += count;
      waiting_.emplace_back(std::move(item), count);
    }
    wake_.notify_all();
  }

  WrittenCounts counts() const {
    const std::lock_guard lock(mutex_);
    return counts_;
  }

 private:
  static constexpr auto kTryAgain = std::chrono::seconds(1);

  void run() {
    while (true) {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return stopping_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      auto [item, count] = std::move(waiting_.front());
      waiting_.pop_front();
      lock.unlock();
      const bool is_written = try_until_written(item);
      lock.lock();
      counts_.waiting -= count;
      (is_written ? counts_.written : counts_.lost) += count;
      if (!is_written) {  // the gateway ends, and the disk does not take it
        counts_.lost += std::exchange(counts_.waiting, 0);
        waiting_.clear();
      }
      const bool is_last = waiting_.empty();
      lock.unlock();
      const auto synced = is_last && is_written ? options_.sync() : Written();
      synced ? succeeded() : failed(synced.error());
    }
  }

  // False: given up, for the gateway ends.
  bool try_until_written(Item& item) {
    while (true) {
      const auto done = options_.write(item);
      if (done) return true;
      failed(done.error());
      std::unique_lock lock(mutex_);
      if (wake_.wait_for(lock, kTryAgain, [&] { return stopping_; })) return false;
    }
  }

  // Said once, until it succeeds again.
  void failed(const std::string& why) {
    {
      const std::lock_guard lock(mutex_);
      ++counts_.failures;
    }
    if (!std::exchange(failing_, true)) tell(options_.what + " are not on record yet: " + why);
  }

  void succeeded() {
    const uint64_t lost = counts().lost;
    if (lost > lost_told_)
      tell(std::to_string(lost - lost_told_) + " " + options_.what +
           " are not on record, and will not be");
    lost_told_ = lost;
    failing_ = false;
  }

  void tell(const std::string& what) const {
    if (options_.notice) options_.notice(what);
  }

  using Written = tl::expected<void, std::string>;
  const Options options_;
  mutable std::mutex mutex_;  // guards those three
  std::deque<std::pair<Item, uint64_t>> waiting_;
  WrittenCounts counts_;
  bool stopping_ = false;
  std::condition_variable wake_;
  // Of the thread.
  bool failing_ = false;
  uint64_t lost_told_ = 0;
  std::thread thread_;
};

}  // namespace anabranch::control
