// SPDX-License-Identifier: BSD-3-Clause
// Earliest delivery over paced paths: each packet goes where it arrives first, no link's own queue
// fills, and what waits does so in the gateway.
#include "tests/dataplane/two_gateways.h"

namespace anabranch::dataplane {
namespace {

constexpr std::array<uint64_t, kPathsMax> kRates{0, 10'000'000, 5'000'000, 2'000'000};
constexpr uint64_t kDelay[] = {0, 10 * kMillisecond, 30 * kMillisecond, 20 * kMillisecond};

class EarliestDelivery : public TwoGateways {
 protected:
  void SetUp() override {
    for (Gateway* gateway : {&a(), &b()}) {
      gateway->rate_bps = kRates;
      gateway->dispersion = Dispersion::earliest_delivery;
      gateway->plans.publish(std::make_unique<const PathTable>(gateway->paths()));
    }
    for (uint8_t path = 1; path <= kPaths; ++path) {
      for (Link* link : {&there(path), &back(path)}) {
        link->delay_ns = kDelay[path];
        link->rate_bps = kRates[path];
      }
    }
    TwoGateways::SetUp();
  }
  void TearDown() override {
    drain();
    TwoGateways::TearDown();
  }
  // Until nothing waits any more; whether a datagram arrived meanwhile.
  bool drain() {
    bool datagram_arrived = false;
    do {
      run_for(20 * kMillisecond);
      for (const Bytes& packet : b().hosts_received()) datagram_arrived |= packet[9] == 17;
    } while (counters(a()).held.get() + counters(b()).held.get() != 0);
    return datagram_arrived;
  }
  static PacketBuilder bulk(uint32_t number, uint16_t port = 5001) {
    return packet().tcp(port, 80).payload(1380, number);
  }
  static PacketBuilder small(uint32_t number) {
    return packet().udp(4000, 5000).payload(100, number);
  }
  // Offers bulk packets at a rate; returns how many.
  uint32_t offer(uint64_t bits_per_second, uint64_t for_ns) {
    uint32_t offered = 0;
    const uint64_t begin = now, gap = 1420 * 8 * kSecond / bits_per_second;
    while (now < begin + for_ns) {
      for (; offered * gap < now - begin; ++offered) a().host_sends(bulk(offered).ip());
      step();
      b().hosts_received();
    }
    return offered;
  }
  // How long the next packet of the host takes.
  uint64_t delay_of(const PacketBuilder& sent) {
    b().hosts_received();
    const uint64_t begin = now;
    a().host_sends(sent.ip());
    while (b().hosts_received().empty() && now < begin + kSecond) step();
    return now - begin;
  }
};

TEST_F(EarliestDelivery, SendsSmallPacketsTheFastestWay) {
  for (uint32_t n = 0; n < 100; ++n) {
    a().host_sends(small(n).ip());
    run_for(2 * kMillisecond);
  }
  EXPECT_EQ(first_sends(1), 100u);
}

TEST_F(EarliestDelivery, DelaysBulkEvenlyAndNothingElse) {
  for (uint32_t n = 0; n < 20; ++n) {
    EXPECT_NEAR(static_cast<double>(delay_of(bulk(n))), 30e6, 3e6) << n;
    EXPECT_NEAR(static_cast<double>(delay_of(small(n))), 10e6, 2e6) << n;
  }
}

TEST_F(EarliestDelivery, FillsEachLinkToItsRateAndNoLinksQueue) {
  offer(30'000'000, 2 * kSecond);
  for (uint8_t path = 1; path <= kPaths; ++path) {
    const uint64_t before = there(path).entered().octets;
    offer(30'000'000, 2 * kSecond);
    const double rate = static_cast<double>(there(path).entered().octets - before) * 8 / 2;
    EXPECT_NEAR(rate, static_cast<double>(kRates[path]), 0.01 * static_cast<double>(kRates[path]))
        << "path " << +path;
    EXPECT_EQ(there(path).lost().packets, 0u);
  }
}

TEST_F(EarliestDelivery, LetsSmallPacketsPassWhatWaits) {
  offer(30'000'000, kSecond);
  uint64_t worst = 0;
  for (uint32_t n = 0; n < 50; ++n) {
    const uint64_t begin = now;
    a().host_sends(small(n).ip());
    bool arrived = false;
    while (!arrived && now < begin + kSecond) {
      a().host_sends(bulk(n).ip());
      step();
      for (const Bytes& packet : b().hosts_received()) arrived = arrived || packet[9] == 17;
    }
    worst = std::max(worst, now - begin);
  }
  EXPECT_LT(worst, kDelay[1] + 10 * kMillisecond);
}

TEST_F(EarliestDelivery, DropsTheOldestOfWhoFillsTheQueues) {
  b().hosts_received();
  offer(200'000'000, 2 * kSecond);
  EXPECT_GT(a().drops(Drop::queue_full), 0u);
  EXPECT_GT(a().drops(Drop::codel), 0u);
  a().host_sends(small(1).ip());
  EXPECT_TRUE(drain());
}

TEST_F(EarliestDelivery, MarksWhatCanBeMarkedInsteadOfDroppingIt) {
  const auto ect = [](Bytes ip) {
    ip[1] |= 2;
    ip[10] = ip[11] = 0;
    store_be16(&ip[10], internet_checksum(std::span(ip).first(20)));
    return ip;
  };
  uint64_t marked = 0;
  for (uint32_t n = 0; n < 8000; ++n) {
    a().host_sends(ect(bulk(n).ip()));
    if (n % 2 == 0) step();
    for (const Bytes& packet : b().hosts_received()) marked += (packet[1] & 3) == 3;
  }
  EXPECT_GT(marked, 0u);
  EXPECT_EQ(a().drops(Drop::codel), 0u);
}

TEST_F(EarliestDelivery, UsesAPathNoMoreThatBecameTooSlow) {
  there(2).delay_ns = 300 * kMillisecond;
  run_for(30 * kSecond);
  const uint64_t before = first_sends(2);
  offer(30'000'000, kSecond);
  EXPECT_EQ(first_sends(2), before);
  EXPECT_NEAR(static_cast<double>(delay_of(small(1))), 10e6, 15e6);
}

}  // namespace
}  // namespace anabranch::dataplane
