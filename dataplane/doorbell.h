// SPDX-License-Identifier: BSD-3-Clause
// How a worker that sleeps learns that another has handed something over to it.
//
// Nothing orders a look at `asleep_` behind what was put into a ring: a barrier would cost every
// burst, and a bell that is missed costs the packet one rest, 2 ms. It takes two cores that do both
// within the same 100 ns or so.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>

namespace anabranch::dataplane {

class alignas(64) Doorbell {
 public:
  Doorbell() = default;
  ~Doorbell() {
    if (fd_ >= 0) close(fd_);
  }
  Doorbell(const Doorbell&) = delete;
  Doorbell& operator=(const Doorbell&) = delete;

  // That becomes readable when it rings; -1: there was none to be had.
  int fd() const { return fd_; }

  // Of who sleeps. After fall_asleep() it has to look once more, and then may sleep.
  void fall_asleep() { asleep_.store(true, std::memory_order_seq_cst); }
  void awake() {
    asleep_.store(false, std::memory_order_relaxed);
    uint64_t rung = 0;
    if (read(fd_, &rung, sizeof rung) < 0) return;  // nobody rang
  }
  // Of who has put something into a ring for it. A system call only when it sleeps.
  void ring() {
    if (!asleep_.load(std::memory_order_relaxed)) return;
    asleep_.store(false, std::memory_order_relaxed);
    const uint64_t once = 1;
    if (write(fd_, &once, sizeof once) < 0) return;  // it rings already
  }

 private:
  const int fd_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  std::atomic<bool> asleep_{false};
};

}  // namespace anabranch::dataplane
