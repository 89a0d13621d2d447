// SPDX-License-Identifier: BSD-3-Clause
// What a host sends and what cannot be carried.
#include <set>

#include "dataplane/bytes.h"
#include "tests/dataplane/two_gateways.h"

namespace anabranch::dataplane {
namespace {

class LanSide : public TwoGateways {
 protected:
  uint64_t segments_sent() const { return first_sends(1) + first_sends(2) + first_sends(3); }
};

TEST_F(LanSide, DropsWhatBelongsToAServiceThePeerHasNotConfirmed) {
  a().plans.publish(kService, nullptr);
  send_datagrams(0, 1);
  auto unconfirmed = std::make_unique<Plan>();
  unconfirmed->path_mask = 0xe;
  a().plans.publish(kService, std::move(unconfirmed));
  send_datagrams(1, 2);
  EXPECT_EQ(a().drops(Drop::no_session), 2u);
  EXPECT_EQ(segments_sent(), 0u);
}

TEST_F(LanSide, LeavesToTheKernelWhatIsNotOurs) {
  const auto enqueue = [&](const Bytes& frame) {
    ASSERT_EQ(rte_ring_enqueue(a().lan.in, buffer_of(frame, packet_pool())), 0);
  };
  Bytes arp = datagram(0).frame(a().lan_mac, a().host_mac);
  store_be16(&arp[12], 0x0806);
  enqueue(arp);
  enqueue(datagram(0).frame({2, 9, 9, 9, 9, 9}, a().host_mac));
  enqueue(Bytes(5, 0));
  enqueue(datagram(0).to("10.10.0.1").frame(a().lan_mac, a().host_mac));
  enqueue(packet().to("10.10.0.1").ttl(1).echo_request(1, 1).frame(a().lan_mac, a().host_mac));
  step();
  EXPECT_EQ(counters(a()).to_kernel.get(), 5u);
  EXPECT_EQ(counters(a()).dropped(), 0u);
  EXPECT_TRUE(a().hosts_received().empty());
}

TEST_F(LanSide, CarriesAnIcmpErrorThatQuotesAPacketOfThisGateway) {
  const Bytes quoted = packet().from("10.10.0.1").to("10.10.0.2").udp(9, 9).ip();
  auto error = packet().from("10.10.0.2").to("10.20.0.2").icmp_error(3, 3, quoted);
  auto rules = std::make_unique<Ruleset>();
  rules->epoch = 99;
  rules->rules = {{.slot = kService}};
  a().plans.publish(std::move(rules));
  a().host_sends(error.ip());
  settle();
  EXPECT_EQ(b().hosts_received(), std::vector<Bytes>{error.ttl(62).ip()})
      << "its own address says where it goes, not the one it quotes";
}

TEST_F(LanSide, NamesTheReasonForWhatIsMalformed) {
  const auto send = [&](size_t at, uint8_t value) {
    Bytes frame = datagram(0).frame(a().lan_mac, a().host_mac);
    frame[at] = value;
    ASSERT_EQ(rte_ring_enqueue(a().lan.in, buffer_of(frame, packet_pool())), 0);
    step();
  };
  send(14 + 2, 0xff);
  EXPECT_EQ(a().drops(Drop::bad_length), 1u);
  send(14 + 8, 7);
  EXPECT_EQ(a().drops(Drop::bad_checksum), 1u);
  send(12, 0x86);
  EXPECT_EQ(counters(a()).to_kernel.get(), 1u) << "0x8600 is no protocol of ours";
  Bytes ipv6 = datagram(0).frame(a().lan_mac, a().host_mac);
  store_be16(&ipv6[12], 0x86dd);
  ASSERT_EQ(rte_ring_enqueue(a().lan.in, buffer_of(ipv6, packet_pool())), 0);
  step();
  EXPECT_EQ(a().drops(Drop::bad_length), 2u) << "IPv4 in a frame of IPv6";
  EXPECT_EQ(segments_sent(), 0u);
}

TEST_F(LanSide, BelievesAPortThatHasVerifiedAChecksum) {
  Bytes frame = datagram(0).frame(a().lan_mac, a().host_mac);
  frame[14 + 10] ^= 1;
  const auto send = [&](uint64_t flags) {
    rte_mbuf* packet = buffer_of(frame, packet_pool());
    packet->ol_flags |= flags;
    ASSERT_EQ(rte_ring_enqueue(a().lan.in, packet), 0);
    step();
  };
  send(RTE_MBUF_F_RX_IP_CKSUM_GOOD);
  EXPECT_EQ(a().drops(Drop::bad_checksum), 0u);
  for (const uint64_t flags :
       {uint64_t{RTE_MBUF_F_RX_IP_CKSUM_UNKNOWN}, uint64_t{RTE_MBUF_F_RX_IP_CKSUM_BAD},
        uint64_t{RTE_MBUF_F_RX_IP_CKSUM_NONE}})
    send(flags);
  EXPECT_EQ(a().drops(Drop::bad_checksum), 3u);
}

TEST_F(LanSide, CutsPaddingOffShortFrames) {
  const Bytes padded = datagram(0, 1).frame(a().lan_mac, a().host_mac) + Bytes(17, 0xee);
  ASSERT_EQ(rte_ring_enqueue(a().lan.in, buffer_of(padded, packet_pool())), 0);
  settle();
  EXPECT_EQ(b().hosts_received(), datagrams_two_hops_on(1, 1));
}

TEST_F(LanSide, FragmentsWhatIsTooBigForTheFarLanAndMayBeFragmented) {
  const auto big = [](uint8_t ttl) { return datagram(7, 1472).identification(4711).ttl(ttl).ip(); };
  PathTable narrow = b().paths();
  narrow.lan_mtu = 1000;
  b().plans.publish(std::make_unique<const PathTable>(narrow));
  a().host_sends(big(64));
  settle();
  const Bytes whole = big(62);
  const auto fragments = b().hosts_received();
  ASSERT_EQ(fragments.size(), 2u);
  Bytes data(whole.size() - 20, 0);
  size_t covered = 0;
  for (const Bytes& fragment : fragments) {
    EXPECT_LE(fragment.size(), 1000u);
    EXPECT_TRUE(checksum_is_right(std::span(fragment).first(20)));
    EXPECT_EQ(load_be16(&fragment[4]), 4711);
    EXPECT_EQ(fragment[8], 62);
    const uint16_t word = load_be16(&fragment[6]);
    const size_t offset = (word & 0x1fff) * 8u;
    ASSERT_LE(offset + fragment.size() - 20, data.size());
    EXPECT_EQ((word & 0x2000) == 0, offset + fragment.size() - 20 == data.size());
    std::copy(fragment.begin() + 20, fragment.end(),
              data.begin() + static_cast<std::ptrdiff_t>(offset));
    covered += fragment.size() - 20;
  }
  EXPECT_EQ(covered, data.size());
  EXPECT_TRUE(std::equal(data.begin(), data.end(), whole.begin() + 20));
}

TEST_F(LanSide, CarriesThePacketThatJustFitsWhole) {
  const auto just = datagram(1, kInnerMtu - 28).dont_fragment();
  a().host_sends(just.ip());
  settle();
  EXPECT_EQ(b().hosts_received(), std::vector<Bytes>{PacketBuilder(just).ttl(62).ip()});
}

TEST_F(LanSide, AsksForANeighbourItDoesNotKnowOnceASecondAndKeepsItsPacketsMeanwhile) {
  auto stranger = datagram(0).to("10.20.0.77");
  for (int n = 0; n < 5; ++n) a().host_sends(stranger.ip());
  run_for(50 * kMillisecond);
  EXPECT_EQ(b().worker->wanted_neighbour(), address_of(address("10.20.0.77")));
  EXPECT_EQ(b().worker->wanted_neighbour(), 0u);
  EXPECT_EQ(counters(b()).held.get(), 5u);
  run_for(kSecond);
  EXPECT_EQ(b().drops(Drop::no_neighbour), 5u) << "nobody answered for a second";

  a().host_sends(stranger.ip());
  run_for(50 * kMillisecond);
  EXPECT_EQ(b().worker->wanted_neighbour(), address_of(address("10.20.0.77")));
  auto resolved = std::make_unique<NeighbourTable>(
      std::vector<std::pair<uint32_t, Mac>>{{address("10.20.0.77"), b().host_mac}});
  resolved->on_link = b().neighbours().on_link;
  resolved->behind = b().neighbours().behind;
  b().plans.publish(std::move(resolved));
  run_for(50 * kMillisecond);
  EXPECT_EQ(b().hosts_received(), std::vector<Bytes>{stranger.ttl(62).ip()});
}

TEST_F(LanSide, AsksForTheRouterOfAHostThatIsNotOnTheLan) {
  auto table = std::make_unique<NeighbourTable>(b().neighbours());
  table->on_link = {address("10.20.0.0"), 0xffffff00};
  table->gateway = address("10.20.0.200");
  b().plans.publish(std::move(table));
  a().host_sends(datagram(0).to("10.20.9.9").ip());
  run_for(50 * kMillisecond);
  EXPECT_EQ(b().worker->wanted_neighbour(), address_of(address("10.20.0.200")));

  table = std::make_unique<NeighbourTable>(b().neighbours());
  table->on_link = {address("10.20.0.0"), 0xffffff00};
  b().plans.publish(std::move(table));
  a().host_sends(datagram(1).to("10.20.9.9").ip());  // no router: nobody to ask for
  run_for(50 * kMillisecond);
  a().host_sends(datagram(2).to("10.20.0.78").ip());
  run_for(50 * kMillisecond);
  EXPECT_EQ(b().worker->wanted_neighbour(), address_of(address("10.20.0.78")));
  settle();
  EXPECT_EQ(b().drops(Drop::no_neighbour), 3u);
}

TEST_F(LanSide, SendsEverythingToTheOneNextHopOfADevicePort) {
  auto table = std::make_unique<NeighbourTable>();
  table->behind = b().neighbours().behind;
  table->everything = b().host_mac;
  b().plans.publish(std::move(table));
  a().host_sends(datagram(0).to("10.20.200.200").ip());
  settle();
  EXPECT_EQ(b().hosts_received().size(), 1u);
}

TEST_F(LanSide, DropsAtTheFarEndWhatIsNotBehindIt) {
  auto table = std::make_unique<NeighbourTable>(b().neighbours());
  table->behind = {{address("10.20.0.0"), 0xffffff00}};
  b().plans.publish(std::move(table));
  a().host_sends(datagram(0).to("10.20.1.2").ip());
  a().host_sends(datagram(1).ip());
  settle();
  EXPECT_EQ(b().drops(Drop::not_for_lan), 1u);
  EXPECT_EQ(b().hosts_received().size(), 1u);
}

TEST_F(LanSide, CountsWhatTheLanPortDoesNotTake) {
  for (uint32_t n = 0; n < 1100; ++n) {
    a().host_sends(datagram(n, 10).ip());
    step();
  }
  run_for(100 * kMillisecond);
  const auto received = b().hosts_received();
  EXPECT_EQ(received.size(), 1023u) << "the ring is full";
  EXPECT_EQ(b().drops(Drop::lan_tx_full), 1100u - received.size());
}

// Takes all packet buffers but `spare`, for as long as it lives.
class Hoard {
 public:
  explicit Hoard(unsigned spare) {
    while (rte_mbuf* buffer = rte_pktmbuf_alloc(packet_pool())) buffers_.push_back(buffer);
    for (; spare > 0; --spare, buffers_.pop_back()) rte_pktmbuf_free(buffers_.back());
  }
  Hoard(const Hoard&) = delete;
  Hoard& operator=(const Hoard&) = delete;
  ~Hoard() {
    for (rte_mbuf* buffer : buffers_) rte_pktmbuf_free(buffer);
  }

