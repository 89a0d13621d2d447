// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/meter.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace anabranch::dataplane {
namespace {

class MeterFile : public testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(file_); }
  std::string file_ = "/dev/shm/anabranch-meter-test-" + std::to_string(getpid());
};

TEST_F(MeterFile, WhatWasCountedOutlivesTheProcess) {
  uint64_t id = 0;
  {
    auto meters = Meters::open(file_).value();
    EXPECT_TRUE(meters.fresh());
    id = meters.region().id;
    meters.region().clean = 0;  // as a killed process leaves it
    meters.region().services[3].places[1][0][0].add(1000, 2);
  }
  const auto again = Meters::open(file_).value();
  EXPECT_EQ(again.region().id, id);
  EXPECT_TRUE(again.unclean());
  EXPECT_EQ(again.region().services[3].places[1][0][0].octets.get(), 1000u);
}

TEST_F(MeterFile, AFileOfAnotherVersionIsRefusedAndLeftAlone) {
  std::ofstream(file_) << "something else";
  const auto meters = Meters::open(file_);
  ASSERT_FALSE(meters.has_value());
  EXPECT_NE(meters.error().find(file_), std::string::npos);
  EXPECT_EQ(std::filesystem::file_size(file_), 14u);
}

}  // namespace
}  // namespace anabranch::dataplane
