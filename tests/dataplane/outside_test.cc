// SPDX-License-Identifier: BSD-3-Clause
// What is outside of a segment: IPv4 or IPv6 between the gateways, with a VLAN's tag or without,
// and a LAN that has tags. Path 1 is IPv4, path 2 IPv6, path 3 IPv6 with a tag.
#include "dataplane/eal.h"
#include "dataplane/parse.h"
#include "tests/dataplane/two_gateways.h"

namespace anabranch::dataplane {
namespace {

constexpr uint16_t kVlan = 7, kLanVlan = 42;

class Outside : public TwoGateways {
 protected:
  void SetUp() override {
    for (Gateway* gateway : {&a(), &b()}) {
      gateway->ipv6 = {false, false, true, true};
      gateway->vlan[3] = kVlan;
      gateway->lan_vlan = kLanVlan;
      gateway->plans.publish(std::make_unique<const PathTable>(gateway->paths()));
    }
    TwoGateways::SetUp();
  }
  // As a would send it.
  Bytes frame_of_path(uint8_t path, const Bytes& segment) {
    return frame_on(a().paths().paths[path], segment);
  }
  void poll_b() {
    while (b().worker->poll(now) != 0) continue;
  }
};

TEST_F(Outside, OfTwoFamiliesCarriesAFlowInOrderOverBoth) {
  send_datagrams(0, 400);
  settle();
  EXPECT_EQ(b().hosts_received(), datagrams_two_hops_on(400));
  for (uint8_t path = 1; path <= kPaths; ++path) EXPECT_GT(first_sends(path), 20u) << +path;
}

TEST_F(Outside, CostsTwentyOctetsMoreOfIpv6) {
  send_datagrams(0, 400);
  settle();
  b().hosts_received();
  for (const auto& [path, overhead] : {std::pair<uint8_t, uint64_t>{1, 66}, {2, 86}, {3, 86}}) {
    EXPECT_EQ(a().meter(kService, path_place(path), Direction::sent, Kind::overhead).octets.get(),
              first_sends(path) * overhead);
  }
}

TEST_F(Outside, OfIpv6HasAChecksumThatIsRight) {
  std::vector<Bytes> seen;
  there(2).recording = &seen;
  send_datagrams(0, 50);
  settle();
  b().hosts_received();
  there(2).recording = nullptr;
  ASSERT_GT(seen.size(), 10u);
  for (const Bytes& frame : seen) {
    const auto ip = std::span(frame).subspan(ip_in(frame.data()));
    const uint32_t rest = static_cast<uint32_t>(ip.size() - kIpv6Header) + 17;
    EXPECT_EQ(internet_checksum(ip.subspan(kSource6), rest), 0);
  }
}

// RFC 6040: what the network marks outside is told inside.
TEST_F(Outside, OfIpv6TellsOfCongestion) {
  admit_both(only(2));
  there(2).marks = true;
  for (uint32_t n = 0; n < 20; ++n) {
    a().host_sends(datagram(n).ecn(2).ip());
    step();
  }
  settle();
  const auto received = b().hosts_received();
  ASSERT_EQ(received.size(), 20u);
  for (const Bytes& ip : received) EXPECT_EQ(ecn_in(ip.data()), 3);
}

TEST_F(Outside, WithinTheLeastMtuOfIpv6CarriesLargePacketsInParts) {
  for (Gateway* gateway : {&a(), &b()}) gateway->mtu[2] = gateway->mtu[3] = 1280;
  publish_paths();
  there(2).mtu = there(3).mtu = 1280;
  send_datagrams(0, 100, 1);
  settle();
  EXPECT_EQ(b().hosts_received(), datagrams_two_hops_on(100));
  EXPECT_EQ(there(2).lost().packets + there(3).lost().packets, 0u);
}

TEST_F(Outside, FollowsAPeerOfIpv6ThatMoved) {
  const Uint128 elsewhere = address6("2001:db8:9::1");
  there(2).translate = [elsewhere](uint8_t* frame) {
    store_be128(frame + ip_in(frame) + kSource6, elsewhere);
    return true;
  };
  back(2).translate = [this, elsewhere](uint8_t* frame) {
    uint8_t* destination = frame + ip_in(frame) + kDestination6;
    if (load_be128(destination) != elsewhere) return false;
    store_be128(destination, a().address6_on(2));
    return true;
  };
  run_for(500 * kMillisecond);
  ASSERT_EQ(b().worker->telemetry(2).remote.get(), (Endpoint{elsewhere, 9188}));
}

// Our own address on the path, and who is next, are of the other family.
TEST_F(Outside, DoesNotFollowToTheOtherFamily) {
  std::vector<Bytes> seen;
  there(2).recording = &seen;
  there(2).loss = 1;
  run_for(100 * kMillisecond);
  there(2).recording = nullptr;
  there(2).loss = 0;
  ASSERT_FALSE(seen.empty());
  Path other = a().paths().paths[2];
  other.local = address_of(address("203.0.113.9"));
  other.remote = {address_of(b().address_on(2)), 9188};
  make_header(other, {}, {}, 9188);
  const uint64_t made = counters(b()).made.get();
  const auto& newest = seen.back();
  const Bytes segment(newest.begin() + static_cast<std::ptrdiff_t>(segment_in(newest.data())),
                      newest.end());
  there(2).inject(frame_on(other, segment));
  poll_b();
  EXPECT_EQ(b().drops(Drop::bad_tag), 0u) << "it is authentic, and booked";
  EXPECT_EQ(counters(b()).made.get(), made + b().worker->each().size() - 1)
      << "no challenge; beats are told to other workers";
}

TEST_F(Outside, OfAnotherVlanOrNoneIsDroppedByName) {
  const Bytes noise(200, 1);
  const uint64_t metered = b().metered(uplink_place(2), Direction::received);
  Bytes frame = frame_of_path(3, noise);
  frame[15] ^= 1;
  rte_ring_enqueue(b().uplinks[2]->in, buffer_of(frame, packet_pool()));
  frame.erase(frame.begin() + 12, frame.begin() + 16);
  rte_ring_enqueue(b().uplinks[2]->in, buffer_of(frame, packet_pool()));
  const Bytes untagged = frame_of(datagram(0).ip(), b().lan_mac, b().host_mac);
  rte_ring_enqueue(b().lan.in, buffer_of(untagged, packet_pool()));
  poll_b();
  EXPECT_EQ(b().drops(Drop::wrong_vlan), 3u);
  EXPECT_EQ(b().metered(uplink_place(2), Direction::received), metered);
}

TEST_F(Outside, OfTheVlanWhateverItsPriorityIsTaken) {
  Bytes frame = frame_of_path(3, Bytes(200, 1));
  frame[14] |= 0xe0;  // IEEE 802.1Q: three bits of priority before the VLAN
  there(3).inject(frame);
  poll_b();
  EXPECT_EQ(b().drops(Drop::wrong_vlan), 0u);
  EXPECT_EQ(b().drops(Drop::bad_segment), 1u);
}

// Destination options before UDP are still UDP to our port, and the provider charges for it.
TEST_F(Outside, WithExtensionHeadersIsOpenedOrRefusedAndBooked) {
  Bytes frame = frame_of_path(2, Bytes(200, 1));
  const uint8_t options[] = {17, 0, 1, 4, 0, 0, 0, 0};
  frame.insert(frame.begin() + kEthernetHeader + kIpv6Header, std::begin(options),
               std::end(options));
  frame[kEthernetHeader + 6] = 60;
  store_be16(&frame[kEthernetHeader + 4],
             static_cast<uint16_t>(frame.size() - kEthernetHeader - kIpv6Header));
  there(2).inject(frame);
  poll_b();
  EXPECT_EQ(b().drops(Drop::bad_segment), 1u);
}

// Hosts with large frames, paths with usual ones.
class Jumbo : public TwoGateways {
 protected:
  static constexpr uint16_t kMtu = 9000;
  static rte_mempool* large_buffers() {
    static rte_mempool* const pool = create_pool(8191, "jumbo", kMtu).value();
    return pool;
  }
  Jumbo() : TwoGateways(1024, 0, 0, {.packet_max = kMtu}, large_buffers()) {
    for (Gateway* gateway : {&a(), &b()}) gateway->lan_mtu = kMtu;
  }
  void SetUp() override {
    publish_paths();
    TwoGateways::SetUp();
  }
};

TEST_F(Jumbo, PacketsCrossUsualPathsInPartsAndComeOutWhole) {
  send_datagrams(0, 60, 1, 8900);
  settle();
  EXPECT_EQ(b().hosts_received(), datagrams_two_hops_on(60, 8900));
  EXPECT_GT(there(1).entered().packets, 60u);
}

TEST_F(Jumbo, PacketsCrossPathsOfTheLeastMtuToo) {
  for (Gateway* gateway : {&a(), &b()}) gateway->mtu.fill(kMtuMin);
  publish_paths();
  for (uint8_t path = 1; path <= kPaths; ++path) there(path).mtu = kMtuMin;
  send_datagrams(0, 20, 1, 8900);
  settle();
  EXPECT_EQ(b().hosts_received(), datagrams_two_hops_on(20, 8900));
}

TEST_F(Jumbo, PathsTakeThemWhole) {
  for (Gateway* gateway : {&a(), &b()}) gateway->mtu.fill(kMtu);
  publish_paths();
  for (uint8_t path = 1; path <= kPaths; ++path) there(path).mtu = kMtu;
  const uint64_t before = first_sends(1) + first_sends(2) + first_sends(3);
  send_datagrams(0, 60, 1, 8900);
  settle();
  EXPECT_EQ(b().hosts_received(), datagrams_two_hops_on(60, 8900));
  EXPECT_EQ(first_sends(1) + first_sends(2) + first_sends(3) - before, 60u);
}

}  // namespace
}  // namespace anabranch::dataplane
