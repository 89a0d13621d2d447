// SPDX-License-Identifier: BSD-3-Clause
// A worker: the loop that moves packets. Run to completion, one thread, shares nothing.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include <tl/expected.hpp>

#include "dataplane/context.h"
#include "dataplane/memory.h"
#include "dataplane/ports.h"

namespace anabranch::dataplane {

class Worker {
 public:
  // `plans` and `meters` must outlive the worker. EAL must run. Several may exist in one process.
  static tl::expected<std::unique_ptr<Worker>, std::string> create(const WorkerOptions& options,
                                                                   PlanTable& plans,
                                                                   WorkerMeters& meters);
  ~Worker();

  // One iteration at the time `now`: a burst from each port, lanes whose wait is over, beats that
  // are due, and everything sent. Returns how many packets it took from ports.
  uint32_t poll(uint64_t now);

  // What other workers have handed over, when they all have stopped: received, sent and counted.
  // Returns how many packets it was. Any thread, one at a time.
  uint32_t finish(uint64_t now);

  // Polls until `stop`, and rests (rest.h) when there is nothing to do, unless `spin`. To be called
  // on the thread that shall be the worker.
  void run(const std::atomic<bool>& stop, bool spin);
  // Whether it shall look at its ports all the same, while there is nothing to do. Control thread.
  void stay_awake(bool awake) { awake_.store(awake, std::memory_order_relaxed); }

  const Counters& counters() const { return context_.counters; }
  const StageTimes& times() const { return context_.times; }
  uint8_t id() const { return context_.options.id; }
  const PathTelemetry& telemetry(uint8_t path) const { return context_.telemetry[path]; }
  // nullptr: flows are not accounted. To be read by the control thread; and when the worker has
  // ended, its own.
  FlowAccounts* accounts() const { return context_.accounts.get(); }
  // The next LAN address the worker would like resolved, or 0. Control thread.
  Address wanted_neighbour();

 private:
  Worker() = default;
  Context context_;
  std::atomic<bool> awake_{false};
};

}  // namespace anabranch::dataplane
