// SPDX-License-Identifier: BSD-3-Clause
// Writes what the fuzzers start from: what the tests take for right.   seeds FOLDER
#include <filesystem>
#include <fstream>

#include "tests/control/messages.h"
#include "tests/dataplane/packet_builder.h"
#include "tests/dataplane/test_keys.h"

#include "dataplane/beat.h"
#include "dataplane/seal.h"

using namespace anabranch;

namespace {

template <typename Octets>
void write(const std::filesystem::path& folder, size_t number, const Octets& octets) {
  std::filesystem::create_directories(folder);
  std::ofstream out(folder / std::to_string(number), std::ios::binary);
  out.write(reinterpret_cast<const char*>(octets.data()),
            static_cast<std::streamsize>(octets.size()));
}

std::vector<dataplane::Bytes> contents() {
  using namespace dataplane;
  Bytes inner(kInnerHeader), fragment(kFragmentHeader), beat(kBeatLength), token(8);
  store_inner(inner.data(), {.lane = 3, .sn = 0});
  store_inner(fragment.data(),
              {.flags = kInnerFragment | kInnerMore, .lane = 3, .sn = 1, .offset = 20});
  store_beat(beat.data(), {.sent_ns = 1, .echo_ns = 1, .interval_us = 40'000, .hears = true});
  const auto to_host = [] { return packet().from("10.10.0.2").to("10.20.0.2"); };
  return {
      Bytes{0, 1} + inner + to_host().udp(1, 2).payload(100).ip(),
      Bytes{0, 1} + inner + to_host().tcp(1, 2).syn().tcp_options({2, 4, 5, 180}).ip(),
      Bytes{0, 1} + inner + to_host().echo_request(1, 1).ip(),
      Bytes{0, 1} + inner + packet6().udp(1, 2).payload(100).ip(),
      Bytes{0, 1} + inner + packet6().tcp(1, 2).syn().tcp_options({2, 4, 5, 180}).ip(),
      Bytes{0, 1} + inner +
          packet6().extension(0, Bytes(7)).extension(60, Bytes(7)).echo_request(1, 1).ttl(1).ip(),
      Bytes{0, 1} + inner + packet6().udp(1, 2).payload(64).fragment(8, true).ip(),
      Bytes{0, 1} + inner + packet6().icmp_error(2, 0, packet6().udp(1, 2).ip()).ip(),
      Bytes{0, 1} + fragment + Bytes(40),
      Bytes{1, 0} + beat,
      Bytes{2, 0} + token,
      Bytes{3, 0} + token};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const std::filesystem::path folder = argv[1];
  size_t number = 0;
  for (const auto& message : control::one_of_each()) {
    const std::string text = control::encode(message);
    write(folder / "messages", ++number, text);
  }
  for (const dataplane::Bytes& content : contents()) {
    write(folder / "content", ++number, content);
    dataplane::Bytes segment(dataplane::kOuterHeader + content.size() + dataplane::kTag);
    // With a key the gateway does not have.
    dataplane::seal(*dataplane::test_key(7, 7),
                    {.type = static_cast<dataplane::SegmentType>(1 + content[0]),
                     .path = 1,
                     .key_phase = 1,
                     .receiver_index = 9u * dataplane::kServicesMax + content[1]},
                    content, segment.data());
    write(folder / "segment", number, segment);
  }
  return 0;
}
