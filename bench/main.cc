// SPDX-License-Identifier: BSD-3-Clause
// main() of the benchmarks that need EAL; says what they ran on.
#include <benchmark/benchmark.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_version.h>

#include <string>

#include "bench/eal.h"

namespace {

#ifdef __clang__
constexpr const char* kCompiler = "clang " __clang_version__;
#else
constexpr const char* kCompiler = "gcc " __VERSION__;
#endif

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  anabranch::bench::start_bench_eal();
  benchmark::AddCustomContext("tsc_hz", std::to_string(rte_get_tsc_hz()));
  benchmark::AddCustomContext("dpdk", rte_version());
  benchmark::AddCustomContext("compiler", kCompiler);
  benchmark::AddCustomContext("hugepages", anabranch::bench::memory().hugepages ? "yes" : "no");
  benchmark::RunSpecifiedBenchmarks();
  rte_eal_cleanup();
}
