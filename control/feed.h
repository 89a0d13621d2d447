// SPDX-License-Identifier: BSD-3-Clause
// What happens, as server-sent events (HTML, 9.2): kept in a bounded ring that listeners read at
// their own pace, each on a thread of its own. A listener that falls behind by more than the ring
// holds is dropped. Nobody who publishes waits for one.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "control/access.h"

namespace anabranch::control {

// "event: reset": what a listener missed is not in the ring any more.
inline constexpr const char* kResetEvent = "reset";

class Feed {
 public:
  struct Limits {
    size_t events = 16384;       // a change of every service of a large gateway
    size_t octets = 16u << 20;   // of all events in the ring
    size_t listeners = 16;       // each has a thread
    size_t at_once = 64u << 10;  // octets, about, that a listener is given at a time
  };
  // Numbers begin behind those of an earlier process: `first` is the time, in microseconds.
  Feed(Limits limits, uint64_t first);

  // Any thread. `client`: whose it is, and may see it; empty: operators and auditors only.
  void publish(const char* event, nlohmann::json data, const std::string& client = {});

  class Listener {
   public:
    ~Listener();
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;
    // Events as they are sent; empty when there was none for so long. nullopt: it has fallen
    // behind, or the feed has ended.
    std::optional<std::string> next(std::chrono::milliseconds at_most);

   private:
    friend class Feed;
    Listener(Feed& feed, Caller caller) : feed_(feed), caller_(std::move(caller)) {}
    Feed& feed_;
    const Caller caller_;
    uint64_t next_ = 0;    // the event's number
    std::string opening_;  // said first
  };
  // Behind event `after`, or from now on. nullptr: there are too many already, or it has ended.
  std::unique_ptr<Listener> listen(const Caller& caller, std::optional<uint64_t> after);

  size_t listeners() const;
  // Listeners end, and no more come.
  void stop();

 private:
  struct Event {
    std::string client;
    std::string text;  // as sent
  };
  uint64_t oldest() const { return next_ - ring_.size(); }

  const Limits limits_;
  mutable std::mutex mutex_;  // guards all below
  std::condition_variable more_;
  std::deque<std::shared_ptr<const Event>> ring_;
  size_t octets_ = 0;
  uint64_t next_;
  size_t listeners_ = 0;
  bool has_ended_ = false;
};

}  // namespace anabranch::control
