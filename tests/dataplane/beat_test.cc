// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/beat.h"
#include "tests/dataplane/units.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>

namespace anabranch::dataplane {
namespace {

constexpr uint64_t kStart = 1000 * kMillisecond;

// Both ends of a path, each with its own clock, and what is on its way between them.
struct TwoEnds {
  PathMeasure here, there;
  uint64_t delay = 10 * kMillisecond;
  uint64_t clock_offset = 77'777 * kMillisecond;  // there's clock is ahead
  uint64_t numbers[2] = {0, 0};
  std::multimap<uint64_t, std::function<void()>> on_the_way;

  void beat_there(uint64_t now, bool arrives = true) {
    arrive(now);
    const Beat beat = here.make_beat(now, kBeatInUseNs);
    const uint64_t number = numbers[0]++;
    if (arrives) send(there, beat, number, now + delay, clock_offset);
  }
  void beat_back(uint64_t now, bool arrives = true) {
    arrive(now);
    const Beat beat = there.make_beat(now + clock_offset, kBeatInUseNs);
    const uint64_t number = numbers[1]++;
    if (arrives) send(here, beat, number, now + delay, 0);
  }
  // Beats each way every 40 ms; returns when the last beat back was sent.
  uint64_t run(uint64_t from, int beats) {
    for (int i = 0; i < beats; ++i) {
      beat_there(from);
      beat_back(from + kHalf);
      from += kBeatInUseNs;
    }
    return from - kHalf;
  }
  bool here_alive(uint64_t now) { return arrive(now), here.alive(now); }
  bool there_alive(uint64_t now) { return arrive(now), there.alive(now + clock_offset); }

  static constexpr uint64_t kHalf = kBeatInUseNs / 2;

