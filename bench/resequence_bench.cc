// SPDX-License-Identifier: BSD-3-Clause
// What a segment pays for its place in its lane.
#include <array>
#include <vector>

#include "bench/cycles.h"
#include "dataplane/resequence.h"

namespace anabranch::bench {
namespace {

using namespace dataplane;

constexpr uint64_t kWait = 1'000'000;

void lane_in_order(benchmark::State& state) {
  Resequencer<void*> resequencer;
  std::vector<Lane> lanes(static_cast<size_t>(state.range(0)));
  std::vector<uint32_t> numbers(lanes.size(), 0);
  uint64_t out = 0;
  size_t lane = 0;
  CyclesPerPacket cycles(state, 1);
  for (auto _ : state) {
    benchmark::DoNotOptimize(resequencer.receive(lanes[lane], numbers[lane]++, nullptr, 0, kWait,
                                                 [&](void*) { ++out; }));
    lane = lane + 1 == lanes.size() ? 0 : lane + 1;
  }
  if (out != static_cast<uint64_t>(state.iterations())) state.SkipWithError("segments got lost");
}
BENCHMARK(lane_in_order)->ArgName("lanes")->Arg(1)->Arg(256);

// Of each `run` segments the first comes last, so that all others have to wait for it.
void lane_with_holes(benchmark::State& state) {
  Resequencer<void*> resequencer;
  Lane lane;
  const auto run = static_cast<uint32_t>(state.range(0));
  uint32_t base = 0;
  uint64_t out = 0;
  const auto receive = [&](uint32_t number) {
    resequencer.receive(lane, number, nullptr, 0, kWait, [&](void*) { ++out; });
  };
  CyclesPerPacket cycles(state, run);
  for (auto _ : state) {
    for (uint32_t i = 1; i < run; ++i) receive(base + i);
    receive(base);
    base += run;
  }
  if (out != static_cast<uint64_t>(state.iterations()) * run) {
    state.SkipWithError("segments got lost");
  }
}
BENCHMARK(lane_with_holes)->ArgName("run")->Arg(2)->Arg(16)->Arg(1000);

// One segment of each `run` is lost for good and given up at its deadline.
void lane_with_losses(benchmark::State& state) {
  Resequencer<void*> resequencer;
  Lane lane;
  const auto run = static_cast<uint32_t>(state.range(0));
  uint32_t base = 0;
  uint64_t out = 0, now = 0;
  const auto take = [&](void*) { ++out; };
  CyclesPerPacket cycles(state, run);
  for (auto _ : state) {
    for (uint32_t i = 1; i < run; ++i) {
      resequencer.receive(lane, base + i, nullptr, now, kWait, take);
    }
    now += kWait;
    resequencer.expire(now, take);
    base += run;
  }
  if (out != static_cast<uint64_t>(state.iterations()) * (run - 1)) {
    state.SkipWithError("segments got lost");
  }
}
BENCHMARK(lane_with_losses)->ArgName("run")->Arg(100);

}  // namespace
}  // namespace anabranch::bench

BENCHMARK_MAIN();
