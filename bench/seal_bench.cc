// SPDX-License-Identifier: BSD-3-Clause
// Sealing and opening alone, by cipher and by the octets of the client's packet.
#include <memory>
#include <vector>

#include "bench/cycles.h"
#include "dataplane/bounds.h"
#include "dataplane/seal.h"

namespace anabranch::bench {
namespace {

using namespace dataplane;

TrafficKey* make_key(Cipher cipher) {
  const std::vector<uint8_t> key(key_length(cipher), 7);
  return new TrafficKey(cipher, key, Nonce{});
}

// As many segments as a burst has, in buffers of their own.
struct Burst {
  explicit Burst(size_t octets)
      : content(kInnerHeader + octets),
        segment(kOuterHeader + content + kTag),
        clear(content * kBurst, 0x5a),
        segments(segment * kBurst) {}
  size_t content, segment;  // octets of one
  std::vector<uint8_t> clear, segments;

  std::span<const uint8_t> clear_of(size_t i) const { return {&clear[i * content], content}; }
  std::span<uint8_t> segment_of(size_t i) { return {&segments[i * segment], segment}; }
};

void seal(benchmark::State& state, Cipher cipher) {
  const std::unique_ptr<const TrafficKey> key(make_key(cipher));
  Burst burst(static_cast<size_t>(state.range(0)));
  Outer outer;
  CyclesPerPacket cycles(state, kBurst);
  for (auto _ : state) {
    for (size_t i = 0; i < kBurst; ++i) {
      ++outer.packet_number;
      dataplane::seal(*key, outer, burst.clear_of(i), burst.segment_of(i).data());
    }
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * kBurst * state.range(0));
}

// It costs the same whether they are authentic.
void open(benchmark::State& state, Cipher cipher) {
  const std::unique_ptr<const TrafficKey> key(make_key(cipher));
  Burst burst(static_cast<size_t>(state.range(0)));
  bool any = false;
  CyclesPerPacket cycles(state, kBurst);
  for (auto _ : state) {
    for (size_t i = 0; i < kBurst; ++i) any |= dataplane::open(*key, Outer{}, burst.segment_of(i));
  }
  if (any) state.SkipWithError("garbage was opened");
  state.SetBytesProcessed(state.iterations() * kBurst * state.range(0));
}

void by_octets(benchmark::internal::Benchmark* b) {
  b->ArgName("octets")->Arg(64)->Arg(1408);
}
BENCHMARK_CAPTURE(seal, aes_128_gcm, Cipher::aes_128_gcm)->Apply(by_octets);
BENCHMARK_CAPTURE(seal, aes_256_gcm, Cipher::aes_256_gcm)->Apply(by_octets);
BENCHMARK_CAPTURE(seal, chacha20_poly1305, Cipher::chacha20_poly1305)->Apply(by_octets);
BENCHMARK_CAPTURE(open, aes_128_gcm, Cipher::aes_128_gcm)->Apply(by_octets);
BENCHMARK_CAPTURE(open, aes_256_gcm, Cipher::aes_256_gcm)->Apply(by_octets);
BENCHMARK_CAPTURE(open, chacha20_poly1305, Cipher::chacha20_poly1305)->Apply(by_octets);

}  // namespace
}  // namespace anabranch::bench

BENCHMARK_MAIN();
