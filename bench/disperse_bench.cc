// SPDX-License-Identifier: BSD-3-Clause
// Which path: the core of it alone, and by each dispersion, with what it has to know of the paths.
#include <memory>

#include "bench/cycles.h"
#include "dataplane/disperse.h"
#include "dataplane/stages.h"

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
BENCHMARK(disperse_by_packet)->ArgName("paths")->Arg(1)->Arg(3)->Arg(8);

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

constexpr uint64_t kStart = 1'000'000'000;

// `count` paths that are alive, each a little slower than the one before.
std::unique_ptr<Context> context_of_paths(PlanTable& plans, int64_t count) {
  auto context = std::make_unique<Context>();
  context->plans = &plans;
  context->now_ns = kStart;
  auto paths = std::make_unique<PathTable>();
  for (int64_t i = 1; i <= count; ++i) {
    const auto p = static_cast<size_t>(i);
    paths->paths[p].configured = paths->paths[p].reachable = true;
    context->alive = static_cast<uint16_t>(context->alive | 1u << p);
    context->measures[p].delay_out(kStart, kStart + 1000 * p, kStart);
  }
  plans.publish(std::move(paths));
  return context;
}

// Paced links that together carry a tenth more than comes, a packet each half microsecond.
void choose(benchmark::State& state, Dispersion dispersion, Segmentation segmentation, bool even) {
  constexpr uint64_t kStepNs = 500;
  const int64_t count = state.range(0);
  PlanTable plans;
  const auto context = context_of_paths(plans, count);
  Plan plan = plan_of_paths(count);
  plan.dispersion = dispersion;
  plan.segmentation = segmentation;
  for (size_t i = 0; i < static_cast<size_t>(count); ++i)
    plan.order[i] = static_cast<uint8_t>(i + 1);
  const auto service = std::make_unique<ServiceState>();
  const uint64_t pace = static_cast<uint64_t>(count) * (kStepNs << 16) * 10 / 11 / 64;
  uint64_t sent = 0;
  CyclesPerPacket cycles(state, 1);
  for (auto _ : state) {
    context->now_ns += kStepNs;
    const auto bucket = static_cast<uint8_t>(sent % kFlowBuckets);
    const Choice choice = choose_path(*context, plan, *service, bucket, 64, even);
    if (choice.what == Choice::What::path)
      context->paces[choice.path].take(64, pace, context->now_ns);
    ++sent;
  }
}
void by_paths(benchmark::internal::Benchmark* b) {
  b->ArgName("paths")->Arg(1)->Arg(3)->Arg(8);
}
constexpr Segmentation kFlow = Segmentation::flow, kPacket = Segmentation::packet;
BENCHMARK_CAPTURE(choose, weighted, Dispersion::weighted, kPacket, true)->Apply(by_paths);
BENCHMARK_CAPTURE(choose, flow, Dispersion::weighted, kFlow, false)->Apply(by_paths);
BENCHMARK_CAPTURE(choose, earliest, Dispersion::earliest_delivery, kPacket, false)->Apply(by_paths);
BENCHMARK_CAPTURE(choose, even, Dispersion::earliest_delivery, kPacket, true)->Apply(by_paths);
BENCHMARK_CAPTURE(choose, flowlet, Dispersion::flowlet, kFlow, false)->Apply(by_paths);
BENCHMARK_CAPTURE(choose, redundant, Dispersion::redundant, kPacket, false)->Apply(by_paths);
BENCHMARK_CAPTURE(choose, priority, Dispersion::priority, kPacket, false)->Apply(by_paths);
BENCHMARK_CAPTURE(choose, standby, Dispersion::standby, kPacket, false)->Apply(by_paths);

}  // namespace
}  // namespace anabranch::bench

BENCHMARK_MAIN();
