// SPDX-License-Identifier: BSD-3-Clause
// What a packet pays to be booked: its octets and its overhead, on three paths, for services drawn
// at random.
#include <unistd.h>

#include <array>
#include <cstdio>
#include <random>
#include <string>

#include "bench/cycles.h"
#include "dataplane/meter.h"

namespace anabranch::bench {
namespace {

using namespace dataplane;

void book(benchmark::State& state) {
  const std::string file = "/dev/shm/anabranch-bench-" + std::to_string(getpid());
  auto meters = Meters::open(file);
  unlink(file.c_str());
  if (!meters) return state.SkipWithError(meters.error().c_str());
  const auto services = static_cast<uint16_t>(state.range(0));
  if (!meters->make_room(static_cast<uint16_t>(services + 1)))
    return state.SkipWithError("no room for meters");
  std::mt19937 random(1);
  std::array<uint16_t, 4096> slots;
  for (uint16_t& slot : slots) slot = static_cast<uint16_t>(1 + random() % services);
  size_t i = 0;
  CyclesPerPacket cycles(state, 1);
  for (auto _ : state) {
    const uint16_t slot = slots[i % slots.size()];
    const Place place = path_place(static_cast<uint8_t>(1 + i % 3));
    auto& cells =
        meters->region().workers[0].services[slot].places[place]
                                                         [static_cast<size_t>(Direction::sent)];
    cells[static_cast<size_t>(Kind::first)].add(64, 1);
    cells[static_cast<size_t>(Kind::overhead)].add(66, 0);
    ++i;
  }
}
BENCHMARK(book)->ArgName("services")->Arg(1)->Arg(100)->Arg(1000)->Arg(10'000);

}  // namespace
}  // namespace anabranch::bench

BENCHMARK_MAIN();
