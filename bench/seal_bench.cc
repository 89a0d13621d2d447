// SPDX-License-Identifier: BSD-3-Clause
// Sealing and opening alone, by cipher and by the octets of the client's packet.
#include <algorithm>
#include <memory>
#include <vector>

#include "bench/cycles.h"
#include "dataplane/bounds.h"
#include "dataplane/paths.h"
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

// The headers around a segment: a path's template, and what differs from packet to packet.
void encapsulate(benchmark::State& state, Address local, Address remote) {
  Path path;
  path.local = local;
  path.remote = {remote, 9188};
  make_header(path, {2, 1}, {2, 2}, 9188);
  const auto octets = static_cast<size_t>(state.range(0)) + segment_overhead(path.outer_ip);
  std::vector<uint8_t> frames((path.link_header + octets) * kBurst, 0x5a);
  CyclesPerPacket cycles(state, kBurst);
  for (auto _ : state) {
    for (size_t i = 0; i < kBurst; ++i) {
      uint8_t* frame = &frames[i * (path.link_header + octets)];
      std::copy(path.headers().begin(), path.headers().end(), frame);
      uint8_t* ip = frame + path.link_header;
      finish_header(ip, static_cast<uint16_t>(octets));
      if (path.is_ipv6()) finish_checksum6(ip, static_cast<uint16_t>(octets));
    }
    benchmark::ClobberMemory();
  }
}
constexpr Address kIpv6Ours = Address{0x20010db8} << 96 | 1, kIpv6Theirs = kIpv6Ours + 1;

void by_octets(benchmark::internal::Benchmark* b) {
  b->ArgName("octets")->Arg(64)->Arg(1408);
}
BENCHMARK_CAPTURE(encapsulate, ipv4, address_of(0xc6330101), address_of(0xc6330102))
    ->Apply(by_octets);
BENCHMARK_CAPTURE(encapsulate, ipv6, kIpv6Ours, kIpv6Theirs)->Apply(by_octets);
BENCHMARK_CAPTURE(seal, null, Cipher::null)->Apply(by_octets);
BENCHMARK_CAPTURE(seal, aes_128_gcm, Cipher::aes_128_gcm)->Apply(by_octets);
BENCHMARK_CAPTURE(seal, aes_256_gcm, Cipher::aes_256_gcm)->Apply(by_octets);
BENCHMARK_CAPTURE(seal, chacha20_poly1305, Cipher::chacha20_poly1305)->Apply(by_octets);
BENCHMARK_CAPTURE(open, aes_128_gcm, Cipher::aes_128_gcm)->Apply(by_octets);
BENCHMARK_CAPTURE(open, aes_256_gcm, Cipher::aes_256_gcm)->Apply(by_octets);
BENCHMARK_CAPTURE(open, chacha20_poly1305, Cipher::chacha20_poly1305)->Apply(by_octets);

}  // namespace
}  // namespace anabranch::bench

BENCHMARK_MAIN();
