// SPDX-License-Identifier: BSD-3-Clause
// Sealing and opening with everything that belongs to it, beside a bare loop of the cipher over the
// same octets: how much of its rate is left.
#include <memory>
#include <vector>

#include "bench/cycles.h"
#include "bench/one_worker.h"
#include "dataplane/seal.h"

namespace anabranch::bench {
namespace {

using namespace dataplane;

// The cipher alone, over as many buffers as a burst has.
void bare_seal(benchmark::State& state) {
  const std::unique_ptr<TrafficKey> made(new TrafficKey(bench_key()));
  const TrafficKey& key = *made;
  const auto size = static_cast<size_t>(state.range(0));
  std::vector<uint8_t> clear(size * kBurst, 0x5a), out((size + kTag) * kBurst);
  uint8_t header[kOuterHeader] = {};
  Nonce nonce{};
  CyclesPerPacket cycles(state, kBurst);
  for (auto _ : state) {
    for (size_t i = 0; i < kBurst; ++i) {
      ++nonce[11];
      key.seal(&out[i * (size + kTag)], {&clear[i * size], size}, header, nonce);
    }
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations()) * kBurst * state.range(0));
}

void bare_open(benchmark::State& state) {
  const std::unique_ptr<TrafficKey> made(new TrafficKey(bench_key()));
  const TrafficKey& key = *made;
  const auto size = static_cast<size_t>(state.range(0));
  std::vector<uint8_t> sealed((size + kTag) * kBurst);
  uint8_t header[kOuterHeader] = {};
  CyclesPerPacket cycles(state, kBurst);
  bool any = false;
  for (auto _ : state) {
    for (size_t i = 0; i < kBurst; ++i)
      any |= key.open({&sealed[i * (size + kTag)], size + kTag}, header, Nonce{});
  }
  if (any) state.SkipWithError("garbage was opened");
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations()) * kBurst * state.range(0));
}

// What a gateway does with a burst, from the port to the port: parse, classify, choose a path,
// segment, seal; or check, open, put in order, find the next hop.
void through(benchmark::State& state, void (OneWorker::*offer)(uint16_t)) {
  OneWorker worker;
  uint64_t ticks = 0;
  const auto octets = static_cast<uint16_t>(state.range(0));
  for (auto _ : state) {
    (worker.*offer)(octets);
    const uint64_t taken = worker.poll();
    ticks += taken;
    state.SetIterationTime(static_cast<double>(taken) / static_cast<double>(rte_get_tsc_hz()));
  }
  const auto packets = static_cast<double>(state.iterations() * kBurst);
  if (static_cast<double>(worker.to_lan() + worker.to_uplink()) < packets)
    state.SkipWithError("packets were lost");
  state.counters["cycles_per_packet"] = static_cast<double>(ticks) / packets;
  state.SetBytesProcessed(state.iterations() * kBurst * state.range(0));
}
void segment_and_seal(benchmark::State& state) {
  through(state, &OneWorker::offer_packets);
}
void open_and_assemble(benchmark::State& state) {
  through(state, &OneWorker::offer_segments);
}

BENCHMARK(bare_seal)->Arg(64)->Arg(1408);
BENCHMARK(segment_and_seal)->Arg(64)->Arg(1408)->UseManualTime();
BENCHMARK(bare_open)->Arg(64)->Arg(1408);
BENCHMARK(open_and_assemble)->Arg(64)->Arg(1408)->UseManualTime();

}  // namespace
}  // namespace anabranch::bench

BENCHMARK_MAIN();
