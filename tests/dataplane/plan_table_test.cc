// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/plan_table.h"

#include <gtest/gtest.h>

#include <thread>

namespace anabranch::dataplane {
namespace {

std::unique_ptr<const Plan> plan_of(uint32_t generation) {
  auto plan = std::make_unique<Plan>();
  plan->generation = plan->receiver_index = plan->peer_index = generation;
  return plan;
}

TEST(PlanTable, HasNoPlansAndUsableDefaultsAtFirst) {
  const PlanTable table;
  for (uint16_t slot = 0; slot < kServicesMax; ++slot) EXPECT_EQ(table.plan(slot), nullptr);
  EXPECT_EQ(table.ruleset().classify(FlowKey{}), kHouseSlot);
  EXPECT_FALSE(table.paths().paths[1].configured);
  EXPECT_EQ(table.neighbours().find(1), nullptr);
}

TEST(PlanTable, PublishesAndTakesOutOfForce) {
  PlanTable table;
  table.publish(7, plan_of(1));
  ASSERT_NE(table.plan(7), nullptr);
  EXPECT_EQ(table.plan(7)->generation, 1u);
  EXPECT_EQ(table.plan(6), nullptr);
  table.publish(7, nullptr);
  EXPECT_EQ(table.plan(7), nullptr);
}

TEST(PlanTable, KeepsAnOldPlanUntilEveryWorkerHasPassedAQuiescentState) {
  PlanTable table;
  table.worker_online(0);
  table.worker_online(5);
  table.publish(1, plan_of(1));
  const Plan* old = table.plan(1);
  table.publish(1, plan_of(2));
  EXPECT_EQ(table.retired(), 1u);
  table.quiescent(0);
  table.reclaim();
  EXPECT_EQ(table.retired(), 1u);
  EXPECT_EQ(old->generation, 1u) << "the other worker may still read it";
  table.quiescent(5);
  table.reclaim();
  EXPECT_EQ(table.retired(), 0u);
  EXPECT_EQ(table.plan(1)->generation, 2u);
  table.worker_offline(0);
  table.worker_offline(5);
}

TEST(PlanTable, CountsNoQuiescentStateFromBeforeThePublication) {
  PlanTable table;
  table.worker_online(0);
  table.publish(1, plan_of(1));
  table.quiescent(0);
  table.publish(1, plan_of(2));
  EXPECT_EQ(table.retired(), 1u);
  table.worker_offline(0);
  table.reclaim();
  EXPECT_EQ(table.retired(), 0u) << "a worker that is gone reads nothing";
}

TEST(PlanTable, FreesInTheOrderOfPublication) {
  PlanTable table;
  table.worker_online(0);
  table.publish(std::make_unique<const Ruleset>());
  table.publish(std::make_unique<const PathTable>());
  table.quiescent(0);
  table.publish(std::make_unique<const NeighbourTable>());
  EXPECT_EQ(table.retired(), 1u) << "the first two are free, the third is not";
  table.worker_offline(0);
}

TEST(PlanTable, NeverShowsAWorkerHalfAPlan) {
  PlanTable table;
  table.publish(1, plan_of(1));
  std::atomic<bool> stop{false}, mixed{false};
  std::atomic<uint64_t> reads{0};
  std::thread worker([&] {
    table.worker_online(3);
    uint32_t last = 0;
    while (!stop.load(std::memory_order_acquire)) {
      const Plan& plan = *table.plan(1);
      const uint32_t generation = plan.generation;
      if (plan.receiver_index != generation || plan.peer_index != generation || generation < last) {
        mixed.store(true, std::memory_order_relaxed);
      }
      last = generation;
      reads.fetch_add(1, std::memory_order_release);
      table.quiescent(3);
    }
    table.worker_offline(3);
  });
  while (reads.load(std::memory_order_acquire) == 0) std::this_thread::yield();
  for (uint32_t generation = 2; generation < 20000; ++generation) {
    table.publish(1, plan_of(generation));
  }
  while (table.retired() != 0) {
    table.reclaim();
    std::this_thread::yield();
  }
  stop.store(true, std::memory_order_release);
  worker.join();
  EXPECT_FALSE(mixed.load());
}

}  // namespace
}  // namespace anabranch::dataplane
