// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/parse.h"

#include <gtest/gtest.h>

#include <random>

#include "dataplane/bytes.h"
#include "tests/dataplane/packet_builder.h"

namespace anabranch::dataplane {
namespace {

constexpr Mac kTo{2, 0, 0, 0, 0, 1}, kFrom{2, 0, 0, 0, 0, 2};

TEST(Parse, FindsTheFlowOfATcpPacket) {
  const auto view = parse_frame(packet()
                                    .from("10.10.0.2")
                                    .to("10.20.0.2")
                                    .tcp(1234, 80)
                                    .dscp(46)
                                    .ttl(17)
                                    .dont_fragment()
                                    .payload(100)
                                    .frame(kTo, kFrom));
  ASSERT_EQ(view.result, Parsed::ipv4);
  EXPECT_EQ(view.key, (FlowKey{address("10.10.0.2"), address("10.20.0.2"), 1234, 80, 6, 46, 0}));
  EXPECT_EQ(view.ttl, 17);
  EXPECT_TRUE(view.dont_fragment);
  EXPECT_FALSE(view.fragment);
  EXPECT_EQ(view.header_length, 20);
  EXPECT_EQ(view.total_length, 140);
}

TEST(Parse, SkipsIpOptions) {
  const auto view = parse_ipv4(packet().udp(53, 5353).ip_options({1, 1, 1, 0}).ip());
  ASSERT_EQ(view.result, Parsed::ipv4);
  EXPECT_EQ(view.header_length, 24);
  EXPECT_EQ(view.key.source_port, 53);
  EXPECT_EQ(view.key.destination_port, 5353);
}

TEST(Parse, IgnoresThePaddingOfAShortFrame) {
  const Bytes padded = packet().udp(1, 2).payload(1).frame(kTo, kFrom) + Bytes(20, 0xee);
  const auto view = parse_frame(padded);
  ASSERT_EQ(view.result, Parsed::ipv4);
  EXPECT_EQ(view.total_length, 29);
}

TEST(Parse, GivesFragmentsOfADatagramOneFlow) {
  const auto first = parse_ipv4(packet().udp(7, 8).payload(64).fragment(0, true).ip());
  const auto last = parse_ipv4(packet().udp(7, 8).payload(64).fragment(72, false).ip());
  EXPECT_TRUE(first.fragment);
  EXPECT_TRUE(last.fragment);
  EXPECT_EQ(first.key, last.key);
  EXPECT_EQ(first.key.source_port, 0);
}

TEST(Parse, TellsEchoesApartByTheirIdentifier) {
  const auto view = parse_ipv4(packet().echo_request(777, 3).ip());
  EXPECT_EQ(view.key.source_port, 777);
  EXPECT_EQ(view.key.destination_port, 0);
}

TEST(Parse, PutsAnIcmpErrorIntoTheFlowItQuotes) {
  for (const auto& there : {packet().from("10.10.0.2").to("10.20.0.2").tcp(1234, 80).ip(),
                            packet().from("10.10.0.2").to("10.20.0.2").udp(1234, 80).ip()}) {
    const auto error =
        parse_ipv4(packet().from("10.20.0.9").to("10.10.0.2").icmp_error(3, 4, there).ip());
    EXPECT_EQ(error.key.source, address("10.20.0.2"));
    EXPECT_EQ(error.key.destination, address("10.10.0.2"));
    EXPECT_EQ(error.key.source_port, 80);
    EXPECT_EQ(error.key.destination_port, 1234);
    EXPECT_EQ(error.key.protocol, there[9]);
  }
}

TEST(Parse, LeavesOtherProtocolsToTheKernel) {
  Bytes frame = packet().udp(1, 2).frame(kTo, kFrom);
  store_be16(&frame[12], 0x0806);
  EXPECT_EQ(parse_frame(frame).result, Parsed::other);
}

TEST(Parse, RefusesAFrameWhoseTypeContradictsItsPacket) {
  Bytes frame = packet().udp(1, 2).payload(40).frame(kTo, kFrom);
  store_be16(&frame[12], 0x86dd);
  EXPECT_EQ(parse_frame(frame).result, Parsed::invalid);
  EXPECT_EQ(parse_frame(frame).drop, Drop::bad_length);
}

TEST(Parse, RefusesHeadersThatContradictTheFrame) {
  const Bytes good = packet().udp(1, 2).payload(10).ip();
  const auto broken = [&](size_t at, uint8_t value) {
    Bytes bad = good;
    bad[at] = value;
    return parse_ipv4(bad);
  };
  for (const auto& view : {broken(0, 0x65), broken(0, 0x44), broken(2, 0xff), broken(3, 19)}) {
    EXPECT_EQ(view.result, Parsed::invalid);
    EXPECT_EQ(view.drop, Drop::bad_length);
  }
  EXPECT_EQ(broken(8, 63).drop, Drop::bad_checksum);
}

TEST(Parse, RefusesEveryPacketCutShort) {
  const Bytes whole = packet().tcp(1, 2).payload(30).frame(kTo, kFrom);
  for (size_t length = 0; length < whole.size(); ++length) {
    // A vector of its own size, so that the sanitizer sees any octet read beyond it.
    const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
    EXPECT_EQ(parse_frame(cut).result, Parsed::invalid) << length;
  }
}

TEST(Parse, StatesNoLengthBeyondTheOctetsWhateverTheyAre) {
  std::mt19937 random(1);
  const Bytes quoted = packet().tcp(1, 2).ip();
  for (int round = 0; round < 20000; ++round) {
    Bytes octets = packet().icmp_error(11, 0, quoted).ip();
    octets.resize(random() % octets.size());
    if (octets.size() >= 20) {
      store_be16(&octets[2], static_cast<uint16_t>(octets.size()));
      for (int i = 0; i < 3; ++i) octets[random() % octets.size()] = static_cast<uint8_t>(random());
      store_be16(&octets[10], 0);
      const size_t header = std::min<size_t>((octets[0] & 0x0f) * 4u, octets.size());
      store_be16(&octets[10], internet_checksum(std::span(octets).first(header)));
    }
    const auto view = parse_ipv4(octets);
    if (view.result != Parsed::ipv4) continue;
    EXPECT_LE(view.total_length, octets.size());
    EXPECT_LE(view.header_length, view.total_length);
  }
}

TEST(Parse, DecrementsTheTtlOfAnyHeaderAndKeepsItsChecksumRight) {
  std::mt19937 random(2);
  for (int round = 0; round < 20000; ++round) {
    Bytes ip = packet()
                   .ttl(static_cast<uint8_t>(1 + random() % 255))
                   .identification(static_cast<uint16_t>(random()))
                   .ip();
    const uint8_t before = ip[8];
    decrement_ttl(ip.data());
    EXPECT_EQ(ip[8], before - 1);
    EXPECT_TRUE(checksum_is_right(std::span(ip).first(20)));
  }
}

}  // namespace
}  // namespace anabranch::dataplane
