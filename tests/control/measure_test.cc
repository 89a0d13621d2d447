// SPDX-License-Identifier: BSD-3-Clause
#include "control/measure.h"

#include <gtest/gtest.h>

namespace anabranch::control {
namespace {

// A path whose telemetry is read once a second.
class Measured : public ::testing::Test {
 protected:
  PathSample now{.alive = true, .rtt_ms = 20, .rtt_variation_ms = 1, .rtt_min_ms = 20};
  PathMeter meter;

  PathState state() const {
    PathState state;
    meter.write(now, state);
    return state;
  }
  // A second in which so many packets were sent each way, and a share of them lost.
  void second(uint64_t sent, double lost_down = 0, double lost_up = 0) {
    const auto arrived = [&](double lost) {
      return sent - static_cast<uint64_t>(static_cast<double>(sent) * lost);
    };
    now.expected += sent;
    now.received += arrived(lost_down);
    now.peer_expected += sent;
    now.peer_received += arrived(lost_up);
    meter.update(now);
  }
  void seconds(int count, uint64_t sent, double lost_down = 0, double lost_up = 0) {
    for (int i = 0; i < count; ++i) second(sent, lost_down, lost_up);
  }
};

TEST_F(Measured, LossComesToWhatIsLostInEachDirection) {
  seconds(60, 1000, 0.02, 0.05);
  EXPECT_NEAR(state().loss_down, 0.02, 1e-4);
  EXPECT_NEAR(state().loss_up, 0.05, 1e-4);
  seconds(60, 1000);
  EXPECT_LT(state().loss_down, 1e-6);
}

TEST_F(Measured, AFewPacketsSayNothingUntilThereAreEnough) {
  second(100);
  seconds(3, 5, 1);
  EXPECT_EQ(state().loss_down, 0);
  second(5, 1);
  EXPECT_GT(state().loss_down, 0.1);
}

TEST_F(Measured, WhatTookLongToGatherCountsForAsLong) {
  seconds(60, 1000, 0.15);
  ASSERT_NEAR(state().loss_down, 0.15, 0.001);
  EXPECT_TRUE(meter.is_doubted());
  // Beats alone: twenty packets in ten seconds.
  seconds(20, 2);
  EXPECT_LT(state().loss_down, 0.15 * 0.02);
  seconds(10, 2);
  EXPECT_FALSE(meter.is_doubted());
}

TEST_F(Measured, ALinkThatLosesNoMoreIsTrustedWithinSecondsWhileItIsMeasured) {
  seconds(60, 1000, 0.15, 0.15);
  // As a gateway beats on a path that is doubted.
  seconds(15, 20);
  EXPECT_LT(state().loss_down, 0.01);
  EXPECT_LT(state().loss_up, 0.01);
}

TEST_F(Measured, AnOutageIsAvailabilityAndNoLoss) {
  seconds(60, 100);
  now.alive = false;
  seconds(20, 0);
  EXPECT_LT(state().availability, 0.8);
  now.alive = true;
  second(500, 0.98, 0.98);  // the packet numbers of what was sent into the void
  seconds(5, 100);
  EXPECT_EQ(state().loss_down, 0);
  EXPECT_EQ(state().loss_up, 0);
  seconds(300, 100);
  EXPECT_GT(state().availability, 0.99);
}

TEST_F(Measured, WhatAStandingQueueDropsIsNotTheLinks) {
  seconds(60, 1000);
  now.rtt_ms = 120;
  seconds(10, 10'000, 0.01, 0.01);
  EXPECT_EQ(state().loss_up, 0);
  // The least of the last ten seconds has risen with the queue by now; what is remembered has not.
  now.rtt_min_ms = 90;
  seconds(30, 10'000, 0.01, 0.01);
  EXPECT_EQ(state().loss_up, 0);
  now.rtt_ms = now.rtt_min_ms = 20;
  seconds(60, 1000, 0.01, 0.01);
  EXPECT_NEAR(state().loss_up, 0.01, 1e-4) << "without a queue it is";
}

TEST_F(Measured, APathThatHasBecomeLongerIsNotTakenForFullForGood) {
  seconds(60, 1000);
  now.rtt_ms = now.rtt_min_ms = 80;  // another route
  seconds(3600, 1000, 0.01);
  EXPECT_NEAR(state().loss_down, 0.01, 1e-4);
}

TEST_F(Measured, ANewSessionStartsCountsAfreshAndIsNoLoss) {
  seconds(10, 1000);
  now.expected = now.received = now.peer_expected = now.peer_received = 0;
  seconds(10, 1000);
  EXPECT_EQ(state().loss_down, 0);
  EXPECT_EQ(state().loss_up, 0);
}

TEST_F(Measured, APathIsProbedBeforeItIsCalledUp) {
  seconds(3, 100);
  EXPECT_EQ(state().condition, Condition::probing);
  second(100);
  EXPECT_EQ(state().condition, Condition::up);
  now.alive = false;
  second(0);
  EXPECT_EQ(state().condition, Condition::dead);
  now.alive = true;
  second(100);
  EXPECT_EQ(state().condition, Condition::probing);
}

TEST_F(Measured, APathStaysLossyUntilItClearlyIsNot) {
  seconds(60, 1000, 0.04);
  EXPECT_EQ(state().condition, Condition::lossy);
  seconds(60, 1000, 0.02);
  EXPECT_EQ(state().condition, Condition::lossy) << "it was, and 2 % are not few";
  seconds(60, 1000, 0.005);
  EXPECT_EQ(state().condition, Condition::up);
  seconds(60, 1000, 0.02);
  EXPECT_EQ(state().condition, Condition::up) << "it was, and 2 % are not many";
}

TEST_F(Measured, APathIsSlowWhileSomebodyFillsIt) {
  seconds(10, 100);
  now.rtt_ms = 50;
  second(100);
  EXPECT_EQ(state().condition, Condition::slow);
  now.rtt_ms = 35;
  second(100);
  EXPECT_EQ(state().condition, Condition::up) << "no more than 20 ms above its least";
}

TEST_F(Measured, APathIsSuspectedAsSoonAsTheWorkerSuspectsIt) {
  seconds(10, 100);
  now.suspected = true;
  second(100);
  EXPECT_EQ(state().condition, Condition::suspected);
  now.suspected = false;
  second(100);
  EXPECT_EQ(state().condition, Condition::up);
}

}  // namespace
}  // namespace anabranch::control
