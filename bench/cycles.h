// SPDX-License-Identifier: BSD-3-Clause
// What a packet costs, in ticks of the TSC: the unit the data plane's headers state.
#pragma once

#include <benchmark/benchmark.h>
#include <emmintrin.h>
#include <rte_cycles.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace anabranch::bench {

// The clock, once all that was begun is done: reading it alone does not wait for memory.
inline uint64_t ticks_now() {
  _mm_lfence();
  return rte_rdtsc();
}

// Made just before the timed loop; reports when it goes out of scope, just behind it.
class CyclesPer {
 public:
  CyclesPer(const char* what, benchmark::State& state, uint64_t each_iteration)
      : what_(what), state_(state), each_iteration_(each_iteration), start_(rte_rdtsc()) {}
  CyclesPer(const CyclesPer&) = delete;
  CyclesPer& operator=(const CyclesPer&) = delete;
  ~CyclesPer() {
    const auto cycles = static_cast<double>(rte_rdtsc() - start_);
    const auto count =
        static_cast<double>(state_.iterations()) * static_cast<double>(each_iteration_);
    state_.counters[std::string("cycles_per_") + what_] = cycles / count;
    state_.SetItemsProcessed(static_cast<int64_t>(count));
  }

 private:
  const char* what_;
  benchmark::State& state_;
  uint64_t each_iteration_;
  uint64_t start_;
};

class CyclesPerPacket : public CyclesPer {
 public:
  CyclesPerPacket(benchmark::State& state, uint64_t packets_each_iteration)
      : CyclesPer("packet", state, packets_each_iteration) {}
};

// For what is timed by itself in each iteration. Reports the median of groups of iterations, lest a
// moment in which the machine did something else count; a group is long enough for everything that
// happens now and then.
class Laps {
 public:
  static constexpr size_t kGroup = 1250;  // 20 ms of OneWorker's clock

  Laps(const char* what, benchmark::State& state, uint64_t each_lap)
      : what_(what), state_(state), each_lap_(each_lap) {}
  void add(uint64_t ticks) {
    state_.SetIterationTime(static_cast<double>(ticks) / static_cast<double>(rte_get_tsc_hz()));
    group_ += ticks - std::min(ticks, clock_cost());
    if (++laps_ % kGroup != 0) return;
    groups_.push_back(static_cast<double>(group_) / static_cast<double>(kGroup * each_lap_));
    group_ = 0;
  }
  void report() {
    if (groups_.empty()) return state_.SkipWithError("too few iterations");
    const auto middle = groups_.begin() + static_cast<std::ptrdiff_t>(groups_.size() / 2);
    std::nth_element(groups_.begin(), middle, groups_.end());
    state_.counters[std::string("cycles_per_") + what_] = *middle;
    if (std::string_view(what_) == "packet")
      state_.counters["Mpps"] = static_cast<double>(rte_get_tsc_hz()) / *middle / 1e6;
  }

 private:
  // What reading the clock adds to a lap.
  static uint64_t clock_cost() {
    static const uint64_t cost = [] {
      uint64_t least = UINT64_MAX;
      for (int i = 0; i < 1000; ++i) {
        const uint64_t start = ticks_now();
        least = std::min(least, ticks_now() - start);
      }
      return least;
    }();
    return cost;
  }
  const char* what_;
  benchmark::State& state_;
  uint64_t each_lap_;
  uint64_t group_ = 0, laps_ = 0;
  std::vector<double> groups_;
};

}  // namespace anabranch::bench
