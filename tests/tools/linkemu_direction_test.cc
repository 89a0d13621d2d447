// SPDX-License-Identifier: BSD-3-Clause
#include "tools/linkemu/direction.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <random>
#include <vector>

namespace anabranch::linkemu {
namespace {

constexpr uint64_t kMs = 1'000'000;
constexpr uint64_t kSecond = 1000 * kMs;
constexpr uint32_t kBuffers = 4096;
constexpr uint64_t kSeed = 7;
// At 100 Mbit/s a packet of 1500 octets holds the link for 1538 × 80 ns.
constexpr uint64_t k100Mbit = 100'000'000;
constexpr uint64_t kFullPacketNs = 123'040;

struct Arrival {
  uint64_t release_ns;
  uint32_t number;

  bool operator==(const Arrival&) const = default;
};

void offer(Direction& direction, uint64_t now_ns, uint32_t octets, uint32_t number = 0) {
  std::array<uint8_t, 64> frame{};
  std::memcpy(frame.data(), &number, sizeof number);
  direction.offer(now_ns, frame, octets + 14, {TrafficClass::tunnel, octets});
}

std::vector<Arrival> arrivals(Direction& direction, uint64_t now_ns) {
  std::vector<Arrival> result;
  std::array<Direction::Packet, 16> packets;
  while (const size_t count = direction.take(now_ns, packets)) {
    for (size_t i = 0; i < count; ++i) {
      uint32_t number;
      std::memcpy(&number, direction.octets(packets[i]).data(), sizeof number);
      result.push_back({packets[i].release_ns, number});
      direction.settle(packets[i], true);
    }
  }
  return result;
}

uint64_t packets(const Counts& counts) {
  uint64_t sum = 0;
  for (size_t i = 0; i < kClassNames.size(); ++i)
    sum += counts.of(static_cast<TrafficClass>(i)).packets;
  return sum;
}

uint64_t dropped(const Direction& direction, Drop reason) {
  return packets(direction.counters().dropped_for(reason));
}

TEST(Direction, APacketArrivesAfterItsSerialisationAndTheDelay) {
  Direction direction({.rate_bps = k100Mbit, .delay_ns = 10 * kMs}, kBuffers, kSeed);
  offer(direction, kSecond, 1500);
  const uint64_t due_ns = kSecond + kFullPacketNs + 10 * kMs;
  EXPECT_EQ(direction.next_release_ns(), due_ns);
  EXPECT_TRUE(arrivals(direction, due_ns - 1).empty());
  EXPECT_EQ(arrivals(direction, due_ns), (std::vector<Arrival>{{due_ns, 0}}));
  EXPECT_EQ(direction.next_release_ns(), UINT64_MAX);
}

TEST(Direction, PacketsWaitForTheLinkAndALinkThatIsFreeIsNotOwedTime) {
  Direction direction({.rate_bps = k100Mbit}, kBuffers, kSeed);
  offer(direction, kSecond, 1500, 1);
  offer(direction, kSecond, 62, 2);  // (62 + 38) × 80 ns behind the first
  offer(direction, kSecond + 5 * kMs, 62, 3);
  EXPECT_EQ(arrivals(direction, 2 * kSecond),
            (std::vector<Arrival>{{kSecond + kFullPacketNs, 1},
                                  {kSecond + kFullPacketNs + 8000, 2},
                                  {kSecond + 5 * kMs + 8000, 3}}));
}

TEST(Direction, WithoutRateOnlyTheDelayHolds) {
  Direction direction({.delay_ns = kMs}, kBuffers, kSeed);
  offer(direction, kSecond, 1500, 1);
  offer(direction, kSecond, 1500, 2);
  EXPECT_EQ(arrivals(direction, 2 * kSecond),
            (std::vector<Arrival>{{kSecond + kMs, 1}, {kSecond + kMs, 2}}));
}

TEST(Direction, ANewRateHoldsForPacketsOfferedFromThenOn) {
  Direction direction({.rate_bps = k100Mbit}, kBuffers, kSeed);
  offer(direction, kSecond, 1500, 1);
  Settings slower = direction.settings();
  slower.rate_bps = k100Mbit / 10;
  direction.set(slower);
  offer(direction, kSecond, 1500, 2);
  EXPECT_EQ(arrivals(direction, 2 * kSecond),
            (std::vector<Arrival>{{kSecond + kFullPacketNs, 1},
                                  {kSecond + kFullPacketNs + 10 * kFullPacketNs, 2}}));
}

TEST(Direction, AShorterDelayDoesNotLetPacketsOvertake) {
  Direction direction({.delay_ns = 50 * kMs}, kBuffers, kSeed);
  offer(direction, kSecond, 1500, 1);
  Settings nearer = direction.settings();
  nearer.delay_ns = 10 * kMs;
  direction.set(nearer);
  offer(direction, kSecond + kMs, 1500, 2);
  offer(direction, kSecond + 60 * kMs, 1500, 3);
  EXPECT_EQ(arrivals(direction, 2 * kSecond),
            (std::vector<Arrival>{
                {kSecond + 50 * kMs, 1}, {kSecond + 50 * kMs, 2}, {kSecond + 70 * kMs, 3}}));
}

TEST(Direction, APacketThatWouldWaitLongerThanTheQueueIsDropped) {
  Direction direction({.rate_bps = k100Mbit, .queue_ns = 2 * kFullPacketNs}, kBuffers, kSeed);
  for (int i = 0; i < 4; ++i) offer(direction, kSecond, 1500);
  // The third waits for exactly the queue's length; the fourth for longer.
  EXPECT_EQ(dropped(direction, Drop::queue), 1u);
  EXPECT_EQ(direction.in_flight(), 3u);
  offer(direction, kSecond + kFullPacketNs, 1500);
  EXPECT_EQ(direction.in_flight(), 4u);
}

TEST(Direction, AQueueOfNoLengthTakesAPacketOnlyWhenTheLinkIsFree) {
  Direction direction({.rate_bps = k100Mbit, .queue_ns = 0}, kBuffers, kSeed);
  offer(direction, kSecond, 1500);
  offer(direction, kSecond + kFullPacketNs - 1, 1500);
  offer(direction, kSecond + kFullPacketNs, 1500);
  EXPECT_EQ(dropped(direction, Drop::queue), 1u);
  EXPECT_EQ(direction.in_flight(), 2u);
}

TEST(Direction, ALostPacketHasUsedTheLink) {
  Direction direction({.rate_bps = k100Mbit, .loss_percent = 100}, kBuffers, kSeed);
  offer(direction, kSecond, 1500, 1);
  Settings sound = direction.settings();
  sound.loss_percent = 0;
  direction.set(sound);
  offer(direction, kSecond, 1500, 2);
  EXPECT_EQ(dropped(direction, Drop::loss), 1u);
  EXPECT_EQ(arrivals(direction, 2 * kSecond),
            (std::vector<Arrival>{{kSecond + 2 * kFullPacketNs, 2}}));
}

std::vector<Arrival> survivors(uint64_t seed) {
  Direction direction({.loss_percent = 10}, 10'000, seed);
  for (uint32_t i = 0; i < 10'000; ++i) offer(direction, kSecond, 100, i);
  return arrivals(direction, kSecond);
}

TEST(Direction, LossTakesItsShareAndRepeatsWithItsSeed) {
  const auto first = survivors(1);
  // 9000 expected; five standard deviations are 150.
  EXPECT_NEAR(static_cast<double>(first.size()), 9000, 150);
  EXPECT_EQ(first, survivors(1));
  EXPECT_NE(first, survivors(2));
}

TEST(Direction, JitterKeepsTheOrder) {
  Direction direction({.delay_ns = 10 * kMs, .jitter_ns = 5 * kMs}, kBuffers, kSeed);
  for (uint32_t i = 0; i < 1000; ++i) offer(direction, kSecond + i * 10'000, 100, i);
  const auto all = arrivals(direction, 2 * kSecond);
  ASSERT_EQ(all.size(), 1000u);
  bool spread = false;
  for (uint32_t i = 0; i < 1000; ++i) {
    const uint64_t late_ns = all[i].release_ns - (kSecond + i * 10'000) - 10 * kMs;
    EXPECT_EQ(all[i].number, i);
    EXPECT_LE(late_ns, 5 * kMs);
    spread |= late_ns > 4 * kMs;
  }
  EXPECT_TRUE(spread);
}

TEST(Direction, JitterThatReordersLetsPacketsOvertakeUntilOrderIsAskedForAgain) {
  Direction direction({.jitter_ns = 5 * kMs, .reorder = true}, kBuffers, kSeed);
  for (uint32_t i = 0; i < 100; ++i) offer(direction, kSecond, 100, i);
  Settings ordered = direction.settings();
  ordered.reorder = false;
  direction.set(ordered);
  offer(direction, kSecond, 100, 100);
  const auto all = arrivals(direction, 2 * kSecond);
  ASSERT_EQ(all.size(), 101u);
  const auto by_number = [](const Arrival& a, const Arrival& b) { return a.number < b.number; };
  EXPECT_FALSE(std::is_sorted(all.begin(), all.end(), by_number));
  EXPECT_EQ(all.back().number, 100u);
}

TEST(Direction, ALinkThatGoesDownLosesWhatIsInFlightAndStartsEmpty) {
  Direction direction({.rate_bps = k100Mbit, .delay_ns = 10 * kMs}, kBuffers, kSeed);
  for (int i = 0; i < 10; ++i) offer(direction, kSecond, 1500);
  Settings settings = direction.settings();
  settings.up = false;
  direction.set(settings);
  EXPECT_EQ(dropped(direction, Drop::down), 10u);
  EXPECT_EQ(direction.in_flight(), 0u);
  offer(direction, kSecond, 1500);
  EXPECT_EQ(dropped(direction, Drop::down), 11u);
  settings.up = true;
  direction.set(settings);
  offer(direction, kSecond, 1500);
  EXPECT_EQ(direction.next_release_ns(), kSecond + kFullPacketNs + 10 * kMs);
}

TEST(Direction, WhatDoesNotFitIsDroppedByName) {
  Direction direction({.delay_ns = kMs}, 2, kSeed);
  offer(direction, kSecond, kFrameMax - 14);
  offer(direction, kSecond, kFrameMax - 14 + 1);
  EXPECT_EQ(dropped(direction, Drop::too_long), 1u);
  offer(direction, kSecond, 100);
  offer(direction, kSecond, 100);
  EXPECT_EQ(dropped(direction, Drop::buffer), 1u);
  EXPECT_EQ(arrivals(direction, 2 * kSecond).size(), 2u);
  offer(direction, 2 * kSecond, 100);
  EXPECT_EQ(direction.in_flight(), 1u);
}

TEST(Direction, APacketTheKernelRefusesIsDroppedAndNotDelivered) {
  Direction direction({}, kBuffers, kSeed);
  offer(direction, kSecond, 100);
  std::array<Direction::Packet, 1> packet;
  ASSERT_EQ(direction.take(kSecond, packet), 1u);
  EXPECT_EQ(direction.in_flight(), 1u);
  direction.settle(packet[0], false);
  EXPECT_EQ(dropped(direction, Drop::socket), 1u);
  EXPECT_EQ(packets(direction.counters().delivered), 0u);
  EXPECT_EQ(direction.in_flight(), 0u);
}

// By packets at any time; by class and octets once nothing is in flight.
void expect_conserved(const Direction& direction) {
  const Counters& counters = direction.counters();
  uint64_t packet_sum = packets(counters.delivered) + direction.in_flight();
  for (const Counts& dropped : counters.dropped) packet_sum += packets(dropped);
  ASSERT_EQ(packets(counters.offered), packet_sum);
  if (direction.in_flight() != 0) return;
  for (size_t i = 0; i < kClassNames.size(); ++i) {
    const auto traffic = static_cast<TrafficClass>(i);
    Count sum = counters.delivered.of(traffic);
    for (const Counts& dropped : counters.dropped) {
      sum.packets += dropped.of(traffic).packets;
      sum.octets += dropped.of(traffic).octets;
    }
    EXPECT_EQ(counters.offered.of(traffic), sum) << kClassNames[i];
  }
}

Settings draw_settings(std::mt19937& random) {
  return {.up = random() % 8 != 0,
          .rate_bps = random() % 4 == 0 ? 0 : 1'000'000 + random() % 100'000'000,
          .delay_ns = random() % (20 * kMs),
          .jitter_ns = random() % (10 * kMs),
          .loss_percent = static_cast<double>(random() % 30),
          .queue_ns = random() % (20 * kMs),
          .reorder = random() % 2 == 0};
}

void offer_any(Direction& direction, uint64_t now_ns, std::mt19937& random) {
  std::vector<uint8_t> frame(14 + random() % 1600);
  const auto length = static_cast<uint32_t>(frame.size());
  direction.offer(now_ns, frame, length, {static_cast<TrafficClass>(random() % 3), length - 14});
}

void take_some(Direction& direction, uint64_t now_ns, std::mt19937& random) {
  std::array<Direction::Packet, 32> packets;
  const size_t count = direction.take(now_ns, packets);
  for (size_t i = 0; i < count; ++i) direction.settle(packets[i], random() % 10 != 0);
}

TEST(Direction, WhateverIsOfferedIsDeliveredDroppedOrInFlight) {
  std::array<uint64_t, kDropNames.size()> drops{};
  for (uint32_t seed = 1; seed <= 20; ++seed) {
    std::mt19937 random(seed);
    Direction direction(draw_settings(random), 64, seed);
    uint64_t now_ns = kSecond;
    for (int step = 0; step < 5000; ++step) {
      now_ns += random() % kMs;
      const auto what = random() % 100;
      if (what == 0)
        direction.set(draw_settings(random));
      else if (what < 80)
        offer_any(direction, now_ns, random);
      else
        take_some(direction, now_ns, random);
      expect_conserved(direction);
    }
    while (direction.in_flight() != 0) take_some(direction, UINT64_MAX - 1, random);
    expect_conserved(direction);
    for (size_t i = 0; i < drops.size(); ++i) drops[i] += packets(direction.counters().dropped[i]);
  }
  for (size_t i = 0; i < drops.size(); ++i) EXPECT_NE(drops[i], 0u) << kDropNames[i];
}

}  // namespace
}  // namespace anabranch::linkemu
