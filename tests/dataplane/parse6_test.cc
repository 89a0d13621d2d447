// SPDX-License-Identifier: BSD-3-Clause
// IPv6 packets: which flow they belong to, and which contradict themselves.
#include <gtest/gtest.h>

#include <random>

#include "dataplane/parse.h"
#include "tests/dataplane/packet_builder.h"

namespace anabranch::dataplane {
namespace {

constexpr Mac kMacTo{2, 0, 0, 0, 0, 1}, kMacFrom{2, 0, 0, 0, 0, 2};
constexpr uint8_t kHopByHop = 0, kRouting = 43, kFragmentation = 44, kAuthentication = 51,
                  kNothing = 59, kOptions = 60;
const Bytes kPadding(7, 0);  // of a header of eight octets, but for its first

FlowKey6 flow_of(const Bytes& ip) {
  const auto view = parse_ipv6(ip);
  EXPECT_EQ(view.result, Parsed::ipv6);
  return flow_key6(ip, view);
}

Drop refused_as(const Bytes& ip) {
  const auto view = parse_ipv6(ip);
  EXPECT_EQ(view.result, Parsed::invalid);
  return view.drop;
}

TEST(Parse6, FindsTheFlowOfATcpPacket) {
  const Bytes frame =
      packet6().tcp(1234, 80).dscp(46).ecn(2).ttl(17).payload(100).frame(kMacTo, kMacFrom);
  const auto view = parse_frame(frame);
  ASSERT_EQ(view.result, Parsed::ipv6);
  EXPECT_EQ(view.ttl, 17);
  EXPECT_TRUE(view.dont_fragment) << "routers never do";
  EXPECT_FALSE(view.fragment);
  EXPECT_EQ(view.header_length, 40);
  EXPECT_EQ(view.total_length, 160);
  EXPECT_EQ(flow_key6(std::span(frame).subspan(14), view),
            (FlowKey6{address6("2001:db8:1::2"), address6("2001:db8:2::2"), 1234, 80, 6, 46}));
}

TEST(Parse6, WalksExtensionHeadersToTheTransport) {
  const Bytes ip = packet6()
                       .extension(kHopByHop, kPadding)
                       .extension(kRouting, Bytes{1, 0, 0} + Bytes(12, 0))
                       .extension(kAuthentication, Bytes{4, 0, 0} + Bytes(20, 7))
                       .extension(kOptions, kPadding)
                       .udp(53, 5353)
                       .ip();
  const auto view = parse_ipv6(ip);
  ASSERT_EQ(view.result, Parsed::ipv6);
  EXPECT_EQ(view.header_length, 40 + 8 + 16 + 24 + 8);
  EXPECT_EQ(view.key.protocol, 17);
  EXPECT_EQ(view.key.source_port, 53);
  EXPECT_EQ(view.key.destination_port, 5353);
}

TEST(Parse6, WalksAtMostEightExtensionHeaders) {
  auto eight = packet6().udp(1, 2);
  for (int n = 0; n < 8; ++n) eight.extension(kOptions, kPadding);
  EXPECT_EQ(parse_ipv6(eight.ip()).key.source_port, 1);
  EXPECT_EQ(refused_as(eight.extension(kOptions, kPadding).ip()), Drop::bad_extension);
}

TEST(Parse6, RefusesHopByHopOptionsThatAreNotFirst) {
  EXPECT_EQ(refused_as(packet6().extension(kOptions, kPadding).extension(kHopByHop, kPadding).ip()),
            Drop::bad_extension);
}

TEST(Parse6, RefusesHeadersThatDoNotEndInThePacket) {
  for (const uint8_t type : {kHopByHop, kRouting, kOptions, kAuthentication})
    EXPECT_EQ(refused_as(packet6().extension(type, Bytes{200} + Bytes(6, 0)).ip()),
              Drop::bad_extension);
  Bytes jumbo = packet6().extension(kHopByHop, {0, 0xc2, 4, 0, 1, 0, 0}).ip();  // RFC 2675
  store_be16(&jumbo[4], 0);
  EXPECT_EQ(refused_as(jumbo), Drop::bad_extension);
}

TEST(Parse6, CarriesWhatHasNoPorts) {
  Bytes ip = packet6().udp(1, 2).ip();
  for (const uint8_t protocol : {uint8_t{50}, uint8_t{132}, kNothing}) {
    ip[6] = protocol;
    EXPECT_EQ(flow_of(ip).protocol, protocol);
    EXPECT_EQ(flow_of(ip).source_port, 0);
  }
}

TEST(Parse6, GivesFragmentsOfADatagramOneFlow) {
  const auto part = [] { return packet6().udp(7, 8).identification(9); };
  const Bytes first = part().payload(64).fragment(0, true).ip();
  const Bytes last = part().payload(61).fragment(72, false).ip();
  EXPECT_TRUE(parse_ipv6(first).fragment);
  EXPECT_TRUE(parse_ipv6(last).fragment);
  EXPECT_EQ(flow_of(first), flow_of(last));
  EXPECT_EQ(flow_of(first).source_port, 0);
  EXPECT_EQ(flow_of(first).protocol, 17);
}

TEST(Parse6, TakesADatagramInOneFragmentForWhole) {  // RFC 6946
  const Bytes atomic = packet6().udp(7, 8).fragment(0, false).ip();
  EXPECT_FALSE(parse_ipv6(atomic).fragment);
  EXPECT_EQ(flow_of(atomic).source_port, 7);
}

TEST(Parse6, RefusesFragmentsThatCannotBeOfADatagram) {  // RFC 8200 4.5
  EXPECT_EQ(refused_as(packet6().udp(7, 8).payload(61).fragment(64, true).ip()),
            Drop::bad_extension)
      << "not a multiple of eight";
  EXPECT_EQ(refused_as(packet6().udp(7, 8).payload(64).fragment(65528, false).ip()),
            Drop::bad_extension)
      << "beyond what a packet may have";
  EXPECT_EQ(refused_as(packet6().udp(7, 8).fragment(64, false).ip()), Drop::bad_extension)
      << "empty";
}

TEST(Parse6, TellsEchoesApartByTheirIdentifier) {
  const auto view = parse_ipv6(packet6().echo_request(777, 3).ip());
  EXPECT_EQ(view.key.protocol, 58);
  EXPECT_EQ(view.key.source_port, 777);
  EXPECT_EQ(view.key.destination_port, 0);
}

TEST(Parse6, PutsAnIcmpErrorIntoTheFlowItQuotes) {
  const auto there = [] { return packet().from("2001:db8:1::2").to("2001:db8:2::2"); };
  for (const Bytes& quoted :
       {there().tcp(1234, 80).ip(), there().udp(1234, 80).ip(),
        there().extension(kOptions, kPadding).udp(1234, 80).payload(2000).ip()}) {
    const Bytes cut(quoted.begin(),
                    quoted.begin() + std::min<long>(quoted.end() - quoted.begin(), 1232));
    const Bytes error =
        packet().from("2001:db8:2::9").to("2001:db8:1::2").icmp_error(2, 0, cut).ip();
    const FlowKey6 key = flow_of(error);
    EXPECT_EQ(key.source, address6("2001:db8:2::2"));
    EXPECT_EQ(key.destination, address6("2001:db8:1::2"));
    EXPECT_EQ(key.source_port, 80);
    EXPECT_EQ(key.destination_port, 1234);
    EXPECT_NE(key.protocol, 58);
    EXPECT_EQ(parse_ipv6(error).quoted, 48);
  }
}

TEST(Parse6, RefusesHeadersThatContradictTheFrame) {
  const Bytes good = packet6().udp(1, 2).payload(10).ip();
  const auto broken = [&](size_t at, uint8_t value) {
    Bytes bad = good;
    bad[at] = value;
    return refused_as(bad);
  };
  EXPECT_EQ(broken(0, 0x50), Drop::bad_length);
  EXPECT_EQ(broken(4, 0xff), Drop::bad_length);
  EXPECT_EQ(broken(5, 19), Drop::bad_length);
}

TEST(Parse6, RefusesEveryPacketCutShort) {
  const Bytes whole = packet6().extension(kHopByHop, kPadding).tcp(1, 2).payload(30).ip();
  for (size_t length = 0; length < whole.size(); ++length) {
    // A vector of its own size, so that the sanitizer sees any octet read beyond it.
    Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
    EXPECT_EQ(parse_ipv6(cut).result, Parsed::invalid) << length;
    if (length < kIpv6Header) continue;
    store_be16(&cut[4], static_cast<uint16_t>(length - kIpv6Header));
    const auto view = parse_ipv6(cut);
    EXPECT_EQ(view.result == Parsed::ipv6, length >= 48) << length;
  }
}

TEST(Parse6, StatesNoLengthBeyondTheOctetsWhateverTheyAre) {
  std::mt19937 random(1);
  const Bytes quoted = packet6().extension(kOptions, kPadding).tcp(1, 2).ip();
  int taken = 0;
  for (int round = 0; round < 50000; ++round) {
    auto whole = packet6().icmp_error(static_cast<uint8_t>(random() % 130), 0, quoted);
    for (uint32_t n = random() % 4; n != 0; --n)
      whole.extension(std::array{kHopByHop, kRouting, kOptions, kFragmentation}[random() % 4],
                      kPadding);
    Bytes octets = whole.ip();
    octets.resize(40 + random() % (octets.size() - 39));
    store_be16(&octets[4], static_cast<uint16_t>(octets.size() - 40));
    for (int i = 0; i < 2; ++i)
      octets[6 + random() % (octets.size() - 6)] = static_cast<uint8_t>(random());
    const auto view = parse_ipv6(octets);
    if (view.result != Parsed::ipv6) continue;
    ++taken;
    EXPECT_EQ(view.total_length, octets.size());
    EXPECT_LE(view.header_length, view.total_length);
    (void)flow_key6(octets, view);
  }
  EXPECT_GT(taken, 5000);
}

TEST(Parse6, KnowsTrafficClassAndHopLimitWhereIpv6HasThem) {
  Bytes ip = packet6().udp(1, 2).dscp(63).ttl(9).ip();
  EXPECT_EQ(ecn_in(ip.data()), 0);
  EXPECT_FALSE(mark_congestion(ip.data())) << "not of a packet that knows no marks";
  for (const uint8_t knows : {1, 2}) {
    ip = packet6().udp(1, 2).dscp(63).ecn(knows).ip();
    EXPECT_EQ(ecn_in(ip.data()), knows);
    EXPECT_FALSE(met_congestion(ip.data()));
    EXPECT_TRUE(mark_congestion(ip.data()));
    EXPECT_EQ(ip, packet6().udp(1, 2).dscp(63).ecn(3).ip());
    EXPECT_TRUE(met_congestion(ip.data()));
  }
  decrement_ttl(ip.data());
  EXPECT_EQ(ip, packet6().udp(1, 2).dscp(63).ecn(3).ttl(63).ip());
}

}  // namespace
}  // namespace anabranch::dataplane
