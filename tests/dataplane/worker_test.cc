// SPDX-License-Identifier: BSD-3-Clause
// What goes in at one gateway's LAN comes out at the other's, whatever the links do. After each
// test the fixture checks conservation, meters against links, and packet buffers.
#include <algorithm>
#include <numeric>

#include "tests/dataplane/two_gateways.h"

namespace anabranch::dataplane {
namespace {

std::vector<uint32_t> counting(uint32_t to) {
  std::vector<uint32_t> all(to);
  std::iota(all.begin(), all.end(), 0);
  return all;
}

class Crossing : public TwoGateways {
 protected:
  void SetUp() override {
    open();
    ab_[2].delay = ba_[2].delay = 30 * kMs;
    ab_[3].delay = ba_[3].delay = 20 * kMs;
    wait_until_alive();
  }
  // A packet every half millisecond.
  void send_numbered(uint32_t count) {
    for (uint32_t n = 0; n < count; ++n) {
      send(*a_, numbered(n));
      step(kMs / 2);
    }
    run(500 * kMs);
  }
};

TEST_F(Crossing, PacketsComeOutInOrderUnchangedButForTtlAndChecksum) {
  std::vector<Octets> sent;
  for (uint32_t n = 0; n < 300; ++n) {
    sent.push_back(packet().udp(1000, 2000).ttl(62).payload(n * 4, n).ip());
    send(*a_, packet().to_mac(kLanMac).udp(1000, 2000).ttl(64).payload(n * 4, n).frame());
    step(kMs / 2);
  }
  run(200 * kMs);
  EXPECT_EQ(received(*b_), sent);
}

TEST_F(Crossing, OctetsAreSpreadByTheWeightsOfThePlan) {
  send_numbered(1000);
  EXPECT_EQ(numbers(*b_), counting(1000));
  const double inner = 1028;
  for (const auto& [path, share] : {std::pair<uint8_t, double>(1, 0.5), {2, 0.3}, {3, 0.2}}) {
    EXPECT_NEAR(static_cast<double>(a_->metered(kSlot, path, Direction::sent, Kind::first)),
                share * 1000 * inner, 2 * inner);
  }
}

TEST_F(Crossing, EachSegmentIsMeteredAsItsPacketAndSixtySixOctetsOfOverhead) {
  send_numbered(100);
  uint64_t first = 0, overhead = 0;
  for (uint8_t p = 1; p <= kPathCount; ++p) {
    first += a_->metered(kSlot, p, Direction::sent, Kind::first);
    overhead += a_->metered(kSlot, p, Direction::sent, Kind::overhead);
    EXPECT_EQ(a_->metered(kSlot, p, Direction::sent, Kind::first),
              b_->metered(kSlot, p, Direction::received, Kind::first));
  }
  EXPECT_EQ(first, 100u * 1028);
  EXPECT_EQ(overhead, 100u * 66);
}

TEST_F(Crossing, ReorderedSegmentsAreDeliveredInOrder) {
  for (TestLink& link : ab_) link.jitter = 8 * kMs;
  send_numbered(1000);
  EXPECT_EQ(numbers(*b_), counting(1000));
}

TEST_F(Crossing, DuplicatesAreDeliveredOnce) {
  for (TestLink& link : ab_) link.duplication = 0.3;
  send_numbered(500);
  EXPECT_EQ(numbers(*b_), counting(500));
  EXPECT_GT(b_->dropped(Drop::duplicate), 100u);
}

TEST_F(Crossing, LossLeavesTheRestInOrder) {
  for (TestLink& link : ab_) link.loss = 0.05;
  send_numbered(1000);
  const auto got = numbers(*b_);
  EXPECT_TRUE(std::is_sorted(got.begin(), got.end()));
  EXPECT_GT(got.size(), 900u);
  EXPECT_LT(got.size(), 1000u);
  EXPECT_GT(b_->counters().gaps.get(), 0u);
  EXPECT_EQ(b_->counters().held.get(), 0u);
}

TEST_F(Crossing, WhatComesAfterItsHoleWasGivenUpIsDeliveredLateAndOnce) {
  send_numbered(10);
  ab_[1].delay = 400 * kMs;  // suddenly, and longer than any hole may wait
  send_numbered(200);
  run(1000 * kMs);
  auto got = numbers(*b_);
  EXPECT_GT(b_->counters().late.get(), 0u);
  std::sort(got.begin(), got.end());
  EXPECT_TRUE(std::adjacent_find(got.begin() + 20, got.end()) == got.end());
}

TEST_F(Crossing, ADeadLinkIsLeftWithinThreeBeatsAndNothingIsLostAfterwards) {
  ab_[1].dead = ba_[1].dead = true;
  send_numbered(400);  // 200 ms
  const auto lost = 400 - numbers(*b_).size();
  EXPECT_GT(lost, 0u);
  EXPECT_LT(lost, 170u);  // half of what is sent in 3.5 beats of 40 ms, and the round trip
  EXPECT_EQ(a_->worker->telemetry(1).alive.get(), 0u);
  send_numbered(200);
  EXPECT_EQ(numbers(*b_), counting(200));
}

TEST_F(Crossing, ALinkThatIsDeadOneWayOnlyIsDeadForBoth) {
  ab_[2].dead = true;
  run(400 * kMs);
  EXPECT_EQ(a_->worker->telemetry(2).alive.get(), 0u);
  EXPECT_EQ(b_->worker->telemetry(2).alive.get(), 0u);
  ab_[2].dead = false;
  wait_until_alive();
}

TEST_F(Crossing, WithAllLinksDeadPacketsAreDroppedByName) {
  for (uint8_t p = 1; p <= kPathCount; ++p) ab_[p].dead = ba_[p].dead = true;
  run(500 * kMs);
  send_numbered(10);
  EXPECT_EQ(a_->dropped(Drop::path_down), 10u);
}

TEST_F(Crossing, BeatsMeasureRoundTripAndLoss) {
  ab_[3].loss = 0.5;
  run(5000 * kMs);
  EXPECT_NEAR(static_cast<double>(a_->worker->telemetry(2).rtt_ns.get()), 60e6, 3e6);
  const PathTelemetry& lossy = a_->worker->telemetry(3);
  EXPECT_NEAR(static_cast<double>(lossy.peer_received.get()) /
                  static_cast<double>(lossy.peer_expected.get()),
              0.55, 0.15);
  const PathTelemetry& clean = a_->worker->telemetry(1);
  EXPECT_EQ(clean.peer_received.get(), clean.peer_expected.get());
}

TEST_F(Crossing, SegmentationByFlowKeepsAFlowOnOnePath) {
  a_->publish_plan({0, 5000, 3000, 2000}, Segmentation::flow);
  b_->publish_plan({0, 5000, 3000, 2000}, Segmentation::flow);
  send_numbered(100);
  EXPECT_EQ(numbers(*b_), counting(100));
  int used = 0;
  for (uint8_t p = 1; p <= kPathCount; ++p)
    used += a_->metered(kSlot, p, Direction::sent, Kind::first) != 0 ? 1 : 0;
  EXPECT_EQ(used, 1);
}

TEST_F(Crossing, AnotherPlanUnderTrafficLosesNothing) {
  for (uint32_t n = 0; n < 600; ++n) {
    if (n % 50 == 0)
      a_->publish_plan({0, static_cast<uint16_t>(1000 + n), 3000,
                        static_cast<uint16_t>(n % 100 == 0 ? 0 : 2000)});
    send(*a_, numbered(n));
    step(kMs / 2);
  }
  run(500 * kMs);
  EXPECT_EQ(numbers(*b_), counting(600));
  a_->plans.reclaim();
  EXPECT_EQ(a_->plans.retired(), 0u);
}

TEST_F(Crossing, ATrafficWithoutServiceIsRefusedByIcmp) {
  a_->publish_rules(6);  // TCP only
  send(*a_, numbered(0));
  run(10 * kMs);
  const auto answers = received(*a_);
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0][20], 3);   // destination unreachable
  EXPECT_EQ(answers[0][21], 13);  // administratively prohibited
  EXPECT_EQ(a_->dropped(Drop::no_service), 1u);
}

