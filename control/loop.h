// SPDX-License-Identifier: BSD-3-Clause
// A thread's event loop: descriptors, timers, and work handed over by other threads.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <future>
#include <map>
#include <mutex>
#include <type_traits>
#include <vector>

namespace anabranch::control {

class Loop {
 public:
  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Any thread. Runs later on the loop's thread, in order.
  void post(std::function<void()> work);
  // Any other thread. The future is ready when the loop has run it.
  template <typename Function>
  auto call(Function function) {
    using Result = std::invoke_result_t<Function>;
    auto task = std::make_shared<std::packaged_task<Result()>>(std::move(function));
    auto future = task->get_future();
    post([task] { (*task)(); });
    return future;
  }

  // The loop's thread. `ready` gets poll(2)'s revents; a later watch() of the descriptor replaces
  // it.
  void watch(int fd, short events, std::function<void(short)> ready);
  void unwatch(int fd);
  void every(std::chrono::milliseconds interval, std::function<void()> work);

  // Runs until stop(); what was posted before stop() has run when it returns.
  void run();
  void stop();  // any thread

 private:
  struct Watch {
    short events;
    std::function<void(short)> ready;
  };
  struct Timer {
    std::chrono::steady_clock::time_point due;
    std::chrono::milliseconds interval;
    std::function<void()> work;
  };
  void run_posted();
  std::chrono::nanoseconds run_timers();
  void wait(std::chrono::nanoseconds at_most);

  int wake_fd_;
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;  // guards posted_
  std::vector<std::function<void()>> posted_;
  std::map<int, Watch> watches_;
  std::vector<Timer> timers_;
};

}  // namespace anabranch::control
