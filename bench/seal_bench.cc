// SPDX-License-Identifier: BSD-3-Clause
// The null cipher: a copy and a CRC.
#include <vector>

#include "bench/cycles.h"
#include "dataplane/seal.h"

namespace anabranch::bench {
namespace {

using namespace dataplane;

constexpr size_t kHeaders = kOuterHeader + kInnerHeader;

void seal_null(benchmark::State& state) {
  const std::vector<uint8_t> clear(static_cast<size_t>(state.range(0)), 0x5a);
  std::vector<uint8_t> segment(kHeaders + clear.size() + kTag);
  CyclesPerPacket cycles(state, 1);
  for (auto _ : state) {
    seal(segment, kHeaders, clear);
    benchmark::DoNotOptimize(segment.data());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations()) * state.range(0));
}
BENCHMARK(seal_null)->Arg(64)->Arg(1408);

void open_null(benchmark::State& state) {
  const std::vector<uint8_t> clear(static_cast<size_t>(state.range(0)), 0x5a);
  std::vector<uint8_t> segment(kHeaders + clear.size() + kTag);
  seal(segment, kHeaders, clear);
  bool right = true;
  CyclesPerPacket cycles(state, 1);
  for (auto _ : state) {
    benchmark::ClobberMemory();
    right = open(segment) && right;
  }
  if (!right) state.SkipWithError("a genuine segment was refused");
}
BENCHMARK(open_null)->Arg(64)->Arg(1408);

}  // namespace
}  // namespace anabranch::bench

BENCHMARK_MAIN();
