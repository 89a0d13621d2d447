// SPDX-License-Identifier: BSD-3-Clause
// What a packet pays to be understood: bursts of 32 frames of 64 octets.
#include <array>
#include <span>

#include "bench/cycles.h"
#include "bench/packets.h"
#include "dataplane/bounds.h"

namespace anabranch::bench {
namespace {

using namespace dataplane;

using Frame = std::array<uint8_t, kEthernetHeader + 64>;

std::array<Frame, kBurst> make_frames(uint8_t protocol) {
  std::array<Frame, kBurst> frames{};
  for (uint32_t i = 0; i < kBurst; ++i) {
    store_be16(&frames[i][12], 0x0800);
    write_packet(&frames[i][kEthernetHeader], 64, flow_key(i, protocol));
  }
  return frames;
}

void parse(benchmark::State& state, uint8_t protocol) {
  const auto frames = make_frames(protocol);
  bool all = true;
  CyclesPerPacket cycles(state, kBurst);
  for (auto _ : state) {
    for (const Frame& frame : frames) {
      const PacketView view = parse_frame(frame);
      benchmark::DoNotOptimize(view.key);
      all &= view.result == Parsed::ipv4;
    }
  }
  if (!all) state.SkipWithError("a packet was refused");
}
BENCHMARK_CAPTURE(parse, udp, kUdp);
BENCHMARK_CAPTURE(parse, tcp, kTcp);

void take_ttl(benchmark::State& state) {
  auto frames = make_frames(kUdp);
  CyclesPerPacket cycles(state, kBurst);
  for (auto _ : state) {
    for (Frame& frame : frames) decrement_ttl(&frame[kEthernetHeader]);
    benchmark::ClobberMemory();
  }
}
BENCHMARK(take_ttl);

}  // namespace
}  // namespace anabranch::bench

BENCHMARK_MAIN();
