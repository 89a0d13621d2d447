// SPDX-License-Identifier: BSD-3-Clause
// What a packet pays to know its plan: an acquire load and an index; and what control pays to
// publish one, while a worker polls.
#include <array>
#include <random>

#include "bench/cycles.h"
#include "dataplane/plan_table.h"

namespace anabranch::bench {
namespace {

using namespace dataplane;

void read_plans(benchmark::State& state) {
  const auto services = static_cast<uint32_t>(state.range(0));
  PlanTable table;
  for (uint16_t slot = 1; slot < kServicesMax; ++slot) {
    auto plan = std::make_unique<Plan>();
    plan->generation = slot;
    table.publish(slot, std::move(plan));
  }
  std::mt19937 random(1);
  std::array<uint16_t, 4096> slots;
  for (uint16_t& slot : slots) slot = static_cast<uint16_t>(1 + random() % services);
  size_t i = 0;
  CyclesPerPacket cycles(state, 1);
  for (auto _ : state) {
    benchmark::DoNotOptimize(table.plan(slots[i++ % slots.size()])->generation);
  }
}
BENCHMARK(read_plans)->ArgName("services")->Arg(1)->Arg(100)->Arg(1000)->Arg(10'000);

void publish_plan(benchmark::State& state) {
  PlanTable table;
  table.worker_online(0);
  CyclesPer cycles("plan", state, 1);
  for (auto _ : state) {
    table.publish(1, std::make_unique<Plan>());
    table.quiescent(0);
  }
  if (table.retired() > 2) state.SkipWithError("old plans are not freed");
}
BENCHMARK(publish_plan);

}  // namespace
}  // namespace anabranch::bench

BENCHMARK_MAIN();