TEST_F(Crossing, ATtlThatEndsHereIsAnsweredAndAtThePeerComesBackThroughTheTunnel) {
  for (const uint8_t ttl : {1, 2}) {
    const PacketBuilder p = packet().to_mac(kLanMac).udp(5, 6).ttl(ttl).payload(100);
    send(*a_, p.frame());
    run(200 * kMs);
    const auto answers = received(*a_);
    ASSERT_EQ(answers.size(), 1u) << "TTL " << int{ttl};
    EXPECT_EQ(answers[0][20], 11);
    EXPECT_EQ(load_be32(&answers[0][12]), ttl == 1 ? 0x0a0a0001u : 0x0a140001u);
    EXPECT_EQ(load_be32(&answers[0][16]), 0x0a0a0002u);
    EXPECT_EQ(internet_checksum({&answers[0][0], 20}), 0);
    EXPECT_EQ(internet_checksum({&answers[0][20], answers[0].size() - 20}), 0);
    EXPECT_EQ(load_be16(&answers[0][28 + 20]), 5);  // it quotes the packet
  }
}

TEST_F(Crossing, NoIcmpErrorAnswersAnIcmpError) {
  send(*a_, packet().to_mac(kLanMac).icmp(3, 1).payload(packet().ip()).ttl(1).frame());
  run(50 * kMs);
  EXPECT_TRUE(received(*a_).empty());
  EXPECT_EQ(a_->dropped(Drop::ttl_exceeded), 1u);
}