 private:
  void send(PathMeasure& end, const Beat& beat, uint64_t number, uint64_t at, uint64_t offset) {
    on_the_way.emplace(at, [=, &end] {
      end.heard(at + offset, 0, number);
      end.beat_received(beat, at + offset);
    });
  }
  void arrive(uint64_t now) {
    while (!on_the_way.empty() && on_the_way.begin()->first <= now) {
      on_the_way.begin()->second();
      on_the_way.erase(on_the_way.begin());
    }
  }
};

TEST(Beat, LoadsWhatItStored) {
  uint8_t octets[kBeatLength];
  std::fill(std::begin(octets), std::end(octets), uint8_t{0xff});
  store_beat(octets, {1ull << 60, 2ull << 50, 3, 4, 5, 40'000, true});
  const Beat beat = load_beat(octets);
  EXPECT_EQ(beat.sent_ns, 1ull << 60);
  EXPECT_EQ(beat.echo_ns, 2ull << 50);
  EXPECT_EQ(beat.echo_hold_ns, 3u);
  EXPECT_EQ(beat.received, 4u);
  EXPECT_EQ(beat.expected, 5u);
  EXPECT_EQ(beat.interval_us, 40'000u);
  EXPECT_TRUE(beat.hears);
  EXPECT_EQ(octets[44], 1);
  EXPECT_EQ(octets[45] | octets[46] | octets[47], 0);
}

TEST(Beat, MakesAPathAliveOnceBothEndsHearEachOther) {
  TwoEnds path;
  EXPECT_FALSE(path.here_alive(kStart));
  path.beat_there(kStart);
  EXPECT_FALSE(path.there_alive(kStart + 10 * kMillisecond)) << "here hears nothing yet";
  path.beat_back(kStart + 20 * kMillisecond);
  EXPECT_TRUE(path.here_alive(kStart + 30 * kMillisecond));
  path.beat_there(kStart + 40 * kMillisecond);
  EXPECT_TRUE(path.there_alive(kStart + 50 * kMillisecond));
}

TEST(Beat, LeavesAPathAliveWhenTwoAreLostAndDeadWhenThreeAre) {
  TwoEnds path;
  const uint64_t last = path.run(kStart, 5);
  const uint64_t heard = last + path.delay;
  for (int i = 0; i < 3; ++i) path.beat_there(last + TwoEnds::kHalf + i * kBeatInUseNs);
  EXPECT_TRUE(path.here_alive(heard + 3 * kBeatInUseNs)) << "the third may still be on its way";
  EXPECT_FALSE(path.here_alive(heard + 3 * kBeatInUseNs + TwoEnds::kHalf + 1));
  path.beat_back(last + 4 * kBeatInUseNs);
  EXPECT_TRUE(path.here_alive(heard + 4 * kBeatInUseNs)) << "it came back";
}

TEST(Beat, MakesAPathDeadAtBothEndsWhenOneDirectionIs) {
  TwoEnds path;
  uint64_t now = path.run(kStart, 5);
  for (int i = 0; i < 5; ++i) {
    now += kBeatInUseNs;
    path.beat_there(now - TwoEnds::kHalf, false);
    path.beat_back(now);
  }
  EXPECT_FALSE(path.there_alive(now));
  EXPECT_FALSE(path.here_alive(now + path.delay)) << "there said that it hears nothing";
}

TEST(Beat, MeasuresTheRoundTripWhateverTheClocksSayAndHoweverLongTheEchoWaited) {
  TwoEnds path;
  path.delay = 35 * kMillisecond;
  path.here_alive(path.run(kStart, 50) + path.delay);
  PathTelemetry telemetry;
  path.here.write(telemetry, true);
  EXPECT_EQ(telemetry.rtt_ns.get(), 70 * kMillisecond);
  EXPECT_EQ(telemetry.rtt_min_ns.get(), 70 * kMillisecond);
  EXPECT_LT(telemetry.rtt_variation_ns.get(), kMillisecond);
}

TEST(Beat, ForgetsAnOldLeastRoundTrip) {
  TwoEnds path;
  path.delay = 5 * kMillisecond;
  const uint64_t now = path.run(kStart, 10) + TwoEnds::kHalf;
  path.delay = 50 * kMillisecond;
  path.run(now, 12'000 / 40);  // twelve seconds
  PathTelemetry telemetry;
  path.here.write(telemetry, true);
  EXPECT_EQ(telemetry.rtt_min_ns.get(), 100 * kMillisecond);
  EXPECT_EQ(telemetry.rtt_ns.get() / kMillisecond, 99u) << "smoothed, from below";
}

TEST(Beat, TellsBothEndsWhatWasLost) {
  TwoEnds path;
  uint64_t now = kStart;
  for (int i = 0; i < 100; ++i) {
    path.beat_there(now, i % 4 != 1);
    path.beat_back(now + 20 * kMillisecond);
    now += kBeatInUseNs;
  }
  EXPECT_TRUE(path.here_alive(now) && path.there_alive(now));
  PathTelemetry here, there;
  path.here.write(here, true);
  path.there.write(there, true);
  EXPECT_EQ(here.peer_expected.get(), 100u);
  EXPECT_EQ(here.peer_received.get(), 75u);
  EXPECT_EQ(there.expected.get(), 100u);
  EXPECT_EQ(there.received.get(), 75u);
  EXPECT_EQ(here.received.get(), 100u);
}

TEST(Beat, ComparesOneWayDelays) {
  TwoEnds slow, fast;
  slow.delay = 60 * kMillisecond;
  fast.delay = 10 * kMillisecond;
  EXPECT_FALSE(fast.there.delay_known());
  EXPECT_TRUE(slow.there_alive(slow.run(kStart, 5)));
  EXPECT_TRUE(fast.there_alive(fast.run(kStart, 5)));
  ASSERT_TRUE(fast.there.delay_known());
  EXPECT_EQ(slow.there.delay_max_ns() - fast.there.delay_min_ns(),
            static_cast<int64_t>(50 * kMillisecond));
}

TEST(Beat, FromAPeerThatNamesNoSensibleIntervalDoesNotKeepADeadPathAlive) {
  for (const uint32_t interval_us : {0u, 600'000u, UINT32_MAX}) {
    PathMeasure measure;
    measure.heard(kStart, 0, 0);
    measure.beat_received({.sent_ns = kStart, .interval_us = interval_us, .hears = true}, kStart);
    EXPECT_TRUE(measure.alive(kStart + 3 * kBeatIdleNs)) << interval_us;
    EXPECT_FALSE(measure.alive(kStart + 4 * kBeatIdleNs)) << interval_us;
  }
}

TEST(Beat, WithAnImpossibleEchoMeasuresNoRoundTrip) {
  PathMeasure measure;
  measure.heard(kStart, 0, 0);
  for (const auto& [echo, hold] : std::initializer_list<std::pair<uint64_t, uint64_t>>{
           {kStart + kMillisecond, 0}, {kStart - kMillisecond, 2 * kMillisecond}, {1, 0}}) {
    measure.beat_received({.sent_ns = 1, .echo_ns = echo, .echo_hold_ns = hold},
                          kStart + 70'000 * kMillisecond);
    measure.beat_received({.sent_ns = 1, .echo_ns = echo, .echo_hold_ns = hold}, kStart);
  }
  PathTelemetry telemetry;
  measure.write(telemetry, false);
  EXPECT_EQ(telemetry.rtt_ns.get(), kStart - 1) << "only an echo of the past counts";
}

TEST(Beat, IsDueAtOnceWhenAnIdlePathComesIntoUse) {
  PathMeasure measure;
  measure.make_beat(kStart, kBeatIdleNs);
  EXPECT_FALSE(measure.beat_due(kStart + kBeatInUseNs));
  measure.hurry(kStart + kBeatInUseNs, kBeatInUseNs);
  EXPECT_TRUE(measure.beat_due(kStart + kBeatInUseNs));
  measure.make_beat(kStart + kBeatInUseNs, kBeatInUseNs);
  measure.hurry(kStart + kBeatInUseNs, kBeatInUseNs);
  EXPECT_FALSE(measure.beat_due(kStart + 2 * kBeatInUseNs - 1));
  EXPECT_TRUE(measure.beat_due(kStart + 2 * kBeatInUseNs));
}

}  // namespace
}  // namespace anabranch::dataplane
