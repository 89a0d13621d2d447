// SPDX-License-Identifier: BSD-3-Clause
// Good traffic at a fifth of what a worker can open, beside four times as much of an attacker's:
// what of the good gets lost? Time is what the worker uses: segments arrive by that clock in the
// port's queue of 1024, and those that find it full are lost.
#include <rte_cycles.h>

#include "bench/cycles.h"
#include "bench/one_worker.h"

namespace anabranch::bench {
namespace {

using namespace dataplane;

constexpr uint16_t kOctets = 1408;

double open_ticks(OneWorker& worker) {
  constexpr int kBursts = 2000;
  uint64_t ticks = 0;
  for (int i = 0; i < kBursts; ++i) {
    worker.offer_segments();
    ticks += worker.poll();
  }
  return static_cast<double>(ticks) / (kBursts * kBurst);
}

void flood(benchmark::State& state) {
  OneWorker worker({.paths = 1, .octets = kOctets, .cipher = Cipher::aes_128_gcm});
  const double capacity = 1 / open_ticks(worker);  // segments a tick
  const uint64_t delivered_before = worker.to_lan();
  uint64_t good = 0, bad = 0, lost = 0, clock = 0;
  for (auto _ : state) {
    worker.keep_alive();
    // What has arrived since the last poll.
    for (; static_cast<double>(good) < static_cast<double>(clock) * capacity * 0.2; ++good)
      lost += worker.offer_segment() ? 0 : 1;
    for (; static_cast<double>(bad) < static_cast<double>(clock) * capacity * 0.8; ++bad)
      worker.offer(static_cast<Peer::Attack>(bad % 4));
    const uint64_t taken = worker.poll();
    clock += taken;
    state.SetIterationTime(static_cast<double>(taken) / static_cast<double>(rte_get_tsc_hz()));
  }
  for (uint64_t before = 0; before != worker.counters().rx.get(); worker.poll())
    before = worker.counters().rx.get();
  const uint64_t delivered = worker.to_lan() - delivered_before;
  state.counters["good"] = static_cast<double>(good);
  state.counters["bad"] = static_cast<double>(bad);
  state.counters["good_lost_percent"] =
      good == 0 ? 0 : 100 * static_cast<double>(lost) / static_cast<double>(good);
  if (delivered != good - lost) state.SkipWithError("what came out is not what was good");
  if (20 * lost > good) state.SkipWithError("more than 5 % of the good traffic was lost");
}
BENCHMARK(flood)->UseManualTime()->Iterations(400'000);

}  // namespace
}  // namespace anabranch::bench
