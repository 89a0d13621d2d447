// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/flow_table6.h"

#include <gtest/gtest.h>

#include <set>

#include "dataplane/bounds.h"

namespace anabranch::dataplane {
namespace {

constexpr uint64_t kIdle = 1000;
constexpr Uint128 kHost = Uint128{0x20010db800010000} << 64;

FlowKey6 key_of(uint32_t n) {
  return {.source = kHost + n,
          .destination = 7,
          .source_port = 1,
          .destination_port = 2,
          .protocol = 17};
}

class FlowTable6Test : public ::testing::Test {
 protected:
  FlowTable6Test() : table_(FlowTable6::create("flow_table6_test", 256, kIdle).value()) {}

  Flow* find(const FlowKey6& key, uint64_t now) {
    Flow* flow = nullptr;
    table_->find({&key, 1}, rules, now, {&flow, 1});
    return flow;
  }
  uint32_t age_all(uint64_t now) {
    uint32_t freed = 0;
    for (int i = 0; i < 64; ++i) freed += table_->age(now, 32);
    return freed;
  }

  Ruleset rules{.epoch = 1,
                .rules6 = {{.source = kHost, .source_mask = ~Uint128{0xff}, .slot = 3}}};
  std::unique_ptr<FlowTable6> table_;
};

TEST_F(FlowTable6Test, ClassifiesAFlowByItsFirstPacketAndKnowsItAgain) {
  Flow* flow = find(key_of(1), 10);
  ASSERT_NE(flow, nullptr);
  EXPECT_EQ(flow->slot, 3);
  EXPECT_EQ(find(key_of(1), 20), flow);
  EXPECT_EQ(flow->seen, 20u);
  EXPECT_EQ(find(key_of(256), 20)->slot, kHouseSlot) << "another network";
  EXPECT_EQ(table_->size(), 2u);
}

TEST_F(FlowTable6Test, TellsFlowsApartByEachPartOfTheirKey) {
  std::set<Flow*> flows{find(key_of(1), 10)};
  for (int bit = 0; bit < 128; bit += 5) {
    FlowKey6 other = key_of(1);
    other.source ^= Uint128{1} << bit;
    flows.insert(find(other, 10));
    other = key_of(1);
    other.destination ^= Uint128{1} << bit;
    flows.insert(find(other, 10));
  }
  for (const auto change :
       {+[](FlowKey6& k) { k.source_port = 9; }, +[](FlowKey6& k) { k.destination_port = 9; },
        +[](FlowKey6& k) { k.protocol = 6; }, +[](FlowKey6& k) { k.dscp = 9; }}) {
    FlowKey6 other = key_of(1);
    change(other);
    flows.insert(find(other, 10));
  }
  EXPECT_EQ(flows.size(), 1u + 2 * 26 + 4);
  EXPECT_EQ(flows.count(nullptr), 0u);
}

TEST_F(FlowTable6Test, ClassifiesAgainWhenTheRulesetHasAnotherEpoch) {
  find(key_of(1), 10);
  rules.rules6[0].slot = 4;
  EXPECT_EQ(find(key_of(1), 20)->slot, 3) << "the epoch is the same";
  rules.epoch = 2;
  EXPECT_EQ(find(key_of(1), 30)->slot, 4);
}

TEST_F(FlowTable6Test, MakesOneFlowOfSeveralFirstPacketsInABurst) {
  const std::array<FlowKey6, 5> keys{key_of(1), key_of(2), key_of(1), key_of(1), key_of(2)};
  std::array<Flow*, 5> flows{};
  table_->find(keys, rules, 10, flows);
  EXPECT_EQ(table_->size(), 2u);
  EXPECT_EQ(flows[0], flows[2]);
  EXPECT_EQ(flows[1], flows[4]);
  EXPECT_NE(flows[0], flows[1]);
}

TEST_F(FlowTable6Test, FreesAFlowThatWasIdleForLongerThanTheLimit) {
  find(key_of(1), 10);
  find(key_of(2), 500);
  EXPECT_EQ(age_all(10 + kIdle), 0u);
  EXPECT_EQ(age_all(10 + kIdle + 1), 1u);
  EXPECT_EQ(table_->size(), 1u);
  EXPECT_EQ(find(key_of(1), 2000)->seen, 2000u) << "it may come again";
}

TEST_F(FlowTable6Test, HasNoFlowForANewKeyWhenItIsFullAndStillKnowsTheOthers) {
  std::set<uint32_t> known;
  for (uint32_t n = 0; n < 1000; ++n) {
    if (find(key_of(n), 10) != nullptr) known.insert(n);
  }
  EXPECT_LT(known.size(), 1000u);
  EXPECT_EQ(table_->size(), known.size());
  EXPECT_GE(known.size(), 230u) << "nine tenths of what was asked for";
  for (const uint32_t n : known) EXPECT_NE(find(key_of(n), 20), nullptr);
  EXPECT_EQ(age_all(20 + kIdle + 1), known.size());
  EXPECT_NE(find(key_of(5000), 3000), nullptr) << "room again";
}

}  // namespace
}  // namespace anabranch::dataplane
