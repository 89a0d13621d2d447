// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/stage_times.h"

#include <gtest/gtest.h>
#include <rte_cycles.h>

#include "tests/dataplane/two_gateways.h"

namespace anabranch::dataplane {
namespace {

void work(uint64_t cycles) {
  for (const uint64_t end = rte_rdtsc() + cycles; rte_rdtsc() < end;) continue;
}

void poll_until_timed(StageTimes& times, auto&& stages) {
  for (uint32_t n = 0; n < StageTimes::kEvery; ++n) {
    if (const bool timed = times.begin(); stages(), timed) times.finish();
  }
}

TEST(StageTimes, TimesOnePollOfMany) {
  StageTimes times;
  uint32_t timed = 0;
  for (uint32_t n = 0; n < 10 * StageTimes::kEvery; ++n) {
    const bool is_timed = times.begin();
    { const StageTimes::Scope stage(times, Stage::rx, 3); }
    if (!is_timed) continue;
    times.finish();
    ++timed;
  }
  EXPECT_EQ(timed, 10u);
  EXPECT_EQ(times.timed(), 10u);
  EXPECT_EQ(times.packets(Stage::rx), 30u);
  EXPECT_EQ(times.packets(Stage::upkeep), 30u) << "is shared by all that were received";
}

TEST(StageTimes, CountsAStageWithoutThoseItCalls) {
  constexpr uint64_t kOwn = 200'000, kCalled = 1'000'000;
  StageTimes times;
  for (uint32_t n = 0; n < StageTimes::kEvery; ++n) times.begin();
  {
    const StageTimes::Scope outer(times, Stage::open, 1);
    work(kOwn / 2);
    {
      const StageTimes::Scope inner(times, Stage::deliver, 1);
      work(kCalled);
    }
    work(kOwn / 2);
  }
  times.finish();
  EXPECT_GE(times.cycles(Stage::deliver), kCalled);
  EXPECT_GE(times.cycles(Stage::open), kOwn);
  EXPECT_LT(times.cycles(Stage::open), kCalled) << "not what was called";
}

TEST(StageTimes, TakesAPollWithoutPacketsForIdle) {
  StageTimes times;
  poll_until_timed(times, [&] { const StageTimes::Scope stage(times, Stage::rx); });
  EXPECT_EQ(times.packets(Stage::idle), 1u);
  EXPECT_GT(times.cycles(Stage::idle), 0u);
  EXPECT_EQ(times.cycles(Stage::rx), 0u);
}

class TimedStages : public TwoGateways {
 protected:
  TimedStages() : TwoGateways(1024, 1, 1) {}
  static const StageTimes& times(Gateway& gateway) { return gateway.worker->each()[0]->times(); }
};

TEST_F(TimedStages, OfAWorkerHaveThePacketsThatWentThroughThem) {
  uint32_t number = 0;
  while (times(b()).timed() < 40) {
    for (int n = 0; n < 8; ++n) a().host_sends(datagram(number++, 200).ip());
    step();
    b().hosts_received();
  }
  settle();
  const StageTimes& sender = times(a());
  const StageTimes& receiver = times(b());
  for (const Stage stage : {Stage::rx, Stage::parse, Stage::flows, Stage::disperse, Stage::seal,
                            Stage::tx, Stage::upkeep, Stage::idle}) {
    EXPECT_GT(sender.packets(stage), 0u) << kStageNames[static_cast<size_t>(stage)];
    EXPECT_GT(sender.cycles(stage), 0u) << kStageNames[static_cast<size_t>(stage)];
  }
  for (const Stage stage : {Stage::rx, Stage::open, Stage::assemble, Stage::deliver, Stage::tx}) {
    EXPECT_GT(receiver.packets(stage), 0u) << kStageNames[static_cast<size_t>(stage)];
    EXPECT_GT(receiver.cycles(stage), 0u) << kStageNames[static_cast<size_t>(stage)];
  }
  EXPECT_EQ(sender.packets(Stage::flows), sender.packets(Stage::disperse));
  EXPECT_GE(sender.packets(Stage::rx), sender.packets(Stage::flows));
  b().hosts_received();
}

}  // namespace
}  // namespace anabranch::dataplane
