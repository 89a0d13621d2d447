// SPDX-License-Identifier: BSD-3-Clause
#include "control/forecast.h"

#include <gtest/gtest.h>

namespace anabranch::control {
namespace {

Scenario expecting(double goodput_bps, double latency_ms, double loss_percent, uint8_t path = 1) {
  Scenario s;
  s.shares.push_back({.path_index = path});
  s.expected = {
      .goodput_up_bps = goodput_bps, .latency_ms = latency_ms, .loss_percent = loss_percent};
  return s;
}

TEST(Forecasts, AreComparedWithWhatIsMeasuredTenSecondsLater) {
  Forecasts forecasts;
  for (int64_t s = 100; s < 110; ++s) forecasts.add(7, s, expecting(80e6, 20, 0), std::nullopt);
  EXPECT_FALSE(forecasts.of(7).latency) << "nothing is later yet";
  for (int64_t s = 110; s < 113; ++s) forecasts.add(7, s, expecting(90e6, 25, 0), 64e6);
  const ForecastError error = forecasts.of(7);
  EXPECT_NEAR(error.goodput.value(), 0.25, 1e-6) << "80 of 64 Mbit/s";
  EXPECT_NEAR(error.latency.value(), 0.2, 1e-6) << "20 of 25 ms";
  EXPECT_NEAR(error.loss.value(), 0, 1e-6);
  EXPECT_FALSE(forecasts.of(8).latency);
}

TEST(Forecasts, OfAnotherCombinationSayNothingOfThisOne) {
  Forecasts forecasts;
  for (int64_t s = 0; s < 10; ++s) forecasts.add(1, s, expecting(1e6, 20, 0, 1), 1e6);
  for (int64_t s = 10; s < 20; ++s) forecasts.add(1, s, expecting(1e6, 40, 0, 2), 1e6);
  EXPECT_FALSE(forecasts.of(1).latency);
  forecasts.add(1, 20, expecting(1e6, 40, 0, 2), 1e6);
  EXPECT_EQ(forecasts.of(1).latency, 0);
}

TEST(Forecasts, AreTheMedianOfTheLastMinuteAndOfAllServices) {
  Forecasts forecasts;
  for (int64_t s = 0; s < 200; ++s) {
    // One second in ten is far off, which moves no median; and before the last minute all were.
    const bool off = s < 130 || s % 10 == 0;
    forecasts.add(1, s, expecting(1e6, off ? 400 : 20, 0), std::nullopt);
    forecasts.add(2, s, expecting(1e6, 10, 1), std::nullopt);
  }
  EXPECT_EQ(forecasts.of(1).latency, 0);
  EXPECT_FALSE(forecasts.all().goodput);
  EXPECT_EQ(forecasts.all().latency, 0);
  forecasts.forget_others(200);
  EXPECT_FALSE(forecasts.all().latency) << "all have ended";
  EXPECT_TRUE(to_json(forecasts.all())["loss"].is_null());
}

}  // namespace
}  // namespace anabranch::control
