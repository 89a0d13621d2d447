// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/resequence.h"

#include <gtest/gtest.h>

#include <numeric>

namespace anabranch::dataplane {
namespace {

constexpr uint64_t kWait = 100;

// A lane whose items are their own numbers.
class ResequencerTest : public ::testing::Test {
 protected:
  Arrival receive(Lane& lane, uint32_t sn, uint64_t now = 0) {
    return resequencer.receive(lane, sn, sn, now, kWait, [this](uint32_t n) { out.push_back(n); });
  }
  void expire(uint64_t now) {
    resequencer.expire(now, [this](uint32_t n) { out.push_back(n); });
  }
  std::vector<uint32_t> range(uint32_t from, uint32_t to) {
    std::vector<uint32_t> numbers(to - from);
    std::iota(numbers.begin(), numbers.end(), from);
    return numbers;
  }

  Resequencer<uint32_t> resequencer;
  std::vector<uint32_t> out;
};

TEST_F(ResequencerTest, PassesWhatIsInOrderAtOnce) {
  Lane lane;
  for (uint32_t n = 0; n < 1000; ++n) EXPECT_EQ(receive(lane, n), Arrival::passed);
  EXPECT_EQ(out, range(0, 1000));
  EXPECT_EQ(resequencer.held(), 0u);
}

TEST_F(ResequencerTest, HoldsWhatIsAheadUntilTheHoleIsFilled) {
  Lane lane;
  EXPECT_EQ(receive(lane, 2), Arrival::held);
  EXPECT_EQ(receive(lane, 1), Arrival::held);
  EXPECT_TRUE(out.empty());
  EXPECT_EQ(resequencer.held(), 2u);
  EXPECT_EQ(receive(lane, 0), Arrival::passed);
  EXPECT_EQ(out, range(0, 3));
  EXPECT_EQ(resequencer.held(), 0u);
}

TEST_F(ResequencerTest, GivesAHoleUpAtItsDeadlineAndNotBefore) {
  Lane lane;
  receive(lane, 1, 1000);
  receive(lane, 3, 1050);
  expire(1000 + kWait - 1);
  EXPECT_TRUE(out.empty());
  expire(1000 + kWait);
  EXPECT_EQ(out, (std::vector<uint32_t>{1})) << "the second hole has a deadline of its own";
  expire(1050 + kWait);
  EXPECT_EQ(out, (std::vector<uint32_t>{1, 3}));
  EXPECT_EQ(resequencer.gaps(), 2u);
  EXPECT_EQ(resequencer.forced(), 0u);
}

TEST_F(ResequencerTest, GivesAHoleUpWhenTheClockWraps) {
  Lane lane;
  receive(lane, 1, UINT64_MAX - 10);
  expire(UINT64_MAX);
  EXPECT_TRUE(out.empty());
  expire(kWait - 11);
  EXPECT_EQ(out, (std::vector<uint32_t>{1}));
}

TEST_F(ResequencerTest, DeliversOnceWhatComesAfterItsHoleWasGivenUp) {
  Lane lane;
  receive(lane, 2, 0);
  expire(kWait);
  EXPECT_EQ(receive(lane, 1), Arrival::late);
  EXPECT_EQ(receive(lane, 1), Arrival::duplicate);
  EXPECT_EQ(receive(lane, 0), Arrival::late);
  EXPECT_EQ(receive(lane, 2), Arrival::duplicate) << "delivered in its turn";
  EXPECT_EQ(out, (std::vector<uint32_t>{2, 1, 0}));
}

TEST_F(ResequencerTest, RemembersTheLastNumbersThatWereGivenUp) {
  Lane lane;
  receive(lane, 100, 0);
  expire(kWait);
  EXPECT_EQ(receive(lane, 99 - Lane::kMissing), Arrival::duplicate) << "the one before them";
  // Two holes more push out the oldest two: 101 and 102 for 87 and 88. One that comes late makes
  // room for 104, and 106 must then push out 89, not a newer one.
  receive(lane, 103, 0);
  expire(kWait);
  EXPECT_EQ(receive(lane, 92), Arrival::late);
  receive(lane, 105, 0);
  receive(lane, 107, 0);
  expire(kWait);
  static_assert(Lane::kMissing == 13);
  for (const uint32_t forgotten : {87u, 88u, 89u}) {
    EXPECT_EQ(receive(lane, forgotten), Arrival::duplicate) << forgotten;
  }
  for (const uint32_t known :
       {90u, 91u, 93u, 94u, 95u, 96u, 97u, 98u, 99u, 101u, 102u, 104u, 106u}) {
    EXPECT_EQ(receive(lane, known), Arrival::late) << known;
  }
}

TEST_F(ResequencerTest, RefusesASecondCopyOfWhatWaits) {
  Lane lane;
  receive(lane, 1);
  EXPECT_EQ(receive(lane, 1), Arrival::duplicate);
  EXPECT_EQ(resequencer.held(), 1u);
  receive(lane, 0);
  EXPECT_EQ(receive(lane, 1), Arrival::duplicate);
  EXPECT_EQ(out, range(0, 2));
}

TEST_F(ResequencerTest, CarriesOnWhenNumbersWrap) {
  Lane lane{.next = UINT32_MAX - 1};
  for (const uint32_t n : {0u, UINT32_MAX, 2u, UINT32_MAX - 1, 1u}) receive(lane, n);
  EXPECT_EQ(out, (std::vector<uint32_t>{UINT32_MAX - 1, UINT32_MAX, 0, 1, 2}));
  EXPECT_EQ(receive(lane, UINT32_MAX), Arrival::duplicate);
}

TEST_F(ResequencerTest, GivesUpTheOldestHoleWhenItsWindowOverflows) {
  Lane lane;
  EXPECT_EQ(receive(lane, kWindowSize - 1), Arrival::held) << "the last that fits";
  EXPECT_EQ(receive(lane, 1), Arrival::held);
  EXPECT_EQ(receive(lane, kWindowSize), Arrival::held);
  EXPECT_EQ(out, (std::vector<uint32_t>{1}));
  EXPECT_EQ(resequencer.forced(), 1u);
  EXPECT_EQ(receive(lane, 10 * kWindowSize), Arrival::passed) << "nothing is worth waiting for";
  EXPECT_EQ(out, (std::vector<uint32_t>{1, kWindowSize - 1, kWindowSize, 10 * kWindowSize}));
  EXPECT_EQ(resequencer.held(), 0u);
  EXPECT_EQ(receive(lane, 10 * kWindowSize + 1), Arrival::passed);
}

TEST_F(ResequencerTest, PassesWhatFollowsARunThatFillsTheWindow) {
  Lane lane;
  for (uint32_t n = 1; n < kWindowSize; ++n) ASSERT_EQ(receive(lane, n), Arrival::held);
  EXPECT_EQ(receive(lane, kWindowSize), Arrival::passed);
  EXPECT_EQ(out, range(1, kWindowSize + 1));
}

TEST_F(ResequencerTest, PassesThroughWhenAllWindowsAreTakenAndHoldsAgainWhenOneIsFree) {
  std::vector<Lane> lanes(kWindows + 1);
  for (uint16_t i = 0; i < kWindows; ++i) EXPECT_EQ(receive(lanes[i], 1), Arrival::held);
  Lane& poor = lanes[kWindows];
  EXPECT_EQ(receive(poor, 1), Arrival::passed);
  EXPECT_EQ(resequencer.forced(), 1u);
  EXPECT_EQ(receive(poor, 0), Arrival::late);
  receive(lanes[0], 0);
  EXPECT_EQ(receive(poor, 3), Arrival::held);
}

TEST_F(ResequencerTest, ExpiresEveryLaneWhoseTimeIsOverInOneGo) {
  std::vector<Lane> lanes(kWindows);
  for (uint16_t i = 0; i < kWindows; ++i) receive(lanes[i], i + 1u, i % 2);
  expire(kWait);
  EXPECT_EQ(resequencer.held(), kWindows / 2u);
  expire(kWait + 1);
  EXPECT_EQ(resequencer.held(), 0u);
  EXPECT_EQ(out.size(), kWindows);
}

TEST_F(ResequencerTest, FlushesALaneInOrder) {
  Lane lane, other;
  for (const uint32_t n : {9u, 5u, 7u}) receive(lane, n);
  receive(other, 1);
  resequencer.flush(lane, [this](uint32_t n) { out.push_back(n); });
  EXPECT_EQ(out, (std::vector<uint32_t>{5, 7, 9}));
  EXPECT_EQ(resequencer.held(), 1u) << "the other lane still waits";
}

TEST_F(ResequencerTest, FlushesTheLaneThatWaitedLongest) {
  Lane young, old;
  receive(young, 1, 20);
  receive(old, 2, 10);
  resequencer.flush_oldest([this](uint32_t n) { out.push_back(n); });
  EXPECT_EQ(out, (std::vector<uint32_t>{2}));
  resequencer.flush_oldest([this](uint32_t n) { out.push_back(n); });
  resequencer.flush_oldest([this](uint32_t n) { out.push_back(n); });
  EXPECT_EQ(out, (std::vector<uint32_t>{2, 1}));
}

}  // namespace
}  // namespace anabranch::dataplane
