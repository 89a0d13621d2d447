// SPDX-License-Identifier: BSD-3-Clause
// What is lost on the way is sent again, once, and comes out in its place.
#include "tests/dataplane/two_gateways.h"

namespace anabranch::dataplane {
namespace {

class Recovery : public TwoGateways {
 protected:
  // Packets of a kind that gateway a sent, or gateway b received, on all paths.
  uint64_t packets(Gateway& gateway, Direction direction, Kind kind) {
    uint64_t sum = 0;
    for (uint8_t path = 1; path <= kPaths; ++path)
      sum += gateway.meter(kService, path_place(path), direction, kind).packets.get();
    return sum;
  }
  void lose(double first, double second, double third) {
    there(1).loss = first;
    there(2).loss = second;
    there(3).loss = third;
  }
};

TEST_F(Recovery, DeliversEverythingInOrderOverLinksThatLose) {
  lose(0.01, 0.05, 0.2);
  send_datagrams(0, 1000);
  settle();
  EXPECT_EQ(b().hosts_received(), datagrams_two_hops_on(1000));
  EXPECT_EQ(counters(b()).gaps.get(), 0u);
  EXPECT_EQ(counters(a()).given_up.get(), 0u);
}

TEST_F(Recovery, SendsAgainWhatWasLostAndLittleElse) {
  lose(0.02, 0.02, 0.02);
  send_datagrams(0, 5000);
  settle();
  const uint64_t first = packets(a(), Direction::sent, Kind::first);
  const uint64_t repairs = packets(a(), Direction::sent, Kind::repair);
  EXPECT_EQ(first, 5000u);
  EXPECT_EQ(repairs, counters(a()).repaired.get());
  EXPECT_EQ(repairs - counters(a()).repaired_in_vain.get(),
            first + repairs - packets(b(), Direction::received, Kind::first) -
                packets(b(), Direction::received, Kind::repair));
  EXPECT_LT(counters(a()).repaired_in_vain.get(), 10u);
}

TEST_F(Recovery, NeedsNoAcknowledgementOfItsOwn) {
  for (uint8_t path = 1; path <= kPaths; ++path) back(path).loss = 0.3;
  lose(0.05, 0.05, 0.05);
  send_datagrams(0, 1000);
  settle();
  EXPECT_EQ(b().hosts_received(), datagrams_two_hops_on(1000));
}

TEST_F(Recovery, RepairsTheLastPacketThoughNothingFollowsIt) {
  admit_both(only(1));
  there(1).steal_next();
  send_datagrams(0, 1);
  settle();
  EXPECT_EQ(b().hosts_received(), datagrams_two_hops_on(1));
}

TEST_F(Recovery, GivesUpWhatNoPathCarriesAndTheRestGoesOn) {
  send_datagrams(0, 100);
  lose(1, 1, 1);
  send_datagrams(100, 104);
  run_for(5 * kMillisecond);
  lose(0, 0, 0);
  send_datagrams(104, 200);
  settle();
  EXPECT_EQ(b().hosts_received(), datagrams_two_hops_on(200));
}

}  // namespace
}  // namespace anabranch::dataplane
