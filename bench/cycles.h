// SPDX-License-Identifier: BSD-3-Clause
// What a packet costs, in ticks of the TSC: the unit the data plane's headers state.
#pragma once

#include <benchmark/benchmark.h>
#include <rte_cycles.h>

#include <cstdint>

namespace anabranch::bench {

// Made just before the timed loop; reports when it goes out of scope, just behind it.
class CyclesPerPacket {
 public:
  CyclesPerPacket(benchmark::State& state, uint64_t packets_each_iteration)
      : state_(state), packets_(packets_each_iteration), start_(rte_rdtsc()) {}
  CyclesPerPacket(const CyclesPerPacket&) = delete;
  CyclesPerPacket& operator=(const CyclesPerPacket&) = delete;
  ~CyclesPerPacket() {
    const auto cycles = static_cast<double>(rte_rdtsc() - start_);
    const auto packets = static_cast<double>(state_.iterations()) * static_cast<double>(packets_);
    state_.counters["cycles_per_packet"] = cycles / packets;
    state_.SetItemsProcessed(static_cast<int64_t>(packets));
  }

 private:
  benchmark::State& state_;
  uint64_t packets_;
  uint64_t start_;
};

}  // namespace anabranch::bench
