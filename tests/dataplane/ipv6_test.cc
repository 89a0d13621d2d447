// SPDX-License-Identifier: BSD-3-Clause
// Clients' IPv6 packets, from the LAN of one gateway to the LAN of the other.
#include "dataplane/bytes.h"
#include "tests/dataplane/two_gateways.h"

namespace anabranch::dataplane {
namespace {

constexpr uint16_t kIpv6MtuMin = 1280;

class Ipv6 : public TwoGateways {
 protected:
  // One answer came out on a's LAN: of this type and code, from `router`, about `quoted`.
  void expect_answer(uint8_t type, uint8_t code, Uint128 router, const Bytes& quoted,
                     uint32_t mtu = 0) {
    const auto received = a().hosts_received();
    ASSERT_EQ(received.size(), 1u);
    const Bytes& error = received[0];
    EXPECT_TRUE(checksums_are_right(error));
    EXPECT_EQ(error[6], 58);
    EXPECT_EQ(load_be128(&error[8]), router);
    EXPECT_EQ(load_be128(&error[24]), address6("2001:db8:1::2"));
    EXPECT_EQ(error[40], type);
    EXPECT_EQ(error[41], code);
    EXPECT_EQ(load_be32(&error[44]), mtu);
    EXPECT_EQ(error.size(), std::min<size_t>(quoted.size() + 48, kIpv6MtuMin));
    EXPECT_TRUE(std::equal(error.begin() + 48, error.end(), quoted.begin()));
  }
  // A host's packet dies as `drop`, and nobody is told.
  void expect_silence(const Bytes& ip, Drop drop) {
    const uint64_t before = a().drops(drop);
    a().host_sends(ip);
    step();
    EXPECT_EQ(a().drops(drop), before + 1);
    EXPECT_TRUE(a().hosts_received().empty());
  }
  void host_sends_frame(const Bytes& frame) {
    ASSERT_EQ(rte_ring_enqueue(a().lan.in, buffer_of(frame, packet_pool())), 0);
  }
};

TEST_F(Ipv6, PacketsComeInOrderAndUnchangedButForTheirHopLimit) {
  std::vector<Bytes> expected;
  for (uint32_t n = 0; n < 600; ++n) {
    a().host_sends(datagram6(n).ip());
    expected.push_back(datagram6(n).ttl(62).ip());
    if (n % 2 != 0) step();
  }
  settle();
  EXPECT_EQ(b().hosts_received(), expected);
  EXPECT_EQ(counters(a()).dropped() + counters(b()).dropped(), 0u);
  for (uint8_t path = 1; path <= kPaths; ++path) EXPECT_GT(first_sends(path), 50u);
}

TEST_F(Ipv6, OctetsAreMeteredAsThoseOfIpv4Are) {
  a().host_sends(datagram6(0, 500).ip());
  settle();
  uint64_t octets = 0;
  for (uint8_t path = 1; path <= kPaths; ++path)
    octets += a().meter(kService, path_place(path), Direction::sent, Kind::first).octets.get();
  EXPECT_EQ(octets, 40u + 8 + 500);
}

TEST_F(Ipv6, AndIpv4ComeThroughTheSameServiceAtOnce) {
  std::vector<Bytes> expected, expected6;
  for (uint32_t n = 0; n < 200; ++n) {
    for (uint32_t each = 0; each < 1 + n % 3; ++each) {
      a().host_sends(datagram(n).ip());
      expected.push_back(datagram(n).ttl(62).ip());
    }
    a().host_sends(datagram6(n).ip());
    expected6.push_back(datagram6(n).ttl(62).ip());
    if (n % 4 == 3) step();
  }
  settle();
  std::vector<Bytes> received, received6;
  for (const Bytes& ip : b().hosts_received())
    (ip[0] >> 4 == 6 ? received6 : received).push_back(ip);
  EXPECT_EQ(received, expected);
  EXPECT_EQ(received6, expected6);
  EXPECT_EQ(counters(a()).flows.get(), 2u);
}

TEST_F(Ipv6, FlowsAreForgottenWhenTheyAreIdle) {
  a().host_sends(datagram6(0).ip());
  step();
  EXPECT_EQ(counters(a()).flows.get(), 1u);
  step_ns = 10 * kMillisecond;
  run_for(80 * kSecond);
  EXPECT_EQ(counters(a()).flows.get(), 0u);
  EXPECT_EQ(counters(a()).flows_aged.get(), 1u);
}

TEST_F(Ipv6, PacketsWithExtensionHeadersAndFragmentsComeThrough) {
  const Bytes padding(7, 0);
  std::vector<PacketBuilder> sent{
      packet6().extension(0, padding).extension(60, padding).udp(1, 2).payload(50),
      packet6().udp(1, 2).payload(1232).fragment(0, true).identification(3),
      packet6().udp(1, 2).payload(77).fragment(1240, false).identification(3),
      packet6().echo_request(4, 5).payload(56)};
  for (PacketBuilder& one : sent) {
    a().host_sends(one.ip());
    settle();
    EXPECT_EQ(b().hosts_received(), std::vector<Bytes>{one.ttl(62).ip()});
  }
}

TEST_F(Ipv6, ConnectionsAreMadeForWhatFitsThePaths) {
  const Bytes options{2, 4, 0x05, 0xa0, 4, 2, 1, 1};
  a().host_sends(packet6().tcp(1234, 80).syn().tcp_options(options).ip());
  settle();
  const auto received = b().hosts_received();
  ASSERT_EQ(received.size(), 1u);
  EXPECT_EQ(load_be16(&received[0][62]), kInnerMtu - 60);
  EXPECT_TRUE(checksums_are_right(received[0]));
}

TEST_F(Ipv6, CongestionIsMarkedInTheTrafficClass) {
  for (uint8_t path = 1; path <= kPaths; ++path) there(path).marks = true;
  a().host_sends(datagram6(0).ecn(2).dscp(10).ip());
  settle();
  EXPECT_EQ(b().hosts_received(), std::vector<Bytes>{datagram6(0).ecn(3).dscp(10).ttl(62).ip()});
  EXPECT_EQ(b().drops(Drop::not_ect), 0u);
}

TEST_F(Ipv6, HostsAreToldThatTheHopLimitIsExceededAtTheFirstGateway) {
  const Bytes sent = datagram6(1, 1300).ttl(1).ip();
  a().host_sends(sent);
  step();
  expect_answer(3, 0, a().lan_address6(), sent);
  EXPECT_EQ(a().drops(Drop::ttl_exceeded), 1u);
}

TEST_F(Ipv6, HostsAreToldThatTheHopLimitIsExceededAtTheSecondGatewayThroughTheTunnel) {
  a().host_sends(datagram6(1, 100).ttl(2).ip());
  settle();
  expect_answer(3, 0, b().lan_address6(), datagram6(1, 100).ttl(1).ip());
  EXPECT_EQ(b().drops(Drop::ttl_exceeded), 1u);
}

TEST_F(Ipv6, HostsAreToldWhichSizeFitsThePaths) {
  const Bytes sent = datagram6(1, 1452).ip();
  a().host_sends(sent);
  step();
  expect_answer(2, 0, a().lan_address6(), sent, kInnerMtu);
  EXPECT_EQ(a().drops(Drop::too_big), 1u);
}

TEST_F(Ipv6, HostsAreToldWhichSizeFitsTheFarLan) {
  auto paths = b().paths();
  paths.lan_mtu = 1290;
  b().plans.publish(std::make_unique<const PathTable>(paths));
  auto sent = datagram6(1, 1300);
  a().host_sends(sent.ip());
  settle();
  expect_answer(2, 0, b().lan_address6(), sent.ttl(63).ip(), 1290);
}

TEST_F(Ipv6, PacketsOf1280OctetsGetThroughWhateverThePathsTake) {  // RFC 8200 5
  for (Gateway* gateway : {&a(), &b()}) {
    gateway->mtu.fill(1000);
    gateway->plans.publish(std::make_unique<const PathTable>(gateway->paths()));
  }
  admit_both(kShares);
  for (uint8_t path = 1; path <= kPaths; ++path) there(path).mtu = 1000;
  auto just = datagram6(1, kIpv6MtuMin - 48);
  a().host_sends(just.ip());
  settle();
  EXPECT_EQ(b().hosts_received(), std::vector<Bytes>{just.ttl(62).ip()});
  const Bytes more = datagram6(1, kIpv6MtuMin - 47).ip();
  a().host_sends(more);
  step();
  expect_answer(2, 0, a().lan_address6(), more, kIpv6MtuMin);
}

TEST_F(Ipv6, HostsAreToldThatNoServiceWantsAFlow) {
  a().plans.publish(std::make_unique<const Ruleset>(Ruleset{.epoch = 50, .rules = {{.slot = 1}}}));
  const Bytes sent = datagram6(1, 100).ip();
  a().host_sends(sent);
  step();
  expect_answer(1, 1, a().lan_address6(), sent);
  EXPECT_EQ(a().drops(Drop::no_service), 1u) << "rules of IPv4 are not for IPv6";
}

TEST_F(Ipv6, NobodyIsToldWhatRfc4443Forbids) {
  const Bytes quoted = packet().from("2001:db8:2::2").to("2001:db8:1::2").udp(1, 2).ip();
  for (const uint8_t type : {1, 2, 3, 4, 100, 127, 137})
    expect_silence(packet6().icmp_error(type, 0, quoted).ttl(1).ip(), Drop::ttl_exceeded);
  expect_silence(packet6().icmp_error(1, 0, {}).ttl(1).ip(), Drop::ttl_exceeded);
  expect_silence(packet6().echo_request(1, 1).payload(64).fragment(64, true).ttl(1).ip(),
                 Drop::ttl_exceeded);
  a().host_sends(packet6().echo_request(1, 1).ttl(1).ip());
  a().host_sends(packet6().echo_request(1, 1).payload(64).fragment(0, true).ttl(1).ip());
  step();
  EXPECT_EQ(a().hosts_received().size(), 2u) << "an echo request is no error, nor is its beginning";
}

TEST_F(Ipv6, ErrorsAreLimitedToAHundredASecondWithThoseOfIpv4) {
  if (gateway_workers() > 1)
    GTEST_SKIP() << "each worker has its part of a hundred, and one of these flows";
  for (uint32_t n = 0; n < 75; ++n) {
    a().host_sends(datagram6(n).ttl(1).ip());
    a().host_sends(datagram(n).ttl(1).ip());
  }
  step();
  EXPECT_EQ(a().hosts_received().size(), 100u);
  EXPECT_EQ(a().drops(Drop::icmp_limited), 50u);
}

TEST_F(Ipv6, NothingIsForwardedFromAnAddressThatIsOnlyTheLinks) {
  for (const char* source : {"fe80::2", "::", "::1", "ff02::1"})
    expect_silence(packet().to("2001:db8:2::2").from(source).udp(1, 2).ip(), Drop::bad_scope);
}

TEST_F(Ipv6, TheKernelKeepsWhatIsItsOwn) {
  const uint64_t before = counters(a()).to_kernel.get();
  for (const char* destination : {"2001:db8:1::1", "fe80::1", "ff02::2", "::1"})
    a().host_sends(packet6().to(destination).ttl(255).echo_request(1, 1).ip());
  host_sends_frame(datagram6(0).frame({0x33, 0x33, 0xff, 0, 0, 1}, a().host_mac));
  step();
  EXPECT_EQ(counters(a()).to_kernel.get(), before + 5);
  EXPECT_EQ(counters(a()).dropped(), 0u);
}

TEST_F(Ipv6, WhatIsMalformedIsDroppedByName) {
  expect_silence(packet6().extension(60, Bytes{200} + Bytes(6, 0)).ip(), Drop::bad_extension);
  Bytes longer = datagram6(0).ip();
  longer.resize(longer.size() - 1);
  expect_silence(longer, Drop::bad_length);
}

TEST_F(Ipv6, PaddingIsCutOff) {
  host_sends_frame(datagram6(0, 1).frame(a().lan_mac, a().host_mac) + Bytes(9, 0xee));
  settle();
  EXPECT_EQ(b().hosts_received(), std::vector<Bytes>{datagram6(0, 1).ttl(62).ip()});
}

TEST_F(Ipv6, ANeighbourThatIsNotKnownIsAskedForAndItsPacketsWait) {
  auto stranger = datagram6(0).to("2001:db8:2::77");
  for (int n = 0; n < 3; ++n) a().host_sends(stranger.ip());
  run_for(50 * kMillisecond);
  EXPECT_EQ(b().worker->wanted_neighbour(), address6("2001:db8:2::77"));
  EXPECT_EQ(b().worker->wanted_neighbour(), 0u) << "once a second";
  EXPECT_EQ(counters(b()).held.get(), 3u);
  auto resolved = std::make_unique<NeighbourTable>(b().neighbours());
  resolved->ipv6 = NextHops<Uint128>(
      std::vector<std::pair<Uint128, Mac>>{{address6("2001:db8:2::77"), b().host_mac}});
  resolved->ipv6.on_link = b().neighbours().ipv6.on_link;
  resolved->ipv6.behind = b().neighbours().ipv6.behind;
  b().plans.publish(std::move(resolved));
  run_for(50 * kMillisecond);
  EXPECT_EQ(b().hosts_received(), std::vector<Bytes>(3, stranger.ttl(62).ip()));
}

TEST_F(Ipv6, TheRouterOfAHostThatIsNotOnTheLanIsAskedFor) {
  auto table = std::make_unique<NeighbourTable>(b().neighbours());
  table->ipv6.on_link = {address6("2001:db8:2::"), mask_of<Uint128>(64)};
  table->ipv6.gateway = address6("fe80::99");
  b().plans.publish(std::move(table));
  a().host_sends(datagram6(0).to("2001:db8:2:1::9").ip());
  run_for(50 * kMillisecond);
  EXPECT_EQ(b().worker->wanted_neighbour(), address6("fe80::99"));
  settle();
  EXPECT_EQ(b().drops(Drop::no_neighbour), 1u);
}

TEST_F(Ipv6, WhatIsNotBehindTheFarGatewayIsDroppedThere) {
  auto table = std::make_unique<NeighbourTable>(b().neighbours());
  table->ipv6.behind = {{address6("2001:db8:2::"), mask_of<Uint128>(64)}};
  b().plans.publish(std::move(table));
  a().host_sends(datagram6(0).to("2001:db8:2:1::2").ip());
  a().host_sends(datagram6(1).ip());
  settle();
  EXPECT_EQ(b().drops(Drop::not_for_lan), 1u);
  EXPECT_EQ(b().hosts_received().size(), 1u);
}

}  // namespace
}  // namespace anabranch::dataplane