TEST_F(Crossing, IcmpErrorsAreLimited) {
  a_->publish_rules(6);
  for (uint32_t n = 0; n < 300; ++n) send(*a_, numbered(n));
  run(10 * kMs);
  EXPECT_EQ(received(*a_).size(), 100u);
  EXPECT_EQ(a_->dropped(Drop::icmp_limited), 200u);
}

TEST_F(Crossing, TooBigAPacketIsAnsweredWithTheSizeThatFits) {
  send(*a_, packet().to_mac(kLanMac).udp(1, 2).payload(1472).frame());
  run(50 * kMs);
  const auto answers = received(*a_);
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0][20], 3);
  EXPECT_EQ(answers[0][21], 4);
  EXPECT_EQ(load_be16(&answers[0][26]), 1434);
  EXPECT_EQ(a_->dropped(Drop::too_big), 1u);
}

TEST_F(Crossing, TooBigAPacketThatMayBeFragmentedArrivesInFragments) {
  const PacketBuilder p = packet().to_mac(kLanMac).udp(1, 2).payload(1472, 9).may_be_fragmented();
  send(*a_, p.frame());
  run(200 * kMs);
  const auto fragments = received(*b_);
  ASSERT_EQ(fragments.size(), 2u);
  Octets whole(1480);
  for (const Octets& f : fragments) {
    EXPECT_EQ(internet_checksum({f.data(), 20}), 0);
    const size_t offset = (load_be16(&f[6]) & 0x1fff) * 8u;
    std::copy(f.begin() + 20, f.end(), whole.begin() + static_cast<std::ptrdiff_t>(offset));
  }
  const Octets original = p.ip();
  EXPECT_EQ(whole, Octets(original.begin() + 20, original.end()));
}

TEST_F(Crossing, SynSegmentsHaveTheirMssClamped) {
  send(*a_, packet().to_mac(kLanMac).tcp(1, 2, 0x02, {2, 4, 0x05, 0xb4}).frame());
  run(200 * kMs);
  const auto got = received(*b_);
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(load_be16(&got[0][42]), 1394);
}

TEST_F(Crossing, APacketWaitsForItsNextHopAndIsDroppedAfterASecond) {
  b_->publish_neighbours(false);
  send(*a_, numbered(1));
  run(100 * kMs);
  EXPECT_EQ(b_->worker->wanted_neighbour(), 0x0a140002u);
  EXPECT_EQ(b_->worker->wanted_neighbour(), 0u);
  EXPECT_TRUE(received(*b_).empty());
  b_->publish_neighbours(true);
  run(10 * kMs);
  EXPECT_EQ(numbers(*b_), std::vector<uint32_t>{1});
  b_->publish_neighbours(false);
  send(*a_, numbered(2));
  run(1500 * kMs);
  EXPECT_EQ(b_->dropped(Drop::no_neighbour), 1u);
}

