// SPDX-License-Identifier: BSD-3-Clause
// DPDK's environment: once a process, and not again after it was left.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <rte_mempool.h>
#include <tl/expected.hpp>

#include "dataplane/bounds.h"

namespace anabranch::dataplane {

struct EalOptions {
  std::string runtime_dir;               // where DPDK may put its files
  std::string name;                      // … in dpdk/NAME, where the telemetry socket is
  std::vector<uint16_t> worker_cpus{0};  // lcores 1, 2 … run there
  uint16_t control_cpu = 0;              // lcore 0, the calling thread
  uint32_t memory_mb = 384;
  bool hugepages = false;
};
inline constexpr unsigned kWorkerLcore = 1;  // of the first worker

// Starts EAL from the calling thread and gives the thread its CPUs back, which EAL narrows to one
// (and every thread started later would inherit). The error names the arguments EAL refused.
tl::expected<void, std::string> start_eal(const EalOptions& options);

// Packet buffers of one frame each, of ports with an MTU up to `mtu_max`. The error says how much
// memory would be needed.
tl::expected<rte_mempool*, std::string> create_pool(uint32_t packets, const char* name = "packets",
                                                    uint16_t mtu_max = kMtuUsual);

}  // namespace anabranch::dataplane
