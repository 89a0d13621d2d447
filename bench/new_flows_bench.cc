// SPDX-License-Identifier: BSD-3-Clause
// New flows only, a million a second for so many seconds of the benchmark's clock, none of which
// comes again; among them 1000 that are alive. What does a new flow cost, and what becomes of those
// that are alive?
#include "bench/cycles.h"
#include "bench/one_worker.h"
#include "bench/packets.h"

namespace anabranch::bench {
namespace {

using namespace dataplane;

constexpr uint32_t kLive = 1000;
constexpr uint32_t kNewEachSecond = 1'000'000;
constexpr uint32_t kLiveEvery = 64;  // bursts: each live flow has a packet every 64 ms

// As a worker does it: ageing each millisecond, entries seen last a minute ago.
class Table {
 public:
  static constexpr uint64_t kStep = 1'000'000'000ull * kBurst / kNewEachSecond;
  static constexpr uint32_t kIdleS = 60;
  explicit Table(uint32_t flows_max)
      : table_(FlowTable::create("new_flows_bench", flows_max, kIdleS * 1'000'000'000ull)),
        each_ms_(flows_max / (kIdleS * 250) + 1) {}
  const std::string& error() const { return table_.error(); }
  bool is_made() const { return table_.has_value(); }
  FlowTable& operator*() { return **table_; }

  void find(const std::array<FlowKey, kBurst>& keys) {
    std::array<const FlowKey*, kBurst> pointers;
    for (size_t i = 0; i < kBurst; ++i) pointers[i] = &keys[i];
    (*table_)->find(pointers, rules_, now_, flows);
  }
  void pass_time() {
    if (now_ / 1'000'000 != (now_ + kStep) / 1'000'000) (*table_)->age(now_, each_ms_);
    now_ += kStep;
  }
  std::array<Flow*, kBurst> flows;

 private:
  tl::expected<std::unique_ptr<FlowTable>, std::string> table_;
  const uint32_t each_ms_;
  const Ruleset rules_{.rules = {{.slot = 1}}};
  uint64_t now_ = 1;
};

std::array<FlowKey, kBurst> burst_of(uint32_t from) {
  std::array<FlowKey, kBurst> keys;
  for (uint32_t i = 0; i < kBurst; ++i) keys[i] = flow_key(from + i);
  return keys;
}

void new_flows(benchmark::State& state) {
  Table table(static_cast<uint32_t>(state.range(0)));
  if (!table.is_made()) return state.SkipWithError(table.error().c_str());
  constexpr uint16_t kMark = 7;
  uint32_t next = kLive, live = 0, bursts = 0;
  uint64_t refused = 0, lost = 0;
  const auto find_live = [&](bool known) {
    table.find(burst_of(live % (kLive - kBurst)));
    live += kBurst;
    for (Flow* flow : table.flows) {
      lost += known && (flow == nullptr || flow->begun != kMark);
      if (flow != nullptr) flow->begun = kMark;
    }
  };
  for (uint32_t n = 0; n < 4 * kLive; n += kBurst) find_live(false);
  Laps laps("packet", state, kBurst);
  for (auto _ : state) {
    if (++bursts % (kLiveEvery / kBurst) == 0) find_live(true);
    const auto keys = burst_of(next);
    next += kBurst;
    const uint64_t start = ticks_now();
    table.find(keys);
    table.pass_time();
    laps.add(ticks_now() - start);
    for (const Flow* flow : table.flows) refused += flow == nullptr;
  }
  laps.report();
  state.counters["live_lost"] = static_cast<double>(lost);
  state.counters["refused"] = static_cast<double>(refused);
  if (lost + refused != 0) state.SkipWithError("flows were refused, or lost their entry");
}

// The same from port to port.
void new_flows_whole_path(benchmark::State& state) {
  OneWorker worker({.flows = kLive, .flows_max = static_cast<uint32_t>(state.range(0))});
  for (int n = 0; n < 8; ++n) {
    for (uint32_t i = 0; i < kLive; i += kBurst) {
      worker.offer_packets();
      worker.poll();
    }
  }
  uint32_t bursts = 0;
  Laps laps("packet", state, kBurst);
  for (auto _ : state) {
    if (++bursts % kLiveEvery == 0) {
      worker.offer_packets();
      worker.poll();
    }
    worker.offer_new_flows();
    laps.add(worker.poll());
  }
  laps.report();
  const auto full = static_cast<size_t>(Drop::flow_table_full);
  const uint64_t refused = worker.counters().drops[full].get();
  state.counters["refused"] = static_cast<double>(refused);
  if (refused != 0) state.SkipWithError("flows were refused");
}

void for_a_minute(benchmark::internal::Benchmark* b) {
  b->UseManualTime()->Iterations(60ll * kNewEachSecond / kBurst);
  b->ArgName("flows_max")->Arg(65536)->Arg(2'000'000);
}
void for_seconds(benchmark::internal::Benchmark* b) {
  b->UseManualTime()->Iterations(5ll * kNewEachSecond / kBurst);
  b->ArgName("flows_max")->Arg(65536)->Arg(2'000'000);
}
BENCHMARK(new_flows)->Apply(for_a_minute);
BENCHMARK(new_flows_whole_path)->Apply(for_seconds);

}  // namespace
}  // namespace anabranch::bench
