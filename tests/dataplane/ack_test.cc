// SPDX-License-Identifier: BSD-3-Clause
// Acknowledgements: what is reported is what arrived; what is out of order is refused.
#include "dataplane/ack.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <set>

#include "dataplane/fit.h"

namespace anabranch::dataplane {
namespace {

std::unique_ptr<ReplayWindow> window_of(const std::set<uint64_t>& arrived) {
  auto window = std::make_unique<ReplayWindow>();
  for (const uint64_t number : arrived) window->accept(number);
  return window;
}

std::set<uint64_t> numbers_in(const AckReport& report) {
  std::set<uint64_t> numbers;
  uint64_t top = report.largest + 1;
  for (uint8_t i = 0; i < report.range_count; ++i) {
    top -= report.ranges[i].missing;
    for (uint16_t n = 0; n < report.ranges[i].arrived; ++n) numbers.insert(--top);
  }
  return numbers;
}

TEST(Acknowledgement, SaysWhatArrivedAndNothingElse) {
  for (uint32_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    const uint64_t first = random() % 2 == 0 ? 0 : random();
    const uint32_t count = 1 + random() % 300, lost_in_a_hundred = random() % 40;
    std::set<uint64_t> arrived{first + count};
    for (uint64_t n = first; n < first + count; ++n) {
      if (random() % 100 >= lost_in_a_hundred) arrived.insert(n);
    }
    AckReport report{.path = 3, .worker = 1};
    fill_ranges(*window_of(arrived), report);
    const auto told = numbers_in(report);
    for (const uint64_t n : told) EXPECT_TRUE(arrived.contains(n)) << n;
    // All of them, down to where the ranges ran out.
    for (const uint64_t n : arrived) {
      EXPECT_TRUE(n < *told.begin() || told.contains(n)) << n;
    }
    EXPECT_TRUE(report.range_count == kAckRangesMax || told == arrived);
  }
}

TEST(Acknowledgement, IsUnderstoodAsItWasMeant) {
  AckReport sent{.path = 15, .worker = 2};
  fill_ranges(*window_of({0, 1, 5, 6, 7, 9000}), sent);
  sent.received_ns = UINT64_MAX - 1;
  sent.held_us = 4999;
  std::array<uint8_t, 2 * kAckReportMax> octets{};
  store_report(octets.data(), sent);
  std::span<const uint8_t> content(octets.data(), sent.length());
  AckReport received;
  ASSERT_TRUE(load_report(content, received));
  EXPECT_TRUE(content.empty());
  EXPECT_EQ(received.path, 15);
  EXPECT_EQ(received.worker, 2);
  EXPECT_EQ(received.received_ns, UINT64_MAX - 1);
  EXPECT_EQ(received.held_us, 4999u);
  EXPECT_EQ(numbers_in(received), std::set<uint64_t>{9000}) << "what is far below is not told";
}

TEST(Acknowledgement, ThatContradictsItselfIsRefused) {
  AckReport report{.path = 1, .range_count = 2, .largest = 100};
  report.ranges[0] = {0, 1};
  report.ranges[1] = {1, 1};
  const auto understood = [](const AckReport& r) {
    std::array<uint8_t, kAckReportMax> octets{};
    store_report(octets.data(), r);
    std::span<const uint8_t> content(octets.data(), r.length());
    AckReport ignored;
    return load_report(content, ignored);
  };
  EXPECT_TRUE(understood(report));
  const auto with = [&](auto change) {
    AckReport changed = report;
    change(changed);
    return understood(changed);
  };
  EXPECT_FALSE(with([](AckReport& r) { r.range_count = 0; }));
  EXPECT_FALSE(with([](AckReport& r) { r.ranges[0].arrived = 0; }));
  EXPECT_FALSE(with([](AckReport& r) { r.ranges[0].missing = 1; }));
  EXPECT_FALSE(with([](AckReport& r) { r.ranges[1].missing = 0; }));
  EXPECT_FALSE(with([](AckReport& r) { r.largest = 1; })) << "more arrived than were sent";
  EXPECT_FALSE(with([](AckReport& r) { r.ranges[1].arrived = kAckDepth; }));
  std::span<const uint8_t> nothing;
  AckReport ignored;
  EXPECT_FALSE(load_report(nothing, ignored));
}

TEST(APathsFit, IsSeenWhenOnlySmallPacketsArriveTimeAfterTime) {
  Fit fit;
  for (uint32_t i = 0; i < Fit::kTimes; ++i) {
    EXPECT_GE(fit.limit(1), 1500);
    fit.arrived(1386);
    fit.lost(1500, 1);
    fit.lost(1450, 1);
  }
  EXPECT_EQ(fit.limit(1), 1386) << "the largest that arrived";
  EXPECT_GE(fit.limit(1 + Fit::kBelievedNs), 1500) << "it is tried again";
}

TEST(APathsFit, IsNotDoubtedForLossThatDoesNotAskForSize) {
  Fit fit;
  for (uint32_t i = 0; i < 10 * Fit::kTimes; ++i) {
    fit.arrived(100);
    fit.lost(1500, 1);
    if (i % (Fit::kTimes - 1) == 0) fit.arrived(1500);
  }
  EXPECT_GE(fit.limit(1), 1500);
}

TEST(APathsFit, IsNotDoubtedForAnOutage) {
  Fit fit;
  fit.arrived(100);
  for (uint32_t i = 0; i < 1000; ++i) fit.lost(1500, 1);
  fit.arrived(100);
  fit.arrived(1500);
  EXPECT_GE(fit.limit(1), 1500);
}

TEST(APathsFit, IsNeverLessThanEveryPathCarries) {
  Fit fit;
  for (uint32_t i = 0; i < 10 * Fit::kTimes; ++i) {
    fit.arrived(60);
    fit.lost(Fit::kAlways, 1);
    fit.lost(Fit::kAlways + 1, 1);
  }
  EXPECT_EQ(fit.limit(1), Fit::kAlways);
}

}  // namespace
}  // namespace anabranch::dataplane
