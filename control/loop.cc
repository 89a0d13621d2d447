// SPDX-License-Identifier: BSD-3-Clause
#include "control/loop.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace anabranch::control {

using Clock = std::chrono::steady_clock;

Loop::Loop() : wake_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (wake_fd_ < 0) std::abort();
}

Loop::~Loop() {
  close(wake_fd_);
}

void Loop::post(std::function<void()> work) {
  {
    const std::lock_guard lock(mutex_);
    posted_.push_back(std::move(work));
  }
  eventfd_write(wake_fd_, 1);
}

void Loop::watch(int fd, short events, std::function<void(short)> ready) {
  watches_[fd] = Watch{events, std::move(ready)};
}

void Loop::unwatch(int fd) {
  watches_.erase(fd);
}

void Loop::every(std::chrono::milliseconds interval, std::function<void()> work) {
  timers_.push_back({Clock::now() + interval, interval, std::move(work)});
}

void Loop::run() {
  while (!stopping_.load(std::memory_order_acquire)) {  // pairs with stop()
    wait(run_timers());
    run_posted();
  }
  run_posted();
}

void Loop::stop() {
  stopping_.store(true, std::memory_order_release);
  eventfd_write(wake_fd_, 1);
}

void Loop::run_posted() {
  eventfd_t ignored;
  eventfd_read(wake_fd_, &ignored);
  std::vector<std::function<void()>> work;
  {
    const std::lock_guard lock(mutex_);
    work.swap(posted_);
  }
  for (auto& one : work) one();
}

std::chrono::nanoseconds Loop::run_timers() {
  auto next = std::chrono::nanoseconds(std::chrono::seconds(1));
  for (size_t i = 0; i < timers_.size(); ++i) {
    if (const auto now = Clock::now(); now >= timers_[i].due) {
      // A timer that was held up does not run twice to catch up.
      timers_[i].due = std::max(timers_[i].due + timers_[i].interval, now);
      timers_[i].work();
    }
    next = std::min(next, std::max(timers_[i].due - Clock::now(), std::chrono::nanoseconds(0)));
  }
  return next;
}

void Loop::wait(std::chrono::nanoseconds at_most) {
  std::vector<pollfd> fds{{wake_fd_, POLLIN, 0}};
  for (const auto& [fd, watch] : watches_) fds.push_back({fd, watch.events, 0});
  const timespec timeout{static_cast<time_t>(at_most.count() / 1'000'000'000),
                         static_cast<long>(at_most.count() % 1'000'000'000)};
  if (ppoll(fds.data(), fds.size(), &timeout, nullptr) <= 0) return;
  for (size_t i = 1; i < fds.size(); ++i) {
    if (fds[i].revents == 0) continue;
    // An earlier handler may have closed this one; copied, since a handler may replace itself.
    const auto found = watches_.find(fds[i].fd);
    if (found == watches_.end()) continue;
    const auto ready = found->second.ready;
    ready(fds[i].revents);
  }
}

}  // namespace anabranch::control
