// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/flow_table.h"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <random>
#include <set>
#include <vector>

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

// The fourth of them will come again and again, and is marked.
constexpr uint16_t kMark = 5;
bool is_live(uint32_t n) {
  return n % 4 == 3;
}

TEST_F(FlowTableTest, MakesRoomForANewFlowByTheOldestThatCameOnce) {
  const uint32_t limit = table_->limit();
  EXPECT_EQ(limit, 224u) << "seven eighths of what was asked for";
  for (uint32_t n = 0; n < limit; ++n) find(key_of(n), 10 + n)->begun = kMark;
  for (uint32_t n = 0; n < limit; ++n) {
    if (is_live(n)) find(key_of(n), 300);
  }
  EXPECT_EQ(table_->displaced(), 1u) << "room is made for a burst that may be of new flows";
  EXPECT_NE(find(key_of(1000), 310), nullptr);
  EXPECT_EQ(table_->size(), limit);
  EXPECT_EQ(find(key_of(limit - 2), 320)->begun, kMark) << "is younger";
  EXPECT_EQ(find(key_of(0), 330)->begun, 0) << "is a new flow now";
}

TEST_F(FlowTableTest, NeverRefusesAFlowThoughAllOthersCameAgain) {
  for (uint32_t n = 0; n < 5000; ++n) {
    for (int again = 0; again < 3; ++again) ASSERT_NE(find(key_of(n), 10 + n), nullptr);
    ASSERT_NE(find(key_of(1'000'000), 10 + n), nullptr);
    ASSERT_LE(table_->size(), table_->limit() + kBurst);
    if (n == 0) find(key_of(1'000'000), 10)->begun = kMark;
  }
  EXPECT_EQ(find(key_of(1'000'000), 6000)->begun, kMark)
      << "was never the one not seen for longest";
}

TEST_F(FlowTableTest, MakesNoRoomOfAFlowThatIsInTheBurst) {
  for (uint32_t n = 0; n < table_->limit(); ++n) find(key_of(n), 10);
  std::array<FlowKey, 4> keys{key_of(9000), key_of(0), key_of(9001), key_of(1)};
  std::array<const FlowKey*, 4> pointers{&keys[0], &keys[1], &keys[2], &keys[3]};
  std::array<Flow*, 4> flows{};
  table_->find(pointers, rules, 20, flows);
  for (size_t i = 0; i < keys.size(); ++i) {
    ASSERT_NE(flows[i], nullptr);
    EXPECT_EQ(flows[i]->key, keys[i]);
  }
}

TEST_F(FlowTableTest, ForgetsNothingOfItsListWhenFlowsAge) {
  for (uint32_t round = 0; round < 50; ++round) {
    const uint64_t now = 10 + round * 10 * kIdle;
    for (uint32_t n = 0; n < 150; ++n) ASSERT_NE(find(key_of(round * 150 + n), now), nullptr);
    EXPECT_EQ(age_all(now + kIdle + 1), 150u);
    EXPECT_EQ(table_->size(), 0u);
  }
  EXPECT_EQ(table_->displaced(), 0u);
}

// Live flows, of two packets or more, come in bursts among new ones that never come again, in
// another mixture with each seed. As many as the table holds of the one kind or the other.
TEST_F(FlowTableTest, NeverLosesALiveFlowWhileOthersCameOnceWhateverTheMixture) {
  for (uint32_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    table_ = nullptr;
    table_ = FlowTable::create("flow_table_test", 1024, UINT64_MAX / 2).value();
    std::mt19937 random(seed);
    const uint32_t live_max = 1 + random() % 800;  // so that others are always there
    const uint32_t part_new = 1 + random() % 100;
    std::set<uint32_t> live;  // they had two packets
    uint32_t next = 0;
    uint64_t now = 1;
    for (int burst = 0; burst < 3000; ++burst) {
      now += 1 + random() % 100;
      std::vector<uint32_t> numbers;
      for (uint32_t i = 1 + random() % kBurst; i != 0; --i) {
        const bool is_new = live.empty() || random() % 100 < part_new;
        numbers.push_back(is_new ? 1'000'000 + next++
                                 : *std::next(live.begin(), random() % live.size()));
      }
      if (live.size() < live_max) {
        const uint32_t number = random() % 100'000;
        find(key_of(number), now)->begun = kMark;
        find(key_of(number), now);
        live.insert(number);
      }
      std::vector<FlowKey> keys;
      for (const uint32_t n : numbers) keys.push_back(key_of(n));
      std::vector<const FlowKey*> pointers;
      for (const FlowKey& key : keys) pointers.push_back(&key);
      std::vector<Flow*> flows(keys.size());
      table_->find(pointers, rules, now, flows);
      for (size_t i = 0; i < flows.size(); ++i) {
        ASSERT_NE(flows[i], nullptr) << "refused in burst " << burst;
        ASSERT_EQ(flows[i]->key, keys[i]);
        ASSERT_EQ(flows[i]->begun, live.contains(numbers[i]) ? kMark : 0) << "lost in " << burst;
      }
      ASSERT_LE(table_->size(), table_->limit() + kBurst);
    }
    EXPECT_GT(table_->displaced(), 0u);
  }
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
