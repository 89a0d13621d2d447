// SPDX-License-Identifier: BSD-3-Clause
// What a packet of a known flow pays to find it: bursts of 32, flows drawn at random.
#include <rte_eal.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "bench/cycles.h"
#include "dataplane/bounds.h"
#include "dataplane/flow_table.h"

namespace anabranch::bench {
namespace {

using namespace dataplane;

FlowKey key_of(uint32_t n) {
  return {.source = 0x0a000000 + n,
          .destination = 0x0a140002,
          .source_port = static_cast<uint16_t>(n * 7),
          .destination_port = 443,
          .protocol = 6};
}

void find_flow(benchmark::State& state) {
  const auto count = static_cast<uint32_t>(state.range(0));
  // Twice the room, as a full cuckoo table refuses some.
  auto table = FlowTable::create("flow_table_bench", 2 * count, UINT64_MAX / 2);
  if (!table) return state.SkipWithError(table.error().c_str());
  const Ruleset rules{.epoch = 1, .rules = {{.slot = 1}}};
  const auto find = [&](const std::array<FlowKey, kBurst>& keys, std::array<Flow*, kBurst>& flows) {
    std::array<const FlowKey*, kBurst> pointers;
    for (size_t i = 0; i < kBurst; ++i) pointers[i] = &keys[i];
    (*table)->find(pointers, rules, 1, flows);
  };
  std::array<FlowKey, kBurst> keys;
  std::array<Flow*, kBurst> flows{};
  for (uint32_t n = 0; n < count; n += kBurst) {
    for (uint32_t i = 0; i < kBurst; ++i) keys[i] = key_of((n + i) % count);
    find(keys, flows);
  }
  if ((*table)->size() != count) return state.SkipWithError("the table refused flows");

  std::mt19937 random(1);
  std::vector<std::array<FlowKey, kBurst>> bursts(4096);
  for (auto& burst : bursts) {
    for (FlowKey& key : burst) key = key_of(random() % count);
  }
  size_t next = 0;
  CyclesPerPacket cycles(state, kBurst);
  for (auto _ : state) {
    find(bursts[next++ % bursts.size()], flows);
    benchmark::DoNotOptimize(flows.data());
  }
}
BENCHMARK(find_flow)->Arg(1'000)->Arg(1'000'000);

// The table wants EAL's memory; without hugepages, so that it runs anywhere.
bool start_eal() {
  std::string runtime = std::filesystem::temp_directory_path() / "anabranch-bench-XXXXXX";
  if (mkdtemp(runtime.data()) == nullptr) return false;
  setenv("RUNTIME_DIRECTORY", runtime.c_str(), 1);
  std::array<std::string, 10> arguments{
      "bench", "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry",
      "-m",    "512",       "-l",          "0",        "--log-level=error"};
  std::array<char*, 10> pointers{};
  for (size_t i = 0; i < arguments.size(); ++i) pointers[i] = arguments[i].data();
  const bool started = rte_eal_init(static_cast<int>(pointers.size()), pointers.data()) >= 0;
  std::filesystem::remove_all(runtime);
  return started;
}

}  // namespace
}  // namespace anabranch::bench

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (!anabranch::bench::start_eal()) {
    std::fputs("EAL does not start\n", stderr);
    return 1;
  }
  benchmark::RunSpecifiedBenchmarks();
  rte_eal_cleanup();
}
