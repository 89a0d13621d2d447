// SPDX-License-Identifier: BSD-3-Clause
// Packets that wait for a path: who goes next, who is dropped, and how fast a path is given them.
#include "dataplane/queues.h"

#include <gtest/gtest.h>

#include <array>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <tuple>
#include <vector>

#include "dataplane/bytes.h"
#include "dataplane/pace.h"
#include "dataplane/parse.h"
#include "tests/dataplane/packet_builder.h"
#include "tests/dataplane/units.h"

namespace anabranch::dataplane {
namespace {

class Waiters : public ::testing::Test {
 protected:
  // A packet that begins to wait; the queues look at nothing but its length and its note.
  bool put(uint16_t slot, uint16_t flow, uint16_t octets = 1000,
           TrafficClass traffic_class = TrafficClass::normal, bool young = false) {
    auto& memory = packets_.emplace_back();
    auto* packet = reinterpret_cast<rte_mbuf*>(memory.octets);
    packet->data_len = octets;
    packet->priv_size = sizeof(Waiting);
    waiting(packet) = {
        .slot = slot, .queue_hash = flow, .young = young, .traffic_class = traffic_class};
    numbers_[packet] = static_cast<uint32_t>(packets_.size() - 1);
    return queues_->put(packet);
  }
  Waiting take() {
    rte_mbuf* packet = queues_->front();
    if (packet == nullptr) return {.slot = UINT16_MAX};
    queues_->take_front(0, {});
    queues_->count_front(packet->data_len, weights_[waiting(packet).slot]);
    taken_ = numbers_.at(packet);
    return waiting(packet);
  }
  // Octets of each class that leave next, of a service of which enough waits.
  std::array<double, kTrafficClasses> shares_of_next(int count) {
    std::array<double, kTrafficClasses> octets{};
    double sum = 0;
    for (int i = 0; i < count; ++i) {
      const rte_mbuf* packet = queues_->front();
      const auto length = static_cast<double>(packet->data_len);
      octets[static_cast<size_t>(take().traffic_class)] += length;
      sum += length;
    }
    for (double& part : octets) part /= sum;
    return octets;
  }

