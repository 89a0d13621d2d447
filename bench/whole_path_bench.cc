// SPDX-License-Identifier: BSD-3-Clause
// What a packet costs from port to port, in a worker as a gateway has it. Making packets, and
// taking those that came out, is not in what is timed; clients' IP packets have 64 octets unless it
// says otherwise. Nothing is sealed unless it says so: what a cipher costs is in seal_bench.
#include <algorithm>
#include <bit>

#include "bench/cycles.h"
#include "bench/eal.h"
#include "bench/one_worker.h"
#include "dataplane/bounds.h"

namespace anabranch::bench {
namespace {

using namespace dataplane;
using benchmark::State;

constexpr int64_t kBursts = 80 * Laps::kGroup;
constexpr int64_t kManyFlows = 10'000'000;

// LAN → parse → flow → meter → number → disperse → seal → uplinks.
void segment(State& state, Setup setup) {
  setup.flows = static_cast<uint32_t>(state.range(0));
  setup.octets = static_cast<uint16_t>(state.range(1));
  // Cuckoo tables that are quite full refuse flows.
  setup.flows_max = std::max(setup.flows_max, std::bit_ceil(setup.flows + setup.flows / 4));
  OneWorker worker(setup);
  const uint64_t before = worker.to_uplinks();
  Laps laps("packet", state, kBurst);
  for (auto _ : state) {
    worker.offer_packets();
    laps.add(worker.poll());
  }
  if (worker.to_uplinks() - before < static_cast<uint64_t>(state.iterations()) * kBurst)
    return state.SkipWithError("packets were lost");
  laps.report();
  state.SetBytesProcessed(state.iterations() * kBurst * setup.octets);
}

// The first packet of a flow: classified, its flow put into the table.
void new_flow(State& state) {
  OneWorker worker({.flows_max = 2 * static_cast<uint32_t>(kBursts * kBurst),
                    .rules = static_cast<uint32_t>(state.range(0))});
  Laps laps("packet", state, kBurst);
  for (auto _ : state) {
    worker.offer_new_flows();
    laps.add(worker.poll());
  }
  if (worker.counters().flows.get() != static_cast<uint64_t>(state.iterations()) * kBurst)
    return state.SkipWithError("the table refused flows");
  laps.report();
}

// Uplinks → open → lane → meter → LAN.
void assemble(State& state, void (OneWorker::*offer)(), Setup setup = {}) {
  setup.octets = static_cast<uint16_t>(state.range(0));
  OneWorker worker(setup);
  Laps laps("packet", state, kBurst);
  for (auto _ : state) {
    (worker.*offer)();
    laps.add(worker.poll());
  }
  if (worker.to_lan() != static_cast<uint64_t>(state.iterations()) * kBurst)
    return state.SkipWithError("packets were lost");
  laps.report();
  state.SetBytesProcessed(state.iterations() * kBurst * setup.octets);
}

void idle(State& state) {
  constexpr uint32_t kPolls = 32;
  OneWorker worker({.flows = 1000});
  Laps laps("poll", state, kPolls);
  for (auto _ : state) laps.add(worker.poll_idly(kPolls));
  laps.report();
}

// What is there to be had at all: the same ports and packets, and MAC addresses swapped (as
// dpdk-testpmd --forward-mode=macswap does).
void floor(State& state) {
  OneWorker worker({.flows = 1000});
  const uint64_t before = worker.to_uplinks();
  Laps laps("packet", state, kBurst);
  for (auto _ : state) {
    worker.offer_packets();
    laps.add(worker.swap_macs());
  }
  if (worker.to_uplinks() - before < static_cast<uint64_t>(state.iterations()) * kBurst)
    return state.SkipWithError("packets were lost");
  laps.report();
}

constexpr Setup kPlain{};
constexpr Setup kSealed{.cipher = Cipher::aes_128_gcm};
constexpr Setup kEarliest{.dispersion = Dispersion::earliest_delivery};
constexpr Setup kPaced{.paced = true};
constexpr Setup kRecovery{.recovery = true};
constexpr Setup kAccounted{.accounted = true};
constexpr Setup kAll{.dispersion = Dispersion::earliest_delivery, .recovery = true, .paced = true};
constexpr Setup kAllTcp{
    .protocol = 6, .dispersion = Dispersion::earliest_delivery, .recovery = true, .paced = true};

void as_usual(benchmark::internal::Benchmark* b) {
  b->Iterations(kBursts)->UseManualTime();
}
void flows_and_octets(benchmark::internal::Benchmark* b) {
  as_usual(b);
  b->ArgNames({"flows", "octets"})->Args({1000, 64})->Args({1000, 1408});
}
void many_flows(benchmark::internal::Benchmark* b) {
  flows_and_octets(b);
  b->Args({1'000'000, 64});
  if (memory().mb >= kLargeMb) b->Args({kManyFlows, 64});
}
void by_octets(benchmark::internal::Benchmark* b) {
  as_usual(b);
  b->ArgNames({"octets"})->Arg(64)->Arg(1408);
}

BENCHMARK(floor)->Apply(as_usual);
BENCHMARK_CAPTURE(segment, plain, kPlain)->Apply(many_flows);
BENCHMARK_CAPTURE(segment, sealed, kSealed)->Apply(flows_and_octets);
BENCHMARK_CAPTURE(segment, earliest, kEarliest)->Apply(flows_and_octets);
BENCHMARK_CAPTURE(segment, paced, kPaced)->Apply(flows_and_octets);
BENCHMARK_CAPTURE(segment, recovery, kRecovery)->Apply(flows_and_octets);
BENCHMARK_CAPTURE(segment, accounted, kAccounted)->Apply(flows_and_octets);
BENCHMARK_CAPTURE(segment, all, kAll)->Apply(flows_and_octets);
BENCHMARK_CAPTURE(segment, all_tcp, kAllTcp)->Apply(flows_and_octets);
BENCHMARK(new_flow)->Apply(as_usual)->ArgNames({"rules"})->Arg(1)->Arg(100);
BENCHMARK_CAPTURE(assemble, in_order, &OneWorker::offer_segments)->Apply(by_octets);
BENCHMARK_CAPTURE(assemble, shuffled, &OneWorker::offer_shuffled)->Apply(by_octets);
BENCHMARK_CAPTURE(assemble, sealed, &OneWorker::offer_segments, kSealed)->Apply(by_octets);
BENCHMARK_CAPTURE(assemble, accounted, &OneWorker::offer_segments, kAccounted)->Apply(by_octets);
BENCHMARK(idle)->Apply(as_usual);

}  // namespace
}  // namespace anabranch::bench
