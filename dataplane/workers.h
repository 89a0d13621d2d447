// SPDX-License-Identifier: BSD-3-Clause
// All workers of one gateway.
#pragma once

#include <atomic>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "dataplane/crew.h"
#include "dataplane/meter.h"
#include "dataplane/worker.h"

namespace anabranch::dataplane {

class Workers {
 public:
  // As many as `queues` are for; `options` of each but for `id` and `crew`. `plans` and `meters`
  // must outlive them; `meters` has room for them all. `queues[0]` is of the LAN, then of uplinks.
  struct Ports {
    uint8_t workers = 1;
    std::array<PortQueues, kPortsMax> queues{};
    uint32_t ring_size = HandoverRing::kSize;
    // Of each port; empty: one has none, and workers nap only.
    std::vector<int> sockets{};
  };
  static tl::expected<std::unique_ptr<Workers>, std::string> create(const WorkerOptions& options,
                                                                    const Ports& ports,
                                                                    PlanTable& plans,
                                                                    MeterRegion& meters);

  std::span<const std::unique_ptr<Worker>> each() const { return workers_; }

  // For one thread: one iteration of each, in turn. 0: there was nothing to do, and nothing is left
  // between them.
  uint32_t poll(uint64_t now);
  // When none runs any more: what they had handed over to each other is sent and counted.
  void finish(uint64_t now);

  // Of all together. What is handed over and not taken over yet is nowhere else.
  Counters counters() const;
  PathTelemetry telemetry(uint8_t path) const;
  // The next LAN address that one would like resolved, or 0. Control thread.
  Address wanted_neighbour();

 private:
  Workers() = default;
  std::unique_ptr<Crew> crew_;  // nullptr: there is one worker
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace anabranch::dataplane