  struct alignas(64) Memory {
    uint8_t octets[sizeof(rte_mbuf) + sizeof(Waiting)] = {};
  };
  std::deque<Memory> packets_;
  std::map<const rte_mbuf*, uint32_t> numbers_;
  std::unique_ptr<Queues> queues_ = std::make_unique<Queues>();
  std::array<uint8_t, 16> weights_ = [] {
    std::array<uint8_t, 16> ones{};
    ones.fill(1);
    return ones;
  }();
  uint32_t taken_ = 0;
};

TEST_F(Waiters, OfTwoServicesGetTheSameShareOfOctets) {
  for (int i = 0; i < 1000; ++i) {
    put(1, static_cast<uint16_t>(i % 50), 1500);
    put(2, 7, 300);
    put(2, 7, 300);
  }
  std::map<uint16_t, uint64_t> octets;
  for (int i = 0; i < 1000; ++i) {
    const Waiting note = take();
    octets[note.slot] += note.slot == 1 ? 1500 : 300;
  }
  EXPECT_NEAR(static_cast<double>(octets[1]), static_cast<double>(octets[2]), 2 * Queues::kQuantum);
}

TEST_F(Waiters, OfServicesGetTheirWeightsShareOfOctets) {
  weights_ = {0, 1, 2, 5};
  for (int i = 0; i < 4000; ++i) {
    put(1, static_cast<uint16_t>(i % 50), 1500);
    put(2, 7, 300);
    put(3, 1, 900);
  }
  std::map<uint16_t, double> octets;
  for (int i = 0; i < 4000; ++i) {
    const auto length = static_cast<double>(queues_->front()->data_len);
    octets[take().slot] += length;
  }
  EXPECT_NEAR(octets[2] / octets[1], 2, 0.04);
  EXPECT_NEAR(octets[3] / octets[1], 5, 0.1);
}

// One path is free at a time, and only for a packet.
TEST_F(Waiters, OfServicesGetTheirShareThoughTheyOrTheirFlowsAreSetAsideAgainAndAgain) {
  for (const bool flows : {false, true}) {
    SCOPED_TRACE(flows);
    weights_ = {0, 1, 2, 5};
    for (uint16_t slot = 1; slot <= 3; ++slot)
      for (uint16_t flow = 0; flow < 4; ++flow)
        for (int i = 0; i < 500; ++i) put(slot, flow, 1400);
    std::map<uint16_t, double> packets;
    for (int i = 0; i < 1600; ++i) {
      ++packets[take().slot];
      while (queues_->front() != nullptr)
        flows ? queues_->set_flow_aside() : queues_->set_service_aside();
      queues_->resume();
    }
    EXPECT_NEAR(packets[2] / packets[1], 2, 0.04);
    EXPECT_NEAR(packets[3] / packets[1], 5, 0.1);
    while (queues_->front() != nullptr) take();
  }
}

TEST_F(Waiters, ThatAreDroppedUseUpNobodysShare) {
  for (int i = 0; i < 2000; ++i) {
    put(1, 1);
    put(2, 1);
  }
  int dropped = 0, left = 0;
  for (int i = 0; i < 1000; ++i) {
    while (waiting(queues_->front()).slot == 1 && ++dropped % 4 != 0) queues_->take_front(0, {});
    left += take().slot == 1;
  }
  EXPECT_NEAR(left, 500, 2);
}

TEST_F(Waiters, ThatAreUrgentPassAStandingQueueAndThatAreBackgroundLetItPass) {
  for (int i = 0; i < 50; ++i) put(1, 1, 1400);
  for (int i = 0; i < 20; ++i) take();
  put(1, 1, 1400, TrafficClass::background);
  put(1, 1, 200, TrafficClass::urgent);
  put(1, 2, 200, TrafficClass::urgent);
  EXPECT_EQ(take().traffic_class, TrafficClass::background) << "none of it left for long";
  EXPECT_EQ(take().traffic_class, TrafficClass::urgent);
  EXPECT_EQ(take().traffic_class, TrafficClass::urgent);
  put(1, 1, 1400, TrafficClass::background);
  for (int i = 0; i < 13; ++i) EXPECT_EQ(take().traffic_class, TrafficClass::normal);
}

TEST_F(Waiters, ThatAreUrgentTakeTurnsBeyondHalfOfTheirService) {
  for (int i = 0; i < 2000; ++i) {
    put(1, 1, 1400, TrafficClass::urgent);
    put(1, 1, 700);
  }
  EXPECT_NEAR(shares_of_next(2000)[0], 0.5, 0.01);
  // What they left to others for a while, they may catch up on; but not for ever.
  while (queues_->front() != nullptr) take();
  for (int i = 0; i < 1000; ++i) put(1, 1, 1400);
  for (int i = 0; i < 500; ++i) take();
  for (int i = 0; i < 100; ++i) put(1, 1, 1400, TrafficClass::urgent);
  int in_a_row = 0;
  while (take().traffic_class == TrafficClass::urgent) ++in_a_row;
  EXPECT_EQ(in_a_row, Queues::kUrgentAhead / 1400 + 1);
}

TEST_F(Waiters, ThatAreBackgroundGetASixteenthWhateverElseWaits) {
  for (const bool with_urgent : {false, true}) {
    for (int i = 0; i < 1000; ++i) {
      put(1, 1, 1400);
      put(1, 1, 1000, TrafficClass::background);
      if (with_urgent) put(1, 1, 900, TrafficClass::urgent);
    }
    const auto shares = shares_of_next(900);
    EXPECT_NEAR(shares[2], 1.0 / 16, 0.002);
    EXPECT_NEAR(shares[0], with_urgent ? 0.5 : 0, 0.03);
    while (queues_->front() != nullptr) take();
  }
}

TEST_F(Waiters, OfAServiceShareThoughOneFlowSendsTenTimesAsMuch) {
  for (int i = 0; i < 1000; ++i) {
    for (int n = 0; n < 10; ++n) put(1, 1);
    put(1, 2);
  }
  std::map<uint16_t, int> packets;
  for (int i = 0; i < 1000; ++i) ++packets[take().queue_hash];
  EXPECT_NEAR(packets[1], packets[2], 3);
}

TEST_F(Waiters, OfASparseFlowGoAheadOfFullQueues) {
  for (uint16_t flow = 1; flow <= 20; ++flow)
    for (int i = 0; i < 50; ++i) put(1, flow);
  for (int i = 0; i < 100; ++i) take();
  put(1, 99, 100);
  EXPECT_EQ(take().queue_hash, 99);
}

TEST_F(Waiters, OfAYoungFlowGoAheadAsLongAsTheyAreNoMoreThanTcpBeginsWith) {
  constexpr uint16_t kYoung = 99, kAhead = Queues::kYoungQuantum / Queues::kQuantum;
  for (const bool young : {true, false}) {
    for (int i = 0; i < 40; ++i) {
      for (uint16_t flow = 1; flow <= 20; ++flow) put(1, flow, 1514);
    }
    for (int i = 0; i < 100; ++i) take();
    for (int i = 0; i < 2 * kAhead; ++i) put(1, kYoung, 1514, TrafficClass::normal, young);
    int first = 0;
    while (take().queue_hash == kYoung) ++first;
    EXPECT_EQ(first, young ? kAhead : 1);
    queues_ = std::make_unique<Queues>();
  }
}

TEST_F(Waiters, ThatCannotGoNowLetOtherServicesGo) {
  put(1, 1);
  put(2, 1);
  ASSERT_EQ(waiting(queues_->front()).slot, 1);
  queues_->set_service_aside();
  EXPECT_EQ(take().slot, 2);
  EXPECT_EQ(queues_->front(), nullptr);
  queues_->resume();
  EXPECT_EQ(take().slot, 1);
}

TEST_F(Waiters, ThatCannotGoNowLetOtherFlowsGo) {
  put(1, 1);
  put(1, 2);
  ASSERT_EQ(waiting(queues_->front()).queue_hash, 1);
  queues_->set_flow_aside();
  EXPECT_EQ(take().queue_hash, 2);
  EXPECT_EQ(queues_->front(), nullptr);
  queues_->resume();
  EXPECT_EQ(take().queue_hash, 1);
}

TEST_F(Waiters, MakeRoomInTheLongestQueueOldestFirst) {
  for (int i = 0; i < 10; ++i) put(1, 1);
  for (int i = 0; i < 40; ++i) put(1, 2);
  std::vector<uint32_t> shed;
  queues_->shed([&](rte_mbuf* packet) { shed.push_back(numbers_.at(packet)); });
  ASSERT_EQ(shed.size(), 20u) << "half of it";
  EXPECT_EQ(shed.front(), 10u);
  EXPECT_EQ(shed.back(), 29u);
  EXPECT_EQ(queues_->size(), 30u);
}

TEST_F(Waiters, AreRefusedWhenThereIsNoQueueLeft) {
  uint32_t accepted = 0;
  for (uint16_t slot = 1; slot <= 8; ++slot)
    for (uint16_t flow = 0; flow < Queues::kQueues; ++flow) accepted += put(slot, flow);
  EXPECT_EQ(accepted, Queues::kFlows);
  EXPECT_EQ(queues_->size(), Queues::kFlows);
  while (queues_->size() != 0) take();
  EXPECT_TRUE(put(9, 1)) << "room again";
}

TEST_F(Waiters, OfFlowsThatMustShareAQueueDoNotOvertakeEachOther) {
  std::mt19937 random(1);
  std::map<uint16_t, std::deque<uint32_t>> expected;
  for (int step = 0; step < 20000; ++step) {
    // All of one set, and twice as many as it has queues.
    const auto flow = static_cast<uint16_t>(random() % (2 * Queues::kSetSize) * Queues::kSets);
    if (random() % 100 < (step / 1000 % 2 == 0 ? 55 : 45)) {
      ASSERT_TRUE(put(1, flow));
      expected[flow].push_back(static_cast<uint32_t>(packets_.size() - 1));
    } else if (queues_->front() != nullptr) {
      auto& next = expected[take().queue_hash];
      ASSERT_EQ(taken_, next.front());
      next.pop_front();
    }
  }
}

TEST_F(Waiters, OfAsManyFlowsAsASetHasQueuesDoNotShareOne) {
  for (uint16_t i = 0; i < Queues::kSetSize; ++i) put(1, static_cast<uint16_t>(i * Queues::kSets));
  EXPECT_EQ(queues_->flows(), Queues::kSetSize);
}

// Any sequence of what may be done: each comes out once, those of a flow in their order.
TEST_F(Waiters, ComeOutOnceAndInTheOrderOfTheirFlow) {
  for (uint32_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    std::map<std::tuple<uint16_t, uint16_t, TrafficClass>, std::deque<uint32_t>> expected;
    size_t inside = 0;
    for (int step = 0; step < 5000; ++step) {
      const auto slot = static_cast<uint16_t>(random() % 3);
      const auto flow = static_cast<uint16_t>(random() % 5);
      const auto traffic_class = static_cast<TrafficClass>(random() % kTrafficClasses);
      if (random() % 2 == 0) {
        ASSERT_TRUE(put(slot, flow, static_cast<uint16_t>(40 + random() % 1460), traffic_class));
        expected[{slot, flow, traffic_class}].push_back(static_cast<uint32_t>(packets_.size() - 1));
        ++inside;
      } else if (queues_->front() != nullptr && random() % 4 == 0) {
        random() % 2 == 0 ? queues_->set_service_aside() : queues_->set_flow_aside();
      } else if (queues_->front() != nullptr) {
        const Waiting note = take();
        auto& queue = expected[{note.slot, note.queue_hash, note.traffic_class}];
        ASSERT_FALSE(queue.empty());
        ASSERT_EQ(taken_, queue.front());
        queue.pop_front();
        --inside;
      } else {
        queues_->resume();
      }
      ASSERT_EQ(queues_->size(), inside);
    }
    queues_->resume();
    while (queues_->front() != nullptr) take(), --inside;
    EXPECT_EQ(inside, 0u);
  }
}

TEST(Codel, LeavesAQueueAloneThatGetsShorter) {
  Codel codel;
  const CodelLimits limits;
  for (uint64_t now = 0; now < 1000 * kMillisecond; now += kMillisecond) {
    const uint64_t waited = now / kMillisecond % 90 == 0 ? 0 : 20 * kMillisecond;
    EXPECT_FALSE(codel.drops(waited, false, now, limits)) << now;
  }
}

TEST(Codel, DropsSoonerAndSoonerWhileAQueueStands) {
  Codel codel;
  const CodelLimits limits;
  std::vector<uint64_t> drops;
  for (uint64_t now = kMillisecond; now < 2000 * kMillisecond; now += kMillisecond)
    if (codel.drops(20 * kMillisecond, false, now, limits)) drops.push_back(now);
  ASSERT_GT(drops.size(), 20u);
  EXPECT_NEAR(static_cast<double>(drops[0]), 100e6, 2e6) << "an interval after it began to stand";
  EXPECT_NEAR(static_cast<double>(drops[1] - drops[0]), 100e6, 2e6);
  // RFC 8289 5.5: interval / √count.
  EXPECT_NEAR(static_cast<double>(drops[16] - drops[15]), 100e6 / 4, 2e6);
}

TEST(Codel, NeverDropsTheLastOfAQueue) {
  Codel codel;
  for (uint64_t now = kMillisecond; now < 2000 * kMillisecond; now += kMillisecond)
    EXPECT_FALSE(codel.drops(50 * kMillisecond, true, now, {}));
}

TEST(Codel, LetsOneFlowQueueForWhatItNeedsAndManyForLess) {
  const uint64_t rtt = 100 * kMillisecond;
  EXPECT_EQ(codel_limits(rtt, 1).target_ns, 43 * kMillisecond);
  EXPECT_EQ(codel_limits(rtt, 4).target_ns, 21'500'000u);
  EXPECT_EQ(codel_limits(rtt, 100).target_ns, 15 * kMillisecond);
  EXPECT_EQ(codel_limits(kMillisecond, 100).target_ns, 5 * kMillisecond);
}

TEST(Pace, GivesALinkWhatItCarriesWheneverItIsAsked) {
  for (const uint64_t every_ns : {uint64_t{1000}, uint64_t{70'000}, uint64_t{3'000'000}}) {
    Pace pace;
    uint64_t octets = 0;
    for (uint64_t now = kMillisecond; now < 2000 * kMillisecond; now += every_ns) {
      while (pace.is_free(now)) {
        pace.take(1538, pace_of(100'000'000), now);
        octets += 1538;
      }
    }
    EXPECT_NEAR(static_cast<double>(octets) * 8 / 1.999, 100e6, 0.5e6) << every_ns;
  }
}

TEST(Pace, DoesNotMakeUpForALongTimeInWhichNothingWasSent) {
  Pace pace;
  pace.take(1538, pace_of(100'000'000), kMillisecond);
  uint64_t octets = 0;
  for (; pace.is_free(1000 * kMillisecond); octets += 1538)
    pace.take(1538, pace_of(100'000'000), 1000 * kMillisecond);
  EXPECT_LE(octets, 4 * 100'000 / 8 + 1538) << "4 ms";
}

TEST(Pace, OfAnUnknownRateIsNone) {
  Pace pace;
  for (int i = 0; i < 1000; ++i) pace.take(1538, pace_of(0), kMillisecond);
  EXPECT_TRUE(pace.is_free(kMillisecond));
}

TEST(Congestion, IsMarkedOnlyWhereTheHostsCanReadIt) {
  for (const uint8_t ecn : {0, 1, 2, 3}) {
    Bytes ip = packet().dscp(10).udp(1, 2).payload(100).ip();
    ip[1] = static_cast<uint8_t>(ip[1] | ecn);
    ip[10] = ip[11] = 0;
    store_be16(&ip[10], internet_checksum(std::span(ip).first(20)));
    EXPECT_EQ(mark_congestion(ip.data()), ecn != 0);
    EXPECT_EQ(ip[1], 10 << 2 | (ecn == 0 ? 0 : 3));
    EXPECT_TRUE(checksum_is_right(std::span(ip).first(20)));
  }
}

}  // namespace
}  // namespace anabranch::dataplane
