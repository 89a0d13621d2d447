// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/cut.h"

#include <gtest/gtest.h>

#include <numeric>
#include <random>
#include <vector>

#include "dataplane/pace.h"
#include "tests/dataplane/units.h"

namespace anabranch::dataplane {
namespace {

constexpr uint32_t kExtra = 104;

uint32_t sum_of(const Cuts& cuts) {
  uint32_t sum = 0;
  for (const Fragment& fragment : cuts.all()) sum += fragment.octets;
  return sum;
}

Offer offer(uint8_t path, double mbits, int64_t delay_ms) {
  return {.path = path,
          .room = 1500,
          .delay_ns = static_cast<int64_t>(delay_ms * kMillisecond),
          .pace = pace_of(static_cast<uint64_t>(mbits * 1e6)),
          .extra_octets = kExtra};
}

// When the last octet of what the cuts say is there.
double done_ms(std::vector<Offer> offers, const Cuts& cuts) {
  double done = 0;
  for (const Fragment& fragment : cuts.all()) {
    for (const Offer& o : offers) {
      if (o.path != fragment.path) continue;
      done = std::max(done, (static_cast<double>(o.delay_ns) +
                             (fragment.octets + kExtra) * static_cast<double>(o.pace) / 65536) /
                                1e6);
    }
  }
  return done;
}

TEST(CuttingToFit, CoversEveryOctetInAsFewFragmentsAsFit) {
  for (uint16_t room = 256; room <= 1500; room = static_cast<uint16_t>(room + 61)) {
    for (uint16_t octets = 1; octets <= 1500; ++octets) {
      const Cuts cuts = cut_to_fit(3, octets, room);
      ASSERT_EQ(cuts.count, (octets + room - 1) / room);
      ASSERT_EQ(sum_of(cuts), octets);
      for (const Fragment& fragment : cuts.all()) {
        ASSERT_LE(fragment.octets, room);
        ASSERT_GT(fragment.octets, 0);
        ASSERT_EQ(fragment.path, 3);
      }
    }
  }
}

TEST(CuttingToFit, IsRefusedWhenItWereTooManyFragments) {
  EXPECT_EQ(cut_to_fit(1, 1500, 70).count, 0);
}

TEST(CuttingToHurry, HalvesTheTimeOverTwoSlowPaths) {
  std::vector<Offer> offers{offer(1, 1, 10), offer(2, 1, 10)};
  const Cuts cuts = cut_to_hurry(offers, 1400);
  ASSERT_EQ(cuts.count, 2);
  EXPECT_EQ(sum_of(cuts), 1400u);
  EXPECT_NEAR(cuts.fragments[0].octets, 700, 1);
  EXPECT_NEAR(done_ms(offers, cuts), 10 + (700 + kExtra) * 8e-3, 0.1);
}

TEST(CuttingToHurry, LeavesWholeWhatIsQuickAnyway) {
  std::vector<Offer> fast{offer(1, 100, 10), offer(2, 100, 10)};
  EXPECT_EQ(cut_to_hurry(fast, 1400).count, 0);
  std::vector<Offer> uneven{offer(1, 2, 10), offer(2, 2, 40)};
  EXPECT_EQ(cut_to_hurry(uneven, 1400).count, 0) << "the second is not even ready by then";
}

TEST(CuttingToHurry, IsNeverLaterThanTheBestPathAloneAndCoversEveryOctet) {
  std::mt19937 random(1);
  for (int round = 0; round < 20000; ++round) {
    std::vector<Offer> offers;
    const auto count = 2 + random() % 6;
    for (uint8_t path = 1; path <= count; ++path)
      offers.push_back(offer(path, 0.1 + random() % 5000 / 1000.0, random() % 80));
    const auto octets = static_cast<uint16_t>(300 + random() % 1200);
    double alone = 1e300;
    for (const Offer& o : offers)
      alone = std::min(alone, done_ms(offers, cut_to_fit(o.path, octets, 1500)));
    const Cuts cuts = cut_to_hurry(offers, octets);
    if (cuts.count == 0) continue;
    ASSERT_GE(cuts.count, 2);
    ASSERT_EQ(sum_of(cuts), octets);
    ASSERT_LT(done_ms(offers, cuts), alone - 4.9);
  }
}

}  // namespace
}  // namespace anabranch::dataplane
