// SPDX-License-Identifier: BSD-3-Clause
#include "control/probation.h"

#include <gtest/gtest.h>

#include <initializer_list>

namespace anabranch::control {
namespace {

// A link that is there and away by turns, looked at every 5 ms as a gateway does.
struct FlappingLink {
  static constexpr int64_t kLookMs = 5;
  Probation probation;
  int64_t now_ms = 1'000'000;
  bool relied_on = false;
  int taken_back = 0;

  void pass(bool alive, int64_t ms) {
    for (const int64_t until_ms = now_ms + ms; now_ms < until_ms; now_ms += kLookMs) {
      probation.look(alive, now_ms);
      const bool relies = alive && probation.held_back_s(now_ms) == 0;
      if (relies && !relied_on) ++taken_back;
      relied_on = relies;
    }
  }
};

TEST(Probation, WhatWasNeverAwayIsReliedOnAtOnce) {
  FlappingLink link;
  link.pass(false, 60'000);
  EXPECT_EQ(link.probation.held_back_s(link.now_ms), 0u);
  link.pass(true, 5);
  EXPECT_TRUE(link.relied_on);
}

TEST(Probation, IsTwiceAsLongWithEachOutageButBounded) {
  FlappingLink link;
  link.pass(true, 1'000);
  for (const uint32_t seconds : {2u, 4u, 8u, 16u, 32u, 60u, 60u}) {
    link.pass(false, 500);
    link.pass(true, 5);
    EXPECT_EQ(link.probation.held_back_s(link.now_ms), seconds);
    link.pass(true, 1000 * seconds - 10);
    EXPECT_FALSE(link.relied_on);
    link.pass(true, 10);
    EXPECT_TRUE(link.relied_on);
  }
}

TEST(Probation, OutagesAreForgottenWhileThereAreNone) {
  FlappingLink link;
  link.pass(true, 1'000);
  for (int i = 0; i < 3; ++i) {
    link.pass(false, 500);
    link.pass(true, 500);
  }
  EXPECT_EQ(link.probation.held_back_s(link.now_ms), 8u);
  link.pass(true, 121'000);
  link.pass(false, 500);
  link.pass(true, 5);
  EXPECT_EQ(link.probation.held_back_s(link.now_ms), 4u) << "two of three are forgotten";
}

// Whatever its rhythm, in the long run.
TEST(Probation, ALinkThatComesAndGoesIsTakenBackOnceAMinuteAtMost) {
  for (const int64_t there_ms : {200, 900, 3'000, 10'000, 30'000, 59'000, 90'000}) {
    for (const int64_t away_ms : {150, 1'000, 20'000}) {
      SCOPED_TRACE(testing::Message() << "there for " << there_ms << " ms, away for " << away_ms);
      FlappingLink link;
      link.pass(true, there_ms);
      const auto an_hour = [&] {
        link.taken_back = 0;
        for (const int64_t until_ms = link.now_ms + 3'600'000; link.now_ms < until_ms;) {
          link.pass(false, away_ms);
          link.pass(true, there_ms);
        }
        return link.taken_back;
      };
      an_hour();
      EXPECT_LE(an_hour(), 60);
      link.pass(true, 60'000);
      EXPECT_TRUE(link.relied_on) << "and back when it stays";
    }
  }
}

}  // namespace
}  // namespace anabranch::control
