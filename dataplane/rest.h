// SPDX-License-Identifier: BSD-3-Clause
// What a worker's thread does while nothing comes: first it looks again, then it naps, and when
// nothing has come for a while it listens, until a port's socket has something or a timer is due.
//
// A nap is deaf on purpose: what comes meanwhile is taken as one burst. Under traffic that is
// cheaper than to be woken by each packet, and setting shorter timers costs more than it gives.
// Listening costs less than naps and wakes within microseconds; it needs ports that have a socket.
#pragma once

#include <poll.h>

#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/doorbell.h"

namespace anabranch::dataplane {

class Rest {
 public:
  static constexpr uint64_t kNapNs = 100'000;
  static constexpr uint64_t kListenNs = 2'000'000;  // kTimerNs: how late timers may be
  static constexpr uint32_t kLooks = 8;
  static constexpr uint32_t kNaps = 4;  // … before it listens

  // `sockets`: of all ports; none when a port has none. `bell`: of what other workers hand over;
  // nullptr when there are none, or when it shall not listen. To be made on the worker's thread.
  explicit Rest(std::span<const int> sockets, Doorbell* bell = nullptr);

  void wake() {
    empty_ = 0;
    leave_bell();
  }
  // After a poll in which nothing came. `at_rest`: nothing waits in the worker either.
  void rest(bool at_rest);

 private:
  std::vector<pollfd> sockets_;
  Doorbell* const bell_;
  bool at_bell_ = false;  // others ring from now on
  uint32_t empty_ = 0;    // polls in a row

  void leave_bell() {
    if (at_bell_) bell_->awake();
    at_bell_ = false;
  }
  void listen();
  static void nap();
};

}  // namespace anabranch::dataplane
