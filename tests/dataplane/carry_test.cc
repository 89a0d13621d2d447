// SPDX-License-Identifier: BSD-3-Clause
// From the LAN of one gateway to the LAN of the other.
#include <random>

#include "dataplane/bytes.h"
#include "tests/dataplane/two_gateways.h"

namespace anabranch::dataplane {
namespace {

class Carrying : public TwoGateways {};

TEST_F(Carrying, BringsPacketsInOrderAndUnchangedButForTheirTtlAndChecksum) {
  send_datagrams(0, 600);
  settle();
  EXPECT_EQ(b().hosts_received(), datagrams_two_hops_on(600));
  EXPECT_EQ(counters(a()).dropped() + counters(b()).dropped(), 0u);
}

TEST_F(Carrying, WorksInBothDirectionsAtOnce) {
  std::vector<Bytes> expected;
  for (uint32_t n = 0; n < 200; ++n) {
    a().host_sends(datagram(n).ip());
    auto answer = packet().from("10.20.0.2").to("10.10.0.2").tcp(80, 1234).payload(n, n);
    b().host_sends(answer.ip());
    expected.push_back(answer.ttl(62).ip());
    step();
  }
  settle();
  EXPECT_EQ(b().hosts_received(), datagrams_two_hops_on(200));
  EXPECT_EQ(a().hosts_received(), expected);
}

TEST_F(Carrying, SpreadsOctetsOverThePathsByWeight) {
  std::mt19937 random(4);
  uint64_t sum = 0;
  for (uint32_t n = 0; n < 500; ++n) {
    const size_t size = 1 + random() % 1400;
    sum += size + 28 + kSegmentOverhead;
    a().host_sends(datagram(n, size).ip());
    step();
  }
  settle();
  for (uint8_t path = 1; path <= kPaths; ++path) {
    const auto sent = [&](Kind kind) {
      return a().meter(kService, path_place(path), Direction::sent, kind).octets.get();
    };
    EXPECT_NEAR(static_cast<double>(sent(Kind::first) + sent(Kind::overhead)),
                static_cast<double>(sum * kShares[path] / 100), 1500)
        << "path " << +path;
    EXPECT_EQ(sent(Kind::overhead), first_sends(path) * kSegmentOverhead);
  }
  EXPECT_EQ(b().hosts_received().size(), 500u);
}

TEST_F(Carrying, LowersTheMssOfConnectionsInBothDirections) {
  const Bytes options{2, 4, 0x05, 0xb4, 4, 2, 1, 1};
  a().host_sends(packet().tcp(1234, 80).syn().tcp_options(options).ip());
  b().host_sends(
      packet().from("10.20.0.2").to("10.10.0.2").tcp(80, 1234).syn().tcp_options(options).ip());
  settle();
  for (Gateway* gateway : {&a(), &b()}) {
    const auto received = gateway->hosts_received();
    ASSERT_EQ(received.size(), 1u);
    EXPECT_EQ(load_be16(&received[0][42]), kInnerMtu - 40);
    EXPECT_EQ(received[0][8], 62);
    EXPECT_TRUE(checksums_are_right(received[0]));
  }
}

TEST_F(Carrying, PutsInOrderWhatPathsOfDifferentDelayReorder) {
  there(1).delay_ns = 5 * kMillisecond;
  there(1).jitter_ns = 30 * kMillisecond;
  there(2).delay_ns = 20 * kMillisecond;
  there(3).delay_ns = 40 * kMillisecond;
  run_for(kSecond);
  send_datagrams(0, 1000);
  EXPECT_GT(counters(b()).held.get(), 0u);
  settle();
  EXPECT_EQ(b().hosts_received(), datagrams_two_hops_on(1000));
  EXPECT_EQ(counters(b()).gaps.get(), 0u);
}

TEST_F(Carrying, PassesPacketsAsTheyComeWhenThePlanSaysSo) {
  admit_both(kShares, Segmentation::packet, false);
  there(2).delay_ns = 60 * kMillisecond;
  send_datagrams(0, 200);
  settle();
  auto received = b().hosts_received(), expected = datagrams_two_hops_on(200);
  EXPECT_NE(received, expected) << "nothing waits for the slow path";
  EXPECT_TRUE(std::is_permutation(received.begin(), received.end(), expected.begin()));
}

TEST_F(Carrying, DeliversDuplicatesOnceAndCountsThem) {
  there(1).duplicate = 1;
  there(1).jitter_ns = 3 * kMillisecond;
  send_datagrams(0, 400);
  there(1).duplicate = 0;
  settle();
  EXPECT_EQ(b().hosts_received(), datagrams_two_hops_on(400));
  EXPECT_EQ(b().drops(Drop::replayed), there(1).added().packets);
  EXPECT_GT(first_sends(1), 100u);
}

TEST_F(Carrying, GivesUpHolesAndDeliversTheRestInOrder) {
  repair_nothing();
  there(2).loss = 0.2;
  send_datagrams(0, 1000);
  settle();
  const uint64_t lost =
      first_sends(2) -
      b().meter(kService, path_place(2), Direction::received, Kind::first).packets.get();
  const auto received = b().hosts_received();
  EXPECT_GT(lost, 20u);
  ASSERT_EQ(received.size(), 1000 - lost);
  const auto sent = datagrams_two_hops_on(1000);
  auto place = sent.begin();
  for (const Bytes& packet : received) {
    place = std::find(place, sent.end(), packet);
    ASSERT_NE(place, sent.end()) << "a packet came out of order, twice or changed";
    ++place;
  }
  EXPECT_GT(counters(b()).gaps.get(), 0u);
  EXPECT_EQ(counters(b()).late.get(), 0u);
}

TEST_F(Carrying, LetsAHoleWaitAsLongAsDelaysDifferAndTenMillisecondsAndNoLonger) {
  repair_nothing();
  there(3).delay_ns = 25 * kMillisecond;  // 15 more than the others
  run_for(2 * kSecond);
  admit_both(only(1));
  there(1).steal_next();
  send_datagrams(0, 1);
  send_datagrams(1, 3);
  run_for(25 * kMillisecond);  // the link's delay, and what path 3 would have taken more
  EXPECT_EQ(counters(b()).held.get(), 2u);
  EXPECT_EQ(counters(b()).gaps.get(), 0u);
  run_for(24 * kMillisecond);
  EXPECT_TRUE(b().hosts_received().empty());
  run_for(2 * kMillisecond);
  EXPECT_EQ(b().hosts_received(),
            (std::vector<Bytes>{datagram(1).ttl(62).ip(), datagram(2).ttl(62).ip()}));
  EXPECT_EQ(counters(b()).gaps.get(), 1u);
}

TEST_F(Carrying, HoldsBackWhatComesOverAFasterPathUntilTheSlowestWouldHaveBroughtIt) {
  there(3).delay_ns = 25 * kMillisecond;
  run_for(2 * kSecond);
  admit_both(only(1));
  send_datagrams(0, 1);
  run_for(24 * kMillisecond);
  EXPECT_TRUE(b().hosts_received().empty());
  run_for(2 * kMillisecond);
  EXPECT_EQ(b().hosts_received().size(), 1u);
}

TEST_F(Carrying, HoldsNothingBackForAPathThatIsNotInUse) {
  there(3).delay_ns = 25 * kMillisecond;
  PathTable paths = a().paths();
  paths.paths[3].in_use = false;
  a().plans.publish(std::make_unique<const PathTable>(paths));
  run_for(2 * kSecond);
  admit_both(only(1));
  send_datagrams(0, 1);
  run_for(11 * kMillisecond);
  EXPECT_EQ(b().hosts_received().size(), 1u);
}

TEST_F(Carrying, PassesOnWhatComesAfterItsHoleWasGivenUp) {
  repair_nothing();
  admit_both(only(1));
  there(1).steal_next();
  send_datagrams(0, 3);
  settle();
  EXPECT_EQ(b().hosts_received().size(), 2u);
  there(1).inject(there(1).stolen());
  step();
  EXPECT_EQ(b().hosts_received(), (std::vector<Bytes>{datagram(0).ttl(62).ip()}));
  EXPECT_EQ(counters(b()).late.get(), 1u);
  there(1).inject(there(1).stolen());
  step();
  EXPECT_TRUE(b().hosts_received().empty());
  EXPECT_EQ(b().drops(Drop::replayed), 1u);
}

TEST_F(Carrying, ByFlowKeepsEachFlowOnOnePathAndUsesAllPaths) {
  admit_both(kShares, Segmentation::flow);
  std::array<int, kPaths + 1> flows{};
  for (uint16_t flow = 0; flow < 60; ++flow) {
    const std::array<uint64_t, kPaths> before{first_sends(1), first_sends(2), first_sends(3)};
    for (uint32_t n = 0; n < 5; ++n) {
      a().host_sends(
          packet().udp(static_cast<uint16_t>(3000 + flow * 7), 53).payload(100 * n, n).ip());
    }
    step();
    int paths_used = 0;
    for (uint8_t path = 1; path <= kPaths; ++path) {
      const uint64_t sent = first_sends(path) - before[path - 1u];
      EXPECT_TRUE(sent == 0 || sent == 5) << "flow " << flow << " path " << +path;
      paths_used += sent != 0;
      flows[path] += sent != 0;
    }
    EXPECT_EQ(paths_used, 1) << "flow " << flow;
  }
  for (uint8_t path = 1; path <= kPaths; ++path) EXPECT_GT(flows[path], 0) << "path " << +path;
  EXPECT_GT(flows[1], flows[3]);
  settle();
  EXPECT_EQ(b().hosts_received().size(), 300u);
}

}  // namespace
}  // namespace anabranch::dataplane
