// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/flow_table.h"

#include <gtest/gtest.h>

#include "dataplane/bounds.h"

namespace anabranch::dataplane {
namespace {

FlowKey key(uint32_t n) {
  return {.source = 0x0a0a0000 + n, .destination = 0x0a140001, .source_port = 7, .protocol = 17};
}

class Flows : public testing::Test {
 protected:
  Flow* find(uint32_t n, uint64_t now) {
    const FlowKey k = key(n);
    const FlowKey* keys[] = {&k};
    Flow* flows[1];
    table_->find(keys, rules_, now, flows);
    return flows[0];
  }
  std::unique_ptr<FlowTable> table_ = FlowTable::create("flows-test", 64, 1000).value();
  Ruleset rules_{.epoch = 1,
                 .rules = {{.source = 0x0a0a0000, .source_mask = 0xffff0000, .slot = 5}}};
};

TEST_F(Flows, TwoFirstPacketsInOneBurstAreOneFlow) {
  const FlowKey a = key(1), b = key(1);
  const FlowKey* keys[] = {&a, &b};
  Flow* flows[2];
  table_->find(keys, rules_, 10, flows);
  EXPECT_EQ(flows[0], flows[1]);
  EXPECT_EQ(table_->size(), 1u);
  EXPECT_EQ(flows[0]->slot, 5);
}

TEST_F(Flows, IdleFlowsMakeRoomAndBusyOnesStay) {
  uint32_t fitted = 0;
  while (fitted < 1000 && find(fitted, 10) != nullptr) ++fitted;
  EXPECT_GE(fitted, 64u);
  EXPECT_LT(fitted, 1000u);
  find(0, 900);
  EXPECT_EQ(table_->age(1100, 10'000), fitted - 1);
  EXPECT_EQ(table_->size(), 1u);
  EXPECT_NE(find(fitted, 1100), nullptr);
}

TEST_F(Flows, AnotherRulesetClassifiesAnew) {
  EXPECT_EQ(find(3, 10)->slot, 5);
  rules_ = {.epoch = 2, .rules = {}};
  EXPECT_EQ(find(3, 11)->slot, kHouseSlot);
}

}  // namespace
}  // namespace anabranch::dataplane
