// SPDX-License-Identifier: BSD-3-Clause
#include "control/minutes.h"

#include <gtest/gtest.h>

namespace anabranch::control {
namespace {

constexpr int64_t kSecond = 1'000'000'000, kMinute = 60 * kSecond;

TEST(Minutes, AreAveragesOfWhatWasAvailable) {
  Minutes minutes("site-a");
  for (int s = 0; s < 60; ++s)
    minutes.add(7, {.available = s < 45, .latency_ms = 20.0 + s % 2, .loss = 0.01}, s * kSecond);
  EXPECT_TRUE(minutes.take(59 * kSecond).empty()) << "the minute is not over";
  const auto over = minutes.take(kMinute);
  ASSERT_EQ(over.size(), 1u);
  EXPECT_EQ(over[0].subject, "service:site-a:7");
  EXPECT_EQ(over[0].minute_ns, 0);
  EXPECT_EQ(over[0].available_ppm, 750'000u);
  EXPECT_EQ(over[0].loss_ppm, 10'000u);
  EXPECT_NEAR(over[0].rtt_us, 2 * 20'500, 50);
  EXPECT_TRUE(minutes.take(2 * kMinute).empty()) << "each is taken once";
}

TEST(Minutes, SecondsInWhichNobodyLookedWereNotAvailable) {
  Minutes minutes("site-a");
  for (int s = 30; s < 60; ++s) minutes.add(7, {.available = true}, s * kSecond);
  EXPECT_EQ(minutes.take(kMinute).at(0).available_ppm, 500'000u);
}

TEST(Minutes, OfEachServiceAreItsOwn) {
  Minutes minutes("site-a");
  minutes.add(1, {.available = true, .latency_ms = 5}, 0);
  minutes.add(2, {.available = false}, 0);
  minutes.add(1, {.available = true, .latency_ms = 9}, kMinute);
  const auto over = minutes.take(2 * kMinute);
  ASSERT_EQ(over.size(), 3u);
  EXPECT_EQ(over[0].rtt_us, 10'000u);
  EXPECT_EQ(over[1].available_ppm, 0u);
  EXPECT_EQ(over[2].minute_ns, kMinute);
  EXPECT_EQ(over[2].rtt_us, 18'000u);
}

}  // namespace
}  // namespace anabranch::control