TEST_F(Crossing, WithoutBuffersPacketsAreDroppedByNameAndTheRestGoesOn) {
  for (uint32_t n = 0; n < 20; ++n) send(*a_, numbered(n));
  std::vector<rte_mbuf*> taken(rte_mempool_avail_count(pool_));
  ASSERT_EQ(rte_pktmbuf_alloc_bulk(pool_, taken.data(), static_cast<unsigned>(taken.size())), 0);
  a_->worker->poll(now_);
  EXPECT_GT(a_->dropped(Drop::no_buffer), 0u);
  rte_pktmbuf_free_bulk(taken.data(), static_cast<unsigned>(taken.size()));
  const uint64_t lost = a_->dropped(Drop::no_buffer);
  run(300 * kMs);
  EXPECT_EQ(numbers(*b_).size(), 20 - lost);
  send_numbered(20);
  EXPECT_EQ(numbers(*b_), counting(20));
}

TEST_F(Crossing, APeerWithoutSessionGetsNothing) {
  a_->plans.publish(kSlot, nullptr);
  send_numbered(3);
  EXPECT_EQ(a_->dropped(Drop::no_session), 3u);
}

TEST_F(Crossing, WhatIsNotBehindAGatewayIsNotLetOut) {
  b_->plans.publish(std::make_unique<const NeighbourTable>());
  send_numbered(3);
  EXPECT_EQ(b_->dropped(Drop::not_for_lan), 3u);
}

TEST_F(Crossing, DamagedSegmentsAreRefusedByNameAndBookedToTheHouse) {
  struct Case {
    const char* what;
    Drop drop;
    size_t octet;  // of the frame
  };
  // Ethernet 14, IPv4 20, UDP 8, then the outer header.
  for (const Case& c :
       {Case{"version", Drop::bad_segment, 42}, Case{"path", Drop::bad_path, 44},
        Case{"receiver", Drop::unknown_receiver, 46}, Case{"packet number", Drop::bad_tag, 57},
        Case{"lane", Drop::bad_tag, 59}, Case{"content", Drop::bad_tag, 100}}) {
    const uint64_t before = b_->dropped(c.drop);
    for (TestLink& link : ab_) {
      link.damage = [&](rte_mbuf* frame) {
        if (rte_pktmbuf_data_len(frame) > 200) octets(frame)[c.octet] ^= 0x81;
      };
    }
    send(*a_, numbered(1));
    run(100 * kMs);
    EXPECT_TRUE(received(*b_).empty()) << c.what;
    EXPECT_EQ(b_->dropped(c.drop), before + 1) << c.what;
  }
  uint64_t refused = 0;
  for (size_t place = 1; place < kPlaces; ++place)
    refused +=
        b_->metered(kHouseSlot, static_cast<uint8_t>(place), Direction::received, Kind::refused);
  EXPECT_EQ(refused, 6u * (1028 + 66));
}

TEST_F(Crossing, ATruncatedSegmentIsRefused) {
  for (TestLink& link : ab_) {
    link.damage = [](rte_mbuf* frame) {
      if (rte_pktmbuf_data_len(frame) < 200) return;
      uint8_t* ip = octets(frame) + 14;
      store_be16(ip + 2, 20 + 8 + 12);
      store_be16(ip + 10, 0);
      store_be16(ip + 10, internet_checksum({ip, 20}));
      rte_pktmbuf_trim(frame, static_cast<uint16_t>(rte_pktmbuf_data_len(frame) - 54));
    };
  }
  send(*a_, numbered(1));
  run(100 * kMs);
  EXPECT_TRUE(received(*b_).empty());
  EXPECT_EQ(b_->dropped(Drop::bad_segment), 1u);
}

