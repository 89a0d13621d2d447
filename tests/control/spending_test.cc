// SPDX-License-Identifier: BSD-3-Clause
#include "control/spending.h"

#include <gtest/gtest.h>

namespace anabranch::control {
namespace {

using billing::Amount;

constexpr uint64_t kService = 7;

Amount euros(const char* text) {
  return *billing::parse_amount(text);
}

Spending::Prices prices(const char* path1, const char* path2) {
  Spending::Prices all;
  all[1] = euros(path1);
  all[2] = euros(path2);
  return all;
}

Spending::Octets octets(uint64_t path1, uint64_t path2) {
  Spending::Octets all{};
  all[1] = path1;
  all[2] = path2;
  return all;
}

TEST(Spending, AnOctetCostsWhatItCostWhenItWasCarried) {
  Spending spending;
  spending.count(kService, octets(100, 10), prices("0.01", "0.10"));
  EXPECT_EQ(spending.spent(kService), euros("2.00"));
  spending.count(kService, octets(100, 20), prices("5.00", "0.20"));
  EXPECT_EQ(spending.spent(kService), euros("4.00"));
  EXPECT_EQ(spending.spent(kService + 1), Amount());
}

TEST(Spending, GoesOnAfterARestart) {
  Spending before;
  before.count(kService, octets(100, 0), prices("0.01", "0"));
  auto after = Spending::from_json(nlohmann::json::parse(before.to_json().dump()));
  ASSERT_TRUE(after) << after.error();
  after->count(kService, octets(150, 0), prices("0.01", "0"));
  EXPECT_EQ(after->spent(kService), euros("1.50"));
}

TEST(Spending, MetersThatBeganAnewAreAddedToWhatWasSpent) {
  Spending spending;
  spending.count(kService, octets(100, 0), prices("0.01", "0"));
  spending.count(kService, octets(30, 0), prices("0.01", "0"));
  EXPECT_EQ(spending.spent(kService), euros("1.30"));
}

TEST(Spending, WhatIsSpoiltIsRefused) {
  for (const char* spoilt :
       {R"([{"service": 7}])", R"([{"service": 7, "octets": [1], "spent": "1"}])", R"("x")",
        R"([{"service": 7, "octets": [0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0], "spent": "much"}])"})
    EXPECT_FALSE(Spending::from_json(nlohmann::json::parse(spoilt))) << spoilt;
}

}  // namespace
}  // namespace anabranch::control
