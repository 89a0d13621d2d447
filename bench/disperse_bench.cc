// SPDX-License-Identifier: BSD-3-Clause
#include "bench/cycles.h"
#include "dataplane/disperse.h"

namespace anabranch::bench {
namespace {

using namespace dataplane;

constexpr uint16_t kAll = 0xfffe;

Plan plan_of_paths(int64_t count) {
  std::array<uint16_t, kPathsMax> weights{};
  for (int64_t p = 1; p <= count; ++p) {
    weights[static_cast<size_t>(p)] = static_cast<uint16_t>(10 * p);
  }
  Plan plan;
  plan.generation = 1;
  compile_weights(weights, plan);
  return plan;
}

void disperse_by_packet(benchmark::State& state) {
  const Plan plan = plan_of_paths(state.range(0));
  Shares dispersion;
  uint32_t octets = 0;
  CyclesPerPacket cycles(state, 1);
  for (auto _ : state) {
    octets = (octets + 389) % 1408;
    benchmark::DoNotOptimize(choose_by_packet(plan, dispersion, kAll, octets + 67));
  }
}
BENCHMARK(disperse_by_packet)->Arg(1)->Arg(3)->Arg(8);

void disperse_by_flow(benchmark::State& state) {
  const Plan plan = plan_of_paths(3);
  uint8_t bucket = 0;
  CyclesPerPacket cycles(state, 1);
  for (auto _ : state) {
    bucket = (bucket + 37) % kFlowBuckets;
    benchmark::DoNotOptimize(choose_by_flow(plan, kAll, bucket));
  }
}
BENCHMARK(disperse_by_flow);

}  // namespace
}  // namespace anabranch::bench

BENCHMARK_MAIN();
