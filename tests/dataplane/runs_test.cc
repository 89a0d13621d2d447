// SPDX-License-Identifier: BSD-3-Clause
#include <gtest/gtest.h>

#include <bitset>
#include <random>

#include "dataplane/reassemble.h"

namespace anabranch::dataplane {
namespace {

TEST(Runs, KnowWhatHasComeWhateverTheOrderAndOverlap) {
  constexpr uint16_t kOctets = 200;
  std::mt19937 random(1);
  for (int round = 0; round < 5000; ++round) {
    Runs runs;
    std::bitset<kOctets> come;
    for (int piece = 0; piece < 40 && !runs.is_all(kOctets); ++piece) {
      const auto from = static_cast<uint16_t>(random() % kOctets);
      const auto to = static_cast<uint16_t>(from + 1 + random() % (kOctets - from));
      auto with = come;
      for (uint16_t i = from; i < to; ++i) with.set(i);
      ASSERT_EQ(runs.add(from, to), with != come) << "round " << round;
      come = with;
      ASSERT_EQ(runs.is_all(kOctets), come.all());
    }
  }
}

TEST(Runs, RefuseWhatTheyHaveNoRoomToRemember) {
  Runs runs;
  for (uint16_t i = 0; i < Runs::kMax; ++i)
    EXPECT_TRUE(runs.add(static_cast<uint16_t>(10 * i), static_cast<uint16_t>(10 * i + 1)));
  EXPECT_FALSE(runs.add(1000, 1001));
  EXPECT_TRUE(runs.add(1, 10)) << "joins two";
  EXPECT_TRUE(runs.add(1000, 1001));
  EXPECT_EQ(runs.end(), 1001);
}

}  // namespace
}  // namespace anabranch::dataplane