 private:
  std::vector<rte_mbuf*> buffers_;
};

TEST_F(LanSide, LeavesNoHoleBehindPacketsThatFoundNoBuffer) {
  for (uint32_t n = 0; n < 3; ++n) a().host_sends(datagram(n).ip());
  {
    const Hoard hoard(0);
    a().worker->poll(now);
  }
  EXPECT_EQ(a().drops(Drop::no_buffer), 2u) << "the first one's own buffer served the next";
  settle();
  EXPECT_EQ(b().hosts_received(), std::vector<Bytes>{datagrams_two_hops_on(2)[1]});
  EXPECT_EQ(counters(b()).gaps.get(), 0u);
}

TEST_F(LanSide, NeedsNoBufferForAPacketThatIsNotKept) {
  repair_nothing();
  for (uint32_t n = 0; n < 3; ++n) a().host_sends(datagram(n).ip());
  {
    const Hoard hoard(0);
    a().worker->poll(now);
  }
  settle();
  EXPECT_EQ(a().drops(Drop::no_buffer), 0u);
  EXPECT_EQ(b().hosts_received(), datagrams_two_hops_on(3));
}

TEST_F(LanSide, SurvivesThatBuffersRunOutAtAnyPoint) {
  uint64_t no_buffer = 0;
  for (unsigned spare = 0; spare < 12; ++spare) {
    SCOPED_TRACE(testing::Message() << spare << " to spare");
    for (uint32_t n = 0; n < 3; ++n) a().host_sends(datagram(n).ip());
    a().host_sends(datagram(3, 1472).ip());   // goes as two fragments
    a().host_sends(datagram(4).ttl(1).ip());  // needs an ICMP error
    {
      const Hoard hoard(spare);
      a().worker->poll(now);
      EXPECT_TRUE(a().conserves());
    }
    settle();
    for (const Bytes& packet : b().hosts_received()) {
      EXPECT_TRUE(checksum_is_right(std::span(packet).first(20)));
    }
    EXPECT_EQ(a().drops(Drop::no_buffer) != no_buffer, spare < 6);
    no_buffer = a().drops(Drop::no_buffer);
  }
  EXPECT_EQ(counters(b()).gaps.get(), 0u);
}

class NarrowUplinks : public TwoGateways {
 protected:
  static constexpr uint64_t kRoom = 15;
  NarrowUplinks() : TwoGateways(kRoom + 1) {}
};

TEST_F(NarrowUplinks, CountWhatTheirPortsDoNotTakeAndMeterOnlyWhatTheyTook) {
  admit_both(only(1));
  for (uint32_t n = 0; n < 40; ++n) a().host_sends(datagram(n).ip());
  while (a().worker->poll(now) != 0) continue;
  EXPECT_EQ(a().drops(Drop::tx_full), 40 - kRoom);
  EXPECT_EQ(first_sends(1), kRoom);
  EXPECT_EQ(a().meter(kService, path_place(1), Direction::sent, Kind::first).octets.get(),
            kRoom * 1028);
  settle();
  EXPECT_EQ(b().hosts_received(), datagrams_two_hops_on(40)) << "the others were repaired";
}

}  // namespace
}  // namespace anabranch::dataplane
