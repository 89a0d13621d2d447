// SPDX-License-Identifier: BSD-3-Clause
// The ways of dispersion other than by shares, between two gateways.
#include <gmock/gmock.h>

#include "tests/dataplane/two_gateways.h"

namespace anabranch::dataplane {
namespace {

class Dispersing : public TwoGateways {
 protected:
  void disperse(Dispersion dispersion, Segmentation segmentation = Segmentation::packet) {
    for (Gateway* gateway : {&a(), &b()}) {
      gateway->dispersion = dispersion;
      gateway->recovery = dispersion != Dispersion::redundant;
    }
    admit_both(kShares, segmentation, segmentation == Segmentation::packet);
  }
  // Packets of the client on each path, first sendings and copies.
  std::array<uint64_t, kPaths> sent(Kind kind = Kind::first) {
    std::array<uint64_t, kPaths> packets{};
    for (uint8_t path = 1; path <= kPaths; ++path)
      packets[path - 1u] =
          a().meter(kService, path_place(path), Direction::sent, kind).packets.get();
    return packets;
  }
  void pace(const std::array<uint64_t, kPathsMax>& bits_per_second) {
    a().rate_bps = bits_per_second;
    a().plans.publish(std::make_unique<const PathTable>(a().paths()));
  }
};

TEST_F(Dispersing, RedundantlyLosesOnlyWhatBothPathsLose) {
  disperse(Dispersion::redundant);
  for (uint8_t path = 1; path <= kPaths; ++path) there(path).loss = 0.05;
  constexpr uint32_t kCount = 20000;
  size_t received = 0;
  for (uint32_t n = 0; n < kCount; n += 500) {
    send_datagrams(n, n + 500);
    received += b().hosts_received().size();
  }
  settle();
  received += b().hosts_received().size();
  EXPECT_GT(received, kCount * 0.99);
  EXPECT_LT(received, kCount) << "nothing is repaired";
  EXPECT_NEAR(static_cast<double>(kCount - received) / kCount, 0.0025, 0.0015);
  EXPECT_EQ(counters(a()).repaired.get(), 0u);
}

TEST_F(Dispersing, RedundantlyPassesOnTheFirstAndDropsTheSecond) {
  disperse(Dispersion::redundant);
  there(1).delay_ns = 5 * kMillisecond;
  there(2).delay_ns = there(3).delay_ns = 80 * kMillisecond;
  run_for(kSecond);
  send_datagrams(0, 100);
  run_for(6 * kMillisecond);
  EXPECT_EQ(b().hosts_received(), datagrams_two_hops_on(100)) << "no later than the first path";
  settle();
  EXPECT_TRUE(b().hosts_received().empty());
  EXPECT_EQ(b().drops(Drop::duplicate), 100u);
  EXPECT_THAT(sent(), testing::ElementsAre(100, 0, 0));
  EXPECT_EQ(sent(Kind::copy)[1] + sent(Kind::copy)[2], 100u) << "copies have a line of their own";
}

TEST_F(Dispersing, RedundantlyCopiesOverAnotherProviderFirst) {
  disperse(Dispersion::redundant);
  a().provider = {0, 1, 1, 2};
  admit_both(kShares);
  there(3).delay_ns = 80 * kMillisecond;
  run_for(kSecond);
  send_datagrams(0, 50);
  settle();
  EXPECT_EQ(b().hosts_received(), datagrams_two_hops_on(50));
  EXPECT_EQ(sent(Kind::copy)[2], 50u) << "slower, but it does not fail together with the first";
}

TEST_F(Dispersing, ByPriorityOverflowsOnlyWhenTheFirstIsBusy) {
  disperse(Dispersion::priority);
  a().order = {2, 3, 1};
  admit_both(kShares);
  pace({0, 100'000'000, 4'000'000, 100'000'000});
  for (uint32_t n = 0; n < 20; ++n) {
    send_datagrams(n, n + 1);
    run_for(5 * kMillisecond);
  }
  EXPECT_THAT(sent(), testing::ElementsAre(0, 20, 0)) << "1.7 Mbit/s fit";
  send_datagrams(20, 220);
  settle();
  EXPECT_EQ(b().hosts_received(), datagrams_two_hops_on(220)) << "in order";
  EXPECT_GT(sent()[2], 100u);
  EXPECT_EQ(sent()[0], 0u) << "the second had room";
}

TEST_F(Dispersing, OnStandbyTakesTheNextWhenTheFirstIsDead) {
  disperse(Dispersion::standby);
  a().order = {3, 1, 2};
  admit_both(kShares);
  send_datagrams(0, 100);
  EXPECT_THAT(sent(), testing::ElementsAre(0, 0, 100));
  there(3).dead = back(3).dead = true;
  run_for(kSecond);
  send_datagrams(100, 200);
  settle();
  EXPECT_EQ(b().hosts_received(), datagrams_two_hops_on(200));
  EXPECT_THAT(sent(), testing::ElementsAre(100, 0, 100));
}

TEST_F(Dispersing, ByFlowletMovesAFlowOnlyWhenItPauses) {
  disperse(Dispersion::flowlet, Segmentation::flow);
  there(1).delay_ns = 5 * kMillisecond;
  there(2).delay_ns = there(3).delay_ns = 40 * kMillisecond;
  run_for(kSecond);
  send_datagrams(0, 50);
  EXPECT_THAT(sent(), testing::ElementsAre(50, 0, 0));
  there(1).delay_ns = 90 * kMillisecond;
  // Measured meanwhile, and yet it stays.
  for (uint32_t n = 50; n < 150; ++n) {
    send_datagrams(n, n + 1);
    run_for(20 * kMillisecond);
  }
  EXPECT_THAT(sent(), testing::ElementsAre(150, 0, 0));
  run_for(200 * kMillisecond);
  send_datagrams(150, 200);
  EXPECT_EQ(sent()[0], 150u);
  settle();
  EXPECT_EQ(b().hosts_received(), datagrams_two_hops_on(200)) << "nothing overtook";
}

TEST_F(Dispersing, ByFlowletLeavesADeadPathAtOnce) {
  disperse(Dispersion::flowlet, Segmentation::flow);
  there(1).delay_ns = 5 * kMillisecond;
  run_for(kSecond);
  send_datagrams(0, 10);
  run_for(kSecond / 10);
  there(1).dead = back(1).dead = true;
  run_for(kSecond / 2);
  send_datagrams(10, 20);
  settle();
  EXPECT_EQ(b().hosts_received(), datagrams_two_hops_on(20));
}

}  // namespace
}  // namespace anabranch::dataplane
