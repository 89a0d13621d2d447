// SPDX-License-Identifier: BSD-3-Clause
// Random loss, duplication and reordering, judged by a model that is written for clarity only: maps
// instead of rings and bits, and numbers that never wrap.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <random>
#include <set>

#include "dataplane/resequence.h"

namespace anabranch::dataplane {
namespace {

constexpr uint64_t kPatience = 60;

struct LaneModel {
  uint64_t next = 0;
  uint64_t deadline = 0;
  std::map<uint64_t, uint64_t> waiting;  // number → when it arrived
  std::deque<uint64_t> given_up;
  std::vector<uint64_t> out;

  Arrival receive(uint64_t n, uint64_t now) {
    if (n < next) {
      const auto found = std::find(given_up.begin(), given_up.end(), n);
      if (found == given_up.end()) return Arrival::duplicate;
      given_up.erase(found);
      out.push_back(n);
      return Arrival::late;
    }
    if (waiting.contains(n)) return Arrival::duplicate;
    if (waiting.empty()) deadline = now + kPatience;
    waiting[n] = now;
    if (n != next) return Arrival::held;
    pass();
    return Arrival::passed;
  }
  void expire(uint64_t now) {
    while (!waiting.empty() && now >= deadline) give_up();
  }
  void give_up() {
    for (; next < waiting.begin()->first; ++next) given_up.push_back(next);
    while (given_up.size() > Lane::kMissing) given_up.pop_front();
    pass();
  }
  void pass() {
    while (!waiting.empty() && waiting.begin()->first == next) {
      out.push_back(next++);
      waiting.erase(waiting.begin());
    }
    if (!waiting.empty()) deadline = waiting.begin()->second + kPatience;
  }
};

struct Trouble {
  const char* name;
  double loss, duplicate, reorder;
  unsigned delay_max;
  uint32_t start;  // first number of the lanes
};

struct Segment {
  uint64_t at;
  uint32_t lane;
  uint64_t number;
};

constexpr uint32_t kLanesUsed = 8;

std::vector<Segment> traffic(const Trouble& trouble, std::mt19937_64& random) {
  std::uniform_real_distribution<> chance(0, 1);
  std::array<uint64_t, kLanesUsed> next{};
  std::vector<Segment> segments;
  for (uint64_t now = 1; now <= 20000; ++now) {
    const auto lane = static_cast<uint32_t>(random() % kLanesUsed);
    const uint64_t number = next[lane]++;
    if (chance(random) < trouble.loss) continue;
    for (int copy = 0; copy < (chance(random) < trouble.duplicate ? 2 : 1); ++copy) {
      const uint64_t delay = chance(random) < trouble.reorder ? random() % trouble.delay_max : 0;
      segments.push_back({now + delay, lane, number});
    }
  }
  std::stable_sort(segments.begin(), segments.end(),
                   [](const Segment& a, const Segment& b) { return a.at < b.at; });
  return segments;
}

class Troubles : public ::testing::TestWithParam<Trouble> {};

TEST_P(Troubles, AreDealtWithAsTheModelSaysAndEverySegmentIsAccountedFor) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937_64 random(seed);
    const uint32_t start = GetParam().start;
    Resequencer<uint64_t> resequencer;
    std::vector<Lane> lanes(kLanesUsed, Lane{.next = start});
    std::vector<LaneModel> models(kLanesUsed);
    std::vector<std::vector<uint64_t>> out(kLanesUsed);
    std::map<Arrival, uint64_t> arrivals;
    uint64_t received = 0, came_out = 0;
    // An item is number * lanes + lane, so that what comes out says where it belongs.
    const auto take = [&](uint64_t item) {
      out[item % kLanesUsed].push_back(item / kLanesUsed);
      ++came_out;
    };
    for (const auto& [at, lane, number] : traffic(GetParam(), random)) {
      resequencer.expire(at, take);
      for (LaneModel& model : models) model.expire(at);
      const Arrival arrival =
          resequencer.receive(lanes[lane], static_cast<uint32_t>(start + number),
                              number * kLanesUsed + lane, at, kPatience, take);
      ASSERT_EQ(arrival, models[lane].receive(number, at)) << "number " << number << " at " << at;
      ++received;
      ++arrivals[arrival];
      ASSERT_EQ(received, came_out + resequencer.held() + arrivals[Arrival::duplicate]);
    }
    for (uint32_t i = 0; i < kLanesUsed; ++i) {
      resequencer.flush(lanes[i], take);
      while (!models[i].waiting.empty()) models[i].give_up();
      ASSERT_EQ(out[i], models[i].out);
      EXPECT_EQ(std::set<uint64_t>(out[i].begin(), out[i].end()).size(), out[i].size())
          << "a number came out twice";
    }
    EXPECT_EQ(resequencer.held(), 0u);
    EXPECT_EQ(resequencer.forced(), 0u);
    EXPECT_EQ(received, came_out + arrivals[Arrival::duplicate]);
    if (arrivals[Arrival::late] == 0) {
      for (const auto& numbers : out) EXPECT_TRUE(std::is_sorted(numbers.begin(), numbers.end()));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Resequencer, Troubles,
    ::testing::Values(Trouble{"none", 0, 0, 0, 1, 0}, Trouble{"loss", 0.02, 0, 0, 1, 0},
                      Trouble{"duplicates", 0, 0.1, 0.1, 50, 0},
                      Trouble{"reordering", 0, 0, 0.5, 40, 0},
                      Trouble{"all_within_the_wait", 0.05, 0.05, 0.3, 59, UINT32_MAX - 700},
                      Trouble{"all_beyond_the_wait", 0.05, 0.2, 0.3, 300, UINT32_MAX - 700},
                      Trouble{"chaos", 0.5, 0.5, 0.9, 500, UINT32_MAX - 3}),
    [](const auto& trouble) { return std::string(trouble.param.name); });

}  // namespace
}  // namespace anabranch::dataplane
