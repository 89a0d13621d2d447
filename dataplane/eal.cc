// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/eal.h"

#include <pthread.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>
#include <rte_mbuf.h>
#include <sched.h>

#include <cstdlib>
#include <vector>

#include "dataplane/memory.h"
#include "dataplane/queues.h"

namespace anabranch::dataplane {
namespace {

std::vector<std::string> eal_arguments(const EalOptions& o) {
  std::string lcores = "0@" + std::to_string(o.control_cpu);
  for (size_t w = 0; w < o.worker_cpus.size(); ++w)
    lcores += "," + std::to_string(kWorkerLcore + w) + "@" + std::to_string(o.worker_cpus[w]);
  std::vector<std::string> arguments{"anabranchd",
                                     "--lcores",
                                     lcores,
                                     "-m",
                                     std::to_string(o.memory_mb),
                                     "--file-prefix",
                                     o.name,
                                     "--log-level=lib.eal:warning",
                                     "--log-level=lib.telemetry:error"};
  // Hugepages are unlinked at once; without them memory is ordinary pages of this process.
  if (o.hugepages) {
    arguments.push_back("--in-memory");
  } else {
    arguments.insert(arguments.end(), {"--no-huge", "--no-shconf", "--no-pci"});
  }
  return arguments;
}

}  // namespace

tl::expected<void, std::string> start_eal(const EalOptions& options) {
  setenv("RUNTIME_DIRECTORY", options.runtime_dir.c_str(), 1);
  cpu_set_t before;
  pthread_getaffinity_np(pthread_self(), sizeof before, &before);
  std::vector<std::string> arguments = eal_arguments(options);
  std::vector<char*> argv;
  std::string shown;
  for (std::string& argument : arguments) {
    argv.push_back(argument.data());
    shown += argument + " ";
  }
  const int result = rte_eal_init(static_cast<int>(argv.size()), argv.data());
  pthread_setaffinity_np(pthread_self(), sizeof before, &before);
  if (result < 0) {
    return tl::unexpected("DPDK did not start (" + std::string(rte_strerror(rte_errno)) +
                          ") with: " + shown);
  }
  return {};
}

tl::expected<rte_mempool*, std::string> create_pool(uint32_t packets, const char* name,
                                                    uint16_t mtu_max) {
  constexpr unsigned kCache = 256;
  rte_mempool* pool = rte_pktmbuf_pool_create(name, packets, kCache, sizeof(Waiting),
                                              data_room_for(mtu_max), SOCKET_ID_ANY);
  if (pool == nullptr) {
    return tl::unexpected("no memory for " + std::to_string(packets) + " packet buffers (" +
                          std::to_string(packets * (data_room_for(mtu_max) + 256ull) >> 20) +
                          " MB): raise dataplane.memory_mb");
  }
  return pool;
}

}  // namespace anabranch::dataplane
