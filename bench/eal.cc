// SPDX-License-Identifier: BSD-3-Clause
#include "bench/eal.h"

#include <rte_eal.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include "dataplane/eal.h"
#include "dataplane/worker.h"

namespace anabranch::bench {
namespace {

constexpr uint32_t kHugepageMb = 2;

uint64_t free_hugepages() {
  uint64_t count = 0;
  std::ifstream("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages") >> count;
  return count;
}

uint64_t available_mb() {
  std::ifstream file("/proc/meminfo");
  std::string name;
  for (uint64_t kb = 0; file >> name; file.ignore(std::numeric_limits<int>::max(), '\n')) {
    if (name == "MemAvailable:" && file >> kb) return kb / 1024;
  }
  return 0;
}

constexpr uint32_t kUplinks = 3;
uint32_t pools_for = 1;

rte_mempool* make_pool(uint32_t packets, const char* name) {
  const auto made = dataplane::create_pool(packets, name);
  if (made) return *made;
  std::fprintf(stderr, "bench: %s\n", made.error().c_str());
  std::exit(1);
}

}  // namespace

Memory memory() {
  static const Memory chosen = [] {
    const uint64_t huge_mb = free_hugepages() * kHugepageMb;
    if (huge_mb >= kSmallMb) return Memory{true, huge_mb >= kLargeMb ? kLargeMb : kSmallMb};
    return Memory{false, available_mb() >= 3 * kLargeMb ? kLargeMb : kSmallMb};
  }();
  return chosen;
}

void start_bench_eal() {
  std::string runtime = std::filesystem::temp_directory_path() / "anabranch-bench-XXXXXX";
  if (mkdtemp(runtime.data()) == nullptr) std::exit(1);
  setenv("RUNTIME_DIRECTORY", runtime.c_str(), 1);
  std::vector<std::string> arguments{"bench", "--no-pci", "--no-telemetry",   "-l", "0",
                                     "-m",    "",         "--log-level=error"};
  arguments[6] = std::to_string(memory().mb);
  if (memory().hugepages) {
    arguments.push_back("--in-memory");
  } else {
    arguments.insert(arguments.end(), {"--no-huge", "--no-shconf"});
  }
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  const bool started = rte_eal_init(static_cast<int>(pointers.size()), pointers.data()) >= 0;
  std::filesystem::remove_all(runtime);
  if (started) return;
  std::fputs("bench: EAL does not start\n", stderr);
  std::exit(1);
}

void make_pools_for(uint32_t workers) {
  pools_for = workers;
}

rte_mempool* bench_pool() {
  static rte_mempool* const pool = make_pool(32768 * pools_for - 1, "packets");
  return pool;
}

rte_mempool* bench_frames() {
  static rte_mempool* const pool = make_pool(dataplane::frames_for(kUplinks, pools_for), "frames");
  return pool;
}

}  // namespace anabranch::bench