TEST_F(Crossing, WhatIsTheKernelsIsLeftToIt) {
  Octets arp(60, 0);
  std::copy(kLanMac.begin(), kLanMac.end(), arp.begin());
  store_be16(&arp[12], 0x0806);
  send(*a_, arp);
  send(*a_, packet().to_mac(kHostMac).udp(1, 2).frame());                    // another host's
  send(*a_, packet().to_mac(kLanMac).to("10.10.0.1").tcp(1, 8080).frame());  // the gateway's own
  run(5 * kMs);
  EXPECT_EQ(a_->counters().to_kernel.get(), 3u);
}

TEST_F(Crossing, MalformedPacketsOfTheLanAreDroppedByName) {
  Octets cut = numbered(1);
  cut.resize(100);  // as AF_PACKET gives what the kernel has merged
  send(*a_, cut);
  Octets wrong = numbered(2);
  wrong[14 + 10] ^= 1;
  send(*a_, wrong);
  run(5 * kMs);
  EXPECT_EQ(a_->dropped(Drop::bad_length), 1u);
  EXPECT_EQ(a_->dropped(Drop::bad_checksum), 1u);
}

TEST_F(Crossing, AnotherSessionStartsLanesAfresh) {
  send_numbered(10);
  received(*b_);
  auto plan = std::make_unique<Plan>(*b_->plans.plan(kSlot));
  plan->receiver_index += 1u << 22;
  const uint32_t index = plan->receiver_index;
  b_->plans.publish(kSlot, std::move(plan));
  auto towards = std::make_unique<Plan>(*a_->plans.plan(kSlot));
  towards->peer_index = index;
  a_->plans.publish(kSlot, std::move(towards));
  send_numbered(10);
  EXPECT_EQ(numbers(*b_), counting(10));
  EXPECT_EQ(b_->counters().gaps.get(), 0u);
}

class BackPressure : public TwoGateways {};

TEST_F(BackPressure, AFullPortDropsByNameAndOnlyWhatItAcceptedIsMetered) {
  open(64);
  wait_until_alive();
  for (uint32_t n = 0; n < 2000; ++n) send(*a_, numbered(n, 100));
  while (a_->worker->poll(now_) == kBurst) {
  }
  EXPECT_GT(a_->dropped(Drop::tx_full), 1000u);
}

class NullPorts : public testing::Test {};

TEST_F(NullPorts, GarbageFromEveryPortEndsInCountedPlaces) {
  rte_mempool* pool =
      rte_pktmbuf_pool_create("null", 4095, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
  const unsigned before = rte_mempool_avail_count(pool);
  std::vector<Port> ports;
  for (int i = 0; i < 2; ++i) {
    ports.push_back(
        open_port({.device = "net_null" + std::to_string(i) + ",size=100"}, pool).value());
  }
  std::unique_ptr<MeterRegion, FreeDelete> meters(
      static_cast<MeterRegion*>(std::calloc(1, sizeof(MeterRegion))));
  PlanTable plans;
  auto worker = Worker::create({.lan_port = ports[0].id,
                                .uplink_port = {ports[1].id},
                                .uplinks = 1,
                                .pool = pool,
                                .tsc_hz = 1'000'000'000,
                                .flows_max = 1024},
                               plans, *meters)
                    .value();
  for (uint64_t i = 1; i <= 1000; ++i) EXPECT_EQ(worker->poll(i * kMs), 2u * kBurst);
  const Counters& c = worker->counters();
  EXPECT_EQ(c.rx.get(), 2000u * kBurst);
  EXPECT_EQ(c.rx.get() + c.made.get(),
            c.tx.get() + c.held.get() + c.absorbed.get() + c.to_kernel.get() + c.dropped());
  worker.reset();
  for (const Port& port : ports) close_port(port);
  EXPECT_EQ(rte_mempool_avail_count(pool), before);
}

TEST_F(NullPorts, APortThatDoesNotExistIsASentence) {
  const auto port = open_port({.device = "net_nothing0"}, nullptr);
  ASSERT_FALSE(port.has_value());
  EXPECT_NE(port.error().find("net_nothing0"), std::string::npos);
}

}  // namespace
}  // namespace anabranch::dataplane
