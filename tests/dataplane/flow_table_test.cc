// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/flow_table.h"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <set>

#include "dataplane/bounds.h"

namespace anabranch::dataplane {
namespace {

constexpr uint64_t kIdle = 1000;

FlowKey key_of(uint32_t n) {
  return {.source = n, .destination = 7, .source_port = 1, .destination_port = 2, .protocol = 17};
}

class FlowTableTest : public ::testing::Test {
 protected:
  FlowTableTest() : table_(FlowTable::create("flow_table_test", 256, kIdle).value()) {}

  Flow* find(const FlowKey& key, uint64_t now) {
    const FlowKey* keys[] = {&key};
    Flow* flow = nullptr;
    table_->find(keys, rules, now, {&flow, 1});
    return flow;
  }
  uint32_t age_all(uint64_t now) {
    uint32_t freed = 0;
    for (int i = 0; i < 64; ++i) freed += table_->age(now, 32);
    return freed;
  }

  Ruleset rules{.epoch = 1, .rules = {{.protocol = 17, .slot = 3}}};
  std::unique_ptr<FlowTable> table_;
};

TEST_F(FlowTableTest, ClassifiesAFlowByItsFirstPacketAndKnowsItAgain) {
  Flow* flow = find(key_of(1), 10);
  ASSERT_NE(flow, nullptr);
  EXPECT_EQ(flow->slot, 3);
  EXPECT_EQ(flow->key, key_of(1));
  EXPECT_EQ(find(key_of(1), 20), flow);
  EXPECT_EQ(flow->seen, 20u);
  EXPECT_NE(find(key_of(2), 20), flow);
  EXPECT_EQ(table_->size(), 2u);
}

TEST_F(FlowTableTest, MakesOneFlowOfSeveralFirstPacketsInABurst) {
  const FlowKey first = key_of(1), second = key_of(2);
  const std::array<const FlowKey*, 5> keys{&first, &second, &first, &first, &second};
  std::array<Flow*, 5> flows{};
  table_->find(keys, rules, 10, flows);
  EXPECT_EQ(table_->size(), 2u);
  EXPECT_EQ(flows[0], flows[2]);
  EXPECT_EQ(flows[0], flows[3]);
  EXPECT_EQ(flows[1], flows[4]);
  EXPECT_NE(flows[0], flows[1]);
}

TEST_F(FlowTableTest, ClassifiesAgainWhenTheRulesetHasAnotherEpoch) {
  Flow* flow = find(key_of(1), 10);
  const uint8_t lane = flow->lane(), bucket = flow->bucket();
  rules.rules[0].slot = 4;
  EXPECT_EQ(find(key_of(1), 20)->slot, 3) << "the epoch is the same";
  rules.epoch = 2;
  EXPECT_EQ(find(key_of(1), 30)->slot, 4);
  EXPECT_EQ(flow->lane(), lane);
  EXPECT_EQ(flow->bucket(), bucket);
}

TEST_F(FlowTableTest, FreesAFlowThatWasIdleForLongerThanTheLimit) {
  find(key_of(1), 10);
  find(key_of(2), 500);
  EXPECT_EQ(age_all(10 + kIdle), 0u);
  EXPECT_EQ(age_all(10 + kIdle + 1), 1u);
  EXPECT_EQ(table_->size(), 1u);
  EXPECT_EQ(find(key_of(1), 2000)->seen, 2000u) << "it may come again";
}

TEST_F(FlowTableTest, LooksAtAFewPlacesEachTime) {
  for (uint32_t n = 0; n < 100; ++n) find(key_of(n), 10);
  uint32_t freed = table_->age(10000, 8);
  EXPECT_LE(freed, 8u);
  freed += age_all(10000);
  EXPECT_EQ(freed, 100u);
  EXPECT_EQ(table_->size(), 0u);
}

TEST_F(FlowTableTest, HasNoFlowForANewKeyWhenItIsFullAndStillKnowsTheOthers) {
  std::set<uint32_t> known;
  uint32_t refused = 0;
  for (uint32_t n = 0; n < 1000; ++n) {
    if (find(key_of(n), 10) == nullptr) {
      ++refused;
    } else {
      known.insert(n);
    }
  }
  EXPECT_GT(refused, 0u);
  EXPECT_EQ(table_->size(), known.size());
  EXPECT_GE(known.size(), 230u) << "nine tenths of what was asked for";
  for (const uint32_t n : known) {
    Flow* flow = find(key_of(n), 20);
    ASSERT_NE(flow, nullptr);
    EXPECT_EQ(flow->key, key_of(n));
  }
  age_all(20 + kIdle + 1);
  EXPECT_NE(find(key_of(5000), 3000), nullptr) << "room again";
}

TEST_F(FlowTableTest, SpreadsFlowsOverLanesAndBuckets) {
  std::set<uint8_t> lanes, buckets;
  for (uint32_t n = 0; n < 200; ++n) {
    const Flow* flow = find(key_of(n), 10);
    ASSERT_NE(flow, nullptr);
    ASSERT_LT(flow->bucket(), kFlowBuckets);
    lanes.insert(flow->lane());
    buckets.insert(flow->bucket());
  }
  EXPECT_GT(lanes.size(), 50u);
  EXPECT_GT(buckets.size(), 75u);
}

TEST_F(FlowTableTest, LetsNothingElseWaitInALaneOfTcp) {
  std::map<uint8_t, std::set<uint8_t>> protocols;  // by lane
  for (uint32_t n = 0; n < 200; ++n) {
    FlowKey key = key_of(n);
    key.protocol = n % 2 == 0 ? 6 : 17;
    const Flow* flow = find(key, 10);
    ASSERT_NE(flow, nullptr);
    protocols[flow->lane()].insert(key.protocol);
  }
  for (const auto& [lane, used_by] : protocols) EXPECT_EQ(used_by.size(), 1u);
  EXPECT_GT(protocols.size(), 100u);
}

TEST(FlowTable, SaysWhatToChangeWhenThereIsNoMemoryForIt) {
  const auto table = FlowTable::create("flow_table_huge", 1u << 30, kIdle);
  ASSERT_FALSE(table);
  EXPECT_NE(table.error().find("flow table of 1073741824 flows"), std::string::npos)
      << table.error();
  EXPECT_NE(table.error().find("dataplane.flows_max"), std::string::npos);
}

}  // namespace
}  // namespace anabranch::dataplane
