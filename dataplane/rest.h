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

namespace anabranch::dataplane {

class Rest {
 public:
  static constexpr uint64_t kNapNs = 100'000;
  static constexpr uint64_t kListenNs = 2'000'000;  // kTimerNs: how late timers may be
  static constexpr uint32_t kLooks = 8;
  static constexpr uint32_t kNaps = 4;  // … before it listens

  // `sockets`: of all ports; none when a port has none. To be made on the worker's thread.
  explicit Rest(std::span<const int> sockets);

  void wake() { empty_ = 0; }
  // After a poll in which nothing came. `at_rest`: nothing waits in the worker either.
  void rest(bool at_rest);

 private:
  std::vector<pollfd> sockets_;
  uint32_t empty_ = 0;  // polls in a row

  void listen();
  static void nap();
};

}  // namespace anabranch::dataplane
