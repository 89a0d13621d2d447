// SPDX-License-Identifier: BSD-3-Clause
// What a packet pays to find its flow, in bursts of 32, flows drawn at random; what the first of a
// flow pays besides; and what each poll pays to find flows that are over.
#include <malloc.h>
#include <rte_malloc.h>

#include <array>
#include <bit>
#include <memory>
#include <random>

#include "bench/cycles.h"
#include "bench/eal.h"
#include "bench/packets.h"
#include "dataplane/bounds.h"
#include "dataplane/flow_table.h"

namespace anabranch::bench {
namespace {

using namespace dataplane;

using Table = std::unique_ptr<FlowTable>;
using Keys = std::array<FlowKey, kBurst>;

const Ruleset& rules() {
  static const Ruleset known{.rules = {{.slot = 1}}};
  return known;
}

void find(FlowTable& table, const Keys& keys) {
  std::array<const FlowKey*, kBurst> pointers;
  std::array<Flow*, kBurst> flows;
  for (size_t i = 0; i < kBurst; ++i) pointers[i] = &keys[i];
  table.find(pointers, rules(), 1, flows);
  benchmark::DoNotOptimize(flows.data());
}

uint64_t allocated() {
  rte_malloc_socket_stats eal{};
  rte_malloc_get_socket_stats(0, &eal);
  const struct mallinfo2 heap = mallinfo2();
  return eal.heap_allocsz_bytes + heap.uordblks + heap.hblkhd;
}

// A table for `count` flows: as cuckoo tables that are quite full refuse some, with more room.
Table make_table(benchmark::State& state, uint32_t count) {
  const uint32_t places = std::bit_ceil(count + count / 4);
  const uint64_t before = allocated();
  auto table = FlowTable::create("flow_table_bench", places, UINT64_MAX / 2);
  if (!table) {
    state.SkipWithError(table.error().c_str());
    return nullptr;
  }
  state.counters["octets_per_place"] = static_cast<double>(allocated() - before) / places;
  return std::move(*table);
}

Keys burst_of_new(uint32_t from) {
  Keys keys;
  for (uint32_t i = 0; i < kBurst; ++i) keys[i] = flow_key(from + i);
  return keys;
}

void flow_hit(benchmark::State& state) {
  const auto count = static_cast<uint32_t>(state.range(0));
  const Table table = make_table(state, count);
  if (table == nullptr) return;
  for (uint32_t n = 0; n < count; n += kBurst) find(*table, burst_of_new(n));
  if (table->size() < count) return state.SkipWithError("the table refused flows");
  std::mt19937 random(1);
  Keys keys;
  Laps laps("packet", state, kBurst);
  for (auto _ : state) {
    for (FlowKey& key : keys) key = flow_key(random() % count);
    const uint64_t start = ticks_now();
    find(*table, keys);
    laps.add(ticks_now() - start);
  }
  laps.report();
}

// Each packet is the first of its flow; a table that gets full of it, from empty.
void flow_miss(benchmark::State& state) {
  const auto count = static_cast<uint32_t>(state.range(0));
  const Table table = make_table(state, count);
  if (table == nullptr) return;
  uint32_t next = 0;
  Laps laps("packet", state, kBurst);
  for (auto _ : state) {
    const Keys keys = burst_of_new(next);
    next += kBurst;
    const uint64_t start = ticks_now();
    find(*table, keys);
    laps.add(ticks_now() - start);
  }
  if (table->size() != next) return state.SkipWithError("the table refused flows");
  laps.report();
}

void flow_age(benchmark::State& state) {
  constexpr uint32_t kEntries = 32;  // as at every poll
  const Table table = make_table(state, static_cast<uint32_t>(state.range(0)));
  if (table == nullptr) return;
  CyclesPer cycles("poll", state, 1);
  for (auto _ : state) benchmark::DoNotOptimize(table->age(1, kEntries));
}

// The rule of a flow is the last of so many.
Ruleset last_of(benchmark::State& state) {
  Ruleset many;
  for (uint32_t n = 1; n < state.range(0); ++n)
    many.rules.push_back({.source = 0x0b000000 + n, .source_mask = 0xffffffff, .slot = 2});
  many.rules.push_back({.slot = 1});
  return many;
}

void classify(benchmark::State& state, bool indexed) {
  Ruleset many = last_of(state);
  if (indexed) many.index = RuleIndex(many.rules);
  uint32_t n = 0;
  CyclesPerPacket cycles(state, 1);
  for (auto _ : state) benchmark::DoNotOptimize(many.classify(flow_key(n++)));
}

// What control pays when it publishes them.
void make_index(benchmark::State& state) {
  const Ruleset many = last_of(state);
  for (auto _ : state) {
    const RuleIndex index(many.rules);
    if (!index.is_made()) state.SkipWithError("no memory");
  }
}

constexpr int64_t kBursts = 64 * Laps::kGroup;

void as_usual(benchmark::internal::Benchmark* b) {
  b->ArgName("flows")->Iterations(kBursts)->UseManualTime();
}
void by_flows(benchmark::internal::Benchmark* b) {
  b->ArgName("flows")->Arg(1000)->Arg(1'000'000);
  if (memory().mb >= kLargeMb) b->Arg(10'000'000);
}
BENCHMARK(flow_hit)->Apply(as_usual)->Apply(by_flows);
BENCHMARK(flow_miss)->Apply(as_usual)->Arg(kBursts* kBurst);
BENCHMARK(flow_age)->Apply(by_flows);
BENCHMARK_CAPTURE(classify, one_by_one, false)
    ->ArgName("rules")
    ->Arg(1)
    ->Arg(10)
    ->Arg(100)
    ->Arg(1000);
BENCHMARK_CAPTURE(classify, indexed, true)
    ->ArgName("rules")
    ->Arg(10)
    ->Arg(100)
    ->Arg(1000)
    ->Arg(10'000);
BENCHMARK(make_index)->ArgName("rules")->Arg(100)->Arg(1000)->Arg(10'000);

}  // namespace
}  // namespace anabranch::bench
