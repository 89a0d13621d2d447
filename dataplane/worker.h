// SPDX-License-Identifier: BSD-3-Clause
// A worker: the loop that moves packets. Run to completion, one thread, shares nothing.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include <tl/expected.hpp>

#include "dataplane/context.h"
#include "dataplane/ports.h"

namespace anabranch::dataplane {

class Worker {
 public:
  // `plans` and `meters` must outlive the worker. EAL must run. Several may exist in one process.
  static tl::expected<std::unique_ptr<Worker>, std::string> create(const WorkerOptions& options,
                                                                   PlanTable& plans,
                                                                   MeterRegion& meters);
  ~Worker();

  // One iteration at the time `now`: a burst from each port, lanes whose wait is over, beats that
  // are due, and everything sent. Returns how many packets it took from ports.
  uint32_t poll(uint64_t now);

  // Polls until `stop`, and rests (rest.h) when there is nothing to do, unless `spin`. To be called
  // on the thread that shall be the worker.
  void run(const std::atomic<bool>& stop, bool spin);

  const Counters& counters() const { return context_.counters; }
  const StageTimes& times() const { return context_.times; }
  uint8_t id() const { return context_.options.id; }
  const PathTelemetry& telemetry(uint8_t path) const { return context_.telemetry[path]; }
  // The next LAN address the worker would like resolved, or 0. Control thread.
  uint32_t wanted_neighbour();

 private:
  Worker() = default;
  Context context_;
};

// Frames for the peer that may be under way in the worker and in as many ports at once.
constexpr uint32_t frames_for(uint32_t uplinks) {
  constexpr uint32_t kCached = 512;
  return uplinks * (kDescriptors + TxQueue::kSize) + kCached;
}

}  // namespace anabranch::dataplane
