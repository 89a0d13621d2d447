// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/disperse.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace anabranch::dataplane {
namespace {

constexpr uint16_t kAll = 0xfffe;
constexpr uint32_t kLargest = 1500;

Plan plan_of(const std::map<uint8_t, uint16_t>& weights, uint32_t generation = 1) {
  std::array<uint16_t, kPathsMax> by_path{};
  for (const auto& [path, weight] : weights) by_path[path] = weight;
  Plan plan;
  plan.generation = generation;
  compile_weights(by_path, plan);
  return plan;
}

uint16_t without(uint8_t path) {
  return static_cast<uint16_t>(kAll & ~(1u << path));
}

TEST(Dispersion, ByPacketKeepsSharesOfOctetsWithinOnePacketOfTheWeights) {
  const std::map<uint8_t, uint16_t> weights{{1, 50}, {2, 30}, {7, 20}};
  const Plan plan = plan_of(weights);
  Shares d;
  std::mt19937 random(1);
  std::map<uint8_t, double> octets;
  double sum = 0;
  for (int i = 0; i < 100000; ++i) {
    const uint32_t length = 67 + random() % (kLargest - 66);
    octets[choose_by_packet(plan, d, kAll, length)] += length;
    sum += length;
    for (const auto& [path, weight] : weights) {
      ASSERT_NEAR(octets[path], sum * weight / 100, kLargest) << "path " << +path << " at " << i;
    }
  }
  EXPECT_EQ(octets.size(), 3u);
}

TEST(Dispersion, ByPacketPassesOverADeadPathAtOnce) {
  const Plan plan = plan_of({{1, 1}, {2, 1}});
  Shares d;
  choose_by_packet(plan, d, kAll, kLargest);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(choose_by_packet(plan, d, without(1), kLargest), 2);
  EXPECT_EQ(choose_by_packet(plan, d, 0, kLargest), 0);
  EXPECT_EQ(choose_by_packet(plan, d, 1u << 5, kLargest), 0) << "a path that is not in the plan";
}

TEST(Dispersion, ByPacketGivesAReturningPathItsShareAndNotEverything) {
  const Plan plan = plan_of({{1, 1}, {2, 1}});
  Shares d;
  for (int i = 0; i < 10000; ++i) choose_by_packet(plan, d, without(1), kLargest);
  int returned = 0;
  for (int i = 0; i < 100; ++i) returned += choose_by_packet(plan, d, kAll, kLargest) == 1;
  EXPECT_NEAR(returned, 50, 1);
}

TEST(Dispersion, ByPacketGivesSharesAgainAfterAllPathsWereDead) {
  const Plan plan = plan_of({{1, 3}, {2, 1}});
  Shares d;
  for (int i = 0; i < 100; ++i) choose_by_packet(plan, d, kAll, kLargest);
  EXPECT_EQ(choose_by_packet(plan, d, 0, kLargest), 0);
  int first = 0;
  for (int i = 0; i < 100; ++i) first += choose_by_packet(plan, d, kAll, kLargest) == 1;
  EXPECT_NEAR(first, 75, 1);
}

TEST(Dispersion, ByPacketFollowsANewPlanFromItsFirstPacket) {
  Shares d;
  const Plan before = plan_of({{1, 100}, {2, 1}}, 1);
  for (int i = 0; i < 1000; ++i) choose_by_packet(before, d, kAll, kLargest);
  const Plan after = plan_of({{1, 1}, {2, 1}}, 2);
  int first = 0;
  for (int i = 0; i < 100; ++i) first += choose_by_packet(after, d, kAll, kLargest) == 1;
  EXPECT_NEAR(first, 50, 1);
}

TEST(Dispersion, ByPacketKeepsSharesWhenVirtualTimeWraps) {
  const Plan plan = plan_of({{1, 1}, {2, 1}});
  Shares d{.generation = 1, .usable = plan.path_mask};
  d.time.fill(UINT64_MAX - 100ull * kLargest * plan.cost[1]);
  int first = 0;
  for (int i = 0; i < 1000; ++i) {
    first += choose_by_packet(plan, d, kAll, kLargest) == 1;
    ASSERT_NEAR(first, (i + 1) / 2.0, 1) << i;
  }
}

TEST(Dispersion, ByFlowGivesBucketsInProportionToTheWeights) {
  const std::map<uint8_t, uint16_t> weights{{2, 50}, {3, 30}, {15, 20}};
  const Plan plan = plan_of(weights);
  std::map<uint8_t, int> buckets;
  for (unsigned b = 0; b < kFlowBuckets; ++b) {
    ++buckets[choose_by_flow(plan, kAll, static_cast<uint8_t>(b))];
  }
  EXPECT_EQ(buckets.size(), 3u);
  for (const auto& [path, weight] : weights) {
    EXPECT_NEAR(buckets[path], kFlowBuckets * weight / 100.0, 1) << "path " << +path;
  }
}

TEST(Dispersion, ByFlowNeverMovesAFlowOfALivingPathWhenAnotherDies) {
  const Plan plan = plan_of({{1, 10}, {2, 20}, {3, 30}, {4, 40}});
  for (uint8_t dead = 1; dead <= 4; ++dead) {
    std::map<uint8_t, int> taken_over;
    for (unsigned b = 0; b < kFlowBuckets; ++b) {
      const auto bucket = static_cast<uint8_t>(b);
      const uint8_t before = choose_by_flow(plan, kAll, bucket);
      const uint8_t after = choose_by_flow(plan, without(dead), bucket);
      if (before != dead) {
        EXPECT_EQ(after, before);
      } else {
        EXPECT_NE(after, dead);
        ++taken_over[after];
      }
    }
    EXPECT_EQ(taken_over.size(), 3u) << "the dead path's flows spread over all others";
  }
  EXPECT_EQ(choose_by_flow(plan, 0, 0), 0);
}

TEST(Dispersion, ByFlowMovesFewBucketsWhenWeightsChangeALittle) {
  const Plan before = plan_of({{1, 50}, {2, 50}}), after = plan_of({{1, 55}, {2, 45}});
  int moved = 0;
  for (uint8_t b = 0; b < kFlowBuckets; ++b) moved += before.path_of(b) != after.path_of(b);
  EXPECT_LE(moved, 7);
  EXPECT_GT(moved, 0);
}

}  // namespace
}  // namespace anabranch::dataplane
