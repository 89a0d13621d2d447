// SPDX-License-Identifier: BSD-3-Clause
#include "control/kernel/witness.h"

#include "tests/control/kernel/namespace.h"

namespace anabranch::control {
namespace {

constexpr size_t kIpUdp = 28;

class KernelsWitness : public TwoNamespaces {
 protected:
  void SetUp() override { sh("ip link add lan type veth peer name client; ip link set lan up"); }
  Witness open(uint16_t port = kPort) {
    auto witness = Witness::open("site-a", port, {"here"}, "lan");
    EXPECT_TRUE(witness) << witness.error();
    return std::move(*witness);
  }
  WitnessCount read(Witness& witness) {
    const auto counts = witness.read();
    EXPECT_TRUE(counts) << counts.error();
    EXPECT_EQ(counts->size(), 1u);
    return counts->front();
  }
};

TEST_F(KernelsWitness, CountsIpOctetsOfTheSegmentsPortEachWayAndNothingElse) {
  Witness witness = open();
  EXPECT_FALSE(witness.reused());
  for (size_t payload : {0, 100, 1400}) send_datagram(payload);
  for (int n = 0; n < 5; ++n) neighbour_sends_datagram(1000);
  sh("ping -c 2 -i 0.1 10.1.1.2");
  const WitnessCount count = read(witness);
  EXPECT_EQ(count.sent_packets, 3u);
  EXPECT_EQ(count.sent_octets, 3 * kIpUdp + 1500);
  EXPECT_EQ(count.received_packets, 5u);
  EXPECT_EQ(count.received_octets, 5 * (kIpUdp + 1000));
}

TEST_F(KernelsWitness, KeepsTheKernelFromAnsweringWhatIsOurs) {
  Witness witness = open();
  for (int n = 0; n < 5; ++n) neighbour_sends_datagram(10);
  EXPECT_EQ(read(witness).received_packets, 5u);
  EXPECT_NE(sh("nstat -asz IcmpOutDestUnreachs").find("IcmpOutDestUnreachs             0"),
            std::string::npos);
}

TEST_F(KernelsWitness, KeepsTheKernelFromAnsweringTheLansPacketsForOthers) {
  sh("ip address add 2001:db8::1/64 dev here nodad");
  auto witness = Witness::open("site-a", kPort, {"lan"}, "here");
  ASSERT_TRUE(witness) << witness.error();
  in_neighbours_namespace(
      "ip address add 2001:db8::2/64 dev there nodad; ip route add 2001:db8:9::/48 via "
      "2001:db8::1; "
      "ip route add 192.0.2.0/24 via 10.1.1.1; ping -c 1 -W 2 10.1.1.1; ping -c 1 -W 2 "
      "2001:db8::1; "
      "ping -c 1 -W 1 192.0.2.1 || ping -c 1 -W 1 2001:db8:9::1 || true");
  EXPECT_NE(sh("nstat -asz Icmp6OutDestUnreachs").find("Icmp6OutDestUnreachs            0"),
            std::string::npos);
  EXPECT_NE(sh("nstat -asz IcmpOutDestUnreachs").find("IcmpOutDestUnreachs             0"),
            std::string::npos);
}

TEST_F(KernelsWitness, OutlivesItsProcessAndGoesOnCounting) {
  {
    Witness witness = open();
    neighbour_sends_datagram(100);
  }
  neighbour_sends_datagram(100);
  Witness again = open();
  EXPECT_TRUE(again.reused());
  EXPECT_EQ(read(again).received_packets, 2u);
}

TEST_F(KernelsWitness, BeginsAfreshWhenItIsToWatchSomethingElse) {
  { Witness witness = open(); }
  neighbour_sends_datagram(100);
  Witness other = open(kPort + 1);
  EXPECT_FALSE(other.reused());
  EXPECT_EQ(read(other).received_packets, 0u);
}

}  // namespace
}  // namespace anabranch::control
