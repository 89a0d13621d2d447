// SPDX-License-Identifier: BSD-3-Clause
// What an operator can look at while a gateway runs, over DPDK's telemetry socket
// (dpdk-telemetry.py): /anabranch/workers, stages, lanes, drops and paths. Reads counters that
// workers write; a worker never notices.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "dataplane/worker.h"

namespace anabranch::dataplane {

// A path as the configuration has it.
struct WatchedPath {
  std::string name;       // empty: there is none of this number
  uint64_t rate_bps = 0;  // towards the peer; 0: to be found out
};

// One in a process. The workers must outlive it.
class Telemetry {
 public:
  Telemetry(std::vector<const Worker*> workers, std::array<WatchedPath, kPathsMax> paths);
  ~Telemetry();
  Telemetry(const Telemetry&) = delete;
  Telemetry& operator=(const Telemetry&) = delete;

  const std::vector<const Worker*> workers;
  const std::array<WatchedPath, kPathsMax> paths;
};

}  // namespace anabranch::dataplane
