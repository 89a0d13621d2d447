// SPDX-License-Identifier: BSD-3-Clause
// EAL of the benchmarks: on hugepages where enough are free (bench/run reserves them), else on
// ordinary pages; without devices.
#pragma once

#include <rte_mempool.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <tl/expected.hpp>

namespace anabranch::bench {

// What EAL gets. Ten million flows need kLargeMb.
inline constexpr uint32_t kSmallMb = 1024, kLargeMb = 4096;
struct Memory {
  bool hugepages = false;
  uint32_t mb = kSmallMb;
};
Memory memory();

// Once a process; ends it when EAL does not start.
void start_bench_eal();
// Packet buffers for one worker and all it keeps; and for the frames it makes. For several: to be
// said before the first is asked for.
void make_pools_for(uint32_t workers);
rte_mempool* bench_pool();
rte_mempool* bench_frames();

// A benchmark ends with what went wrong.
template <typename T>
T value_of(tl::expected<T, std::string> result) {
  if (result) return std::move(*result);
  std::fprintf(stderr, "bench: %s\n", result.error().c_str());
  std::exit(1);
}

}  // namespace anabranch::bench
