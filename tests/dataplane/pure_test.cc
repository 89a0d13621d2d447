// SPDX-License-Identifier: BSD-3-Clause
// The cores of the data plane that need neither DPDK's environment nor devices.
#include <gtest/gtest.h>
#include <rte_mbuf.h>

#include <map>
#include <random>
#include <set>

#include "dataplane/beat.h"
#include "dataplane/disperse.h"
#include "dataplane/mss.h"
#include "dataplane/paths.h"
#include "dataplane/plan_table.h"
#include "dataplane/resequence.h"
#include "dataplane/seal.h"
#include "tests/dataplane/packet_builder.h"

namespace anabranch::dataplane {
namespace {

Plan plan_of(const std::array<uint16_t, kPathsMax>& weights) {
  Plan plan{.generation = 1};
  compile_weights(weights, plan);
  return plan;
}

TEST(Disperse, SharesFollowTheWeightsToWithinOnePacket) {
  const Plan plan = plan_of({0, 38550, 19275, 7710});
  Dispersion d;
  std::mt19937 random(3);
  std::array<double, kPathsMax> octets{};
  double sum = 0;
  for (int i = 0; i < 20000; ++i) {
    const uint32_t length = 60 + random() % 1440;
    octets[choose_by_packet(plan, d, 0xe, length)] += length;
    sum += length;
  }
  for (const auto& [path, weight] : {std::pair<int, double>(1, 38550), {2, 19275}, {3, 7710}}) {
    EXPECT_NEAR(octets[static_cast<size_t>(path)], sum * weight / 65535, 3 * 1500)
        << "path " << path;
  }
}

TEST(Disperse, AReturningPathGetsItsShareAndNotAllAtOnce) {
  const Plan plan = plan_of({0, 100, 100});
  Dispersion d;
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(choose_by_packet(plan, d, 0x2, 1000), 1);
  int second = 0;
  for (int i = 0; i < 100; ++i) second += choose_by_packet(plan, d, 0x6, 1000) == 2 ? 1 : 0;
  EXPECT_NEAR(second, 50, 1);
  EXPECT_EQ(choose_by_packet(plan, d, 0, 1000), 0);
}

TEST(Disperse, FlowsOfALivingPathStayWhenAnotherDies) {
  const Plan plan = plan_of({0, 300, 200, 100});
  std::map<int, int> buckets;
  for (int b = 0; b < kFlowBuckets; ++b) {
    const auto bucket = static_cast<uint8_t>(b);
    const uint8_t before = choose_by_flow(plan, 0xe, bucket);
    ++buckets[before];
    const uint8_t after = choose_by_flow(plan, 0xe & ~(1 << 2), bucket);
    EXPECT_NE(after, 2);
    if (before != 2) {
      EXPECT_EQ(after, before);
    }
  }
  EXPECT_NEAR(buckets[1], 64, 1);
  EXPECT_NEAR(buckets[3], 21, 1);
}

// Against an oracle: every number out at most once, in order unless late; every item accounted for.
TEST(Resequence, WhateverArrivesComesOutOnceAndInOrderUnlessLate) {
  for (uint32_t seed = 0; seed < 200; ++seed) {
    std::mt19937 random(seed);
    Resequencer<uint32_t> r;
    Lane lane{.next = UINT32_MAX - 100};  // the numbers wrap
    std::multimap<uint64_t, uint32_t> arrivals;
    const uint32_t count = 500;
    for (uint32_t i = 0; i < count; ++i) {
      if (random() % 10 == 0) continue;
      arrivals.emplace(i * 10 + random() % 300, i);
      if (random() % 10 == 0) arrivals.emplace(i * 10 + random() % 600, i);
    }
    std::vector<uint32_t> out;
    const auto deliver = [&](uint32_t item) { out.push_back(item); };
    std::map<Arrival, size_t> verdicts;
    std::set<uint32_t> late;
    for (const auto& [when, i] : arrivals) {
      r.expire(when, 200, deliver);
      const Arrival verdict = r.receive(lane, UINT32_MAX - 100 + i, i, when, 200, deliver);
      ++verdicts[verdict];
      if (verdict == Arrival::late) late.insert(i);
    }
    r.flush(lane, deliver);
    EXPECT_EQ(r.held(), 0u);
    EXPECT_EQ(out.size(), arrivals.size() - verdicts[Arrival::duplicate]);
    EXPECT_EQ(std::set<uint32_t>(out.begin(), out.end()).size(), out.size()) << "seed " << seed;
    uint32_t last = 0;
    for (const uint32_t item : out) {
      if (late.contains(item)) continue;
      EXPECT_GE(item, last) << "seed " << seed;
      last = item;
    }
  }
}

TEST(Resequence, AHoleInOneLaneHoldsUpNoOther) {
  Resequencer<int> r;
  Lane one, other;
  std::vector<int> out;
  const auto deliver = [&](int item) { out.push_back(item); };
  EXPECT_EQ(r.receive(one, 1, 11, 0, 100, deliver), Arrival::held);
  EXPECT_EQ(r.receive(other, 0, 20, 0, 100, deliver), Arrival::passed);
  EXPECT_EQ(out, std::vector<int>{20});
  r.expire(99, 100, deliver);
  EXPECT_EQ(r.held(), 1u);
  r.expire(100, 100, deliver);
  EXPECT_EQ(out, (std::vector<int>{20, 11}));
  EXPECT_EQ(r.receive(one, 0, 10, 101, 100, deliver), Arrival::late);
  EXPECT_EQ(r.receive(one, 0, 10, 102, 100, deliver), Arrival::duplicate);
}

TEST(Resequence, WindowsAndTheirNumberAreBounded) {
  Resequencer<int> r;
  std::vector<Lane> lanes(kWindows + 1);
  size_t out = 0;
  const auto deliver = [&](int) { ++out; };
  for (Lane& lane : lanes) r.receive(lane, 5, 0, 0, 100, deliver);
  EXPECT_EQ(r.held(), kWindows);
  EXPECT_EQ(out, 1u);  // the last found no window and passed
  EXPECT_EQ(r.receive(lanes[0], 5 + 2 * kWindowSize, 0, 0, 100, deliver), Arrival::passed);
  EXPECT_EQ(lanes[0].window, 0);
  EXPECT_EQ(r.forced(), 3u);
}

TEST(Parse, ReadsWhatAFlowIsToldApartBy) {
  const Octets frame =
      packet().from("10.1.2.3").to("10.4.5.6").tcp(1111, 80).dscp(46).payload(10).frame();
  const PacketView view = parse_frame(frame);
  ASSERT_EQ(view.result, Parsed::ipv4);
  EXPECT_EQ(view.key, (FlowKey{0x0a010203, 0x0a040506, 1111, 80, 6, 46, 0}));
  EXPECT_TRUE(view.dont_fragment);
  EXPECT_EQ(view.total_length, 50);
}

TEST(Parse, FragmentsOfADatagramAreOneFlow) {
  const auto first = parse_ipv4(packet().udp(1, 2).payload(1000).fragment(0, true).ip());
  const auto second =
      parse_ipv4(packet().udp(0xdead, 0xbeef).payload(100).fragment(1008, false).ip());
  EXPECT_EQ(first.key, second.key);
}

TEST(Parse, AnIcmpErrorBelongsToTheFlowItQuotes) {
  const Octets quoted = packet().from("10.10.0.2").to("10.20.0.2").udp(1000, 53).payload(8).ip();
  const auto view =
      parse_ipv4(packet().from("10.20.0.1").to("10.10.0.2").icmp(3, 3).payload(quoted).ip());
  EXPECT_EQ(view.key, (FlowKey{0x0a140002, 0x0a0a0002, 53, 1000, 17, 0, 0}));
}

TEST(Parse, NoPrefixOfAPacketIsReadPastItsEnd) {
  const Octets whole = packet().icmp(3, 3).payload(packet().tcp(1, 2).payload(20).ip()).frame();
  for (size_t length = 0; length < whole.size(); ++length) {
    const Octets part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
    EXPECT_NE(parse_frame(part).result, Parsed::ipv4) << length;
  }
}

TEST(Parse, GarbageNeverMakesItFail) {
  std::mt19937 random(1);
  for (int i = 0; i < 20000; ++i) {
    Octets frame(random() % 80);
    for (uint8_t& octet : frame) octet = static_cast<uint8_t>(random());
    if (frame.size() > 24) {
      frame[12] = 8;
      frame[13] = 0;
      frame[14] = 0x45;
    }
    EXPECT_NE(parse_frame(frame).result,
              Parsed::ipv4);  // a random header checksum is right once in 65536
  }
}

uint16_t tcp_checksum(const Octets& ip) {
  const uint32_t pseudo = load_be16(&ip[12]) + load_be16(&ip[14]) + load_be16(&ip[16]) +
                          load_be16(&ip[18]) + 6u + static_cast<uint32_t>(ip.size() - 20);
  return internet_checksum({&ip[20], ip.size() - 20}, pseudo);
}

TEST(Mss, IsLoweredAtAnyOffsetAndTheChecksumStaysRight) {
  for (const Octets& options : {Octets{2, 4, 0x05, 0xb4}, Octets{1, 2, 4, 0x05, 0xb4, 1, 1, 1}}) {
    Octets ip = packet().tcp(1, 2, 0x02, options).ip();
    store_be16(&ip[36], tcp_checksum(ip));
    EXPECT_TRUE(clamp_mss(ip, parse_ipv4(ip), 1394));
    EXPECT_EQ(tcp_checksum(ip), 0);
    EXPECT_FALSE(clamp_mss(ip, parse_ipv4(ip), 1400));
  }
  Octets no_syn = packet().tcp(1, 2, 0x10, {2, 4, 0x05, 0xb4}).ip();
  EXPECT_FALSE(clamp_mss(no_syn, parse_ipv4(no_syn), 1394));
  Octets broken = packet().tcp(1, 2, 0x02, {2, 40, 0x05, 0xb4}).ip();
  EXPECT_FALSE(clamp_mss(broken, parse_ipv4(broken), 1394));
}

TEST(Seal, EveryFlippedOctetIsFound) {
  Octets segment(kOuterHeader + 100 + kTag, 1);
  seal(segment, kOuterHeader, Octets(100, 7));
  EXPECT_TRUE(open(segment));
  for (uint8_t& octet : segment) {
    octet ^= 0x10;
    EXPECT_FALSE(open(segment));
    octet ^= 0x10;
  }
  EXPECT_FALSE(open(std::span(segment).first(20)));
}

TEST(Headers, OuterChecksumIsRightForAnyLengthAndIdentification) {
  Path path{.local = 0x0a010101, .remote = 0x0a010102};
  make_header(path, {}, {}, 9188);
  for (uint32_t n = 100; n < 60000; n += 777) {
    auto header = path.header;
    finish_header(header.data(), static_cast<uint16_t>(n), static_cast<uint16_t>(n * 31));
    EXPECT_EQ(internet_checksum({&header[14], 20}), 0);
    EXPECT_EQ(load_be16(&header[38]), n - 20);
  }
}

TEST(Beats, SurviveTheWireAndASillyIntervalKeepsNoPathAlive) {
  const Beat beat{1, 2, 3, 4, 5, 40'000, true};
  uint8_t wire[kBeatLength];
  store_beat(wire, beat);
  PathMeasure measure;
  Beat read = load_beat(wire);
  EXPECT_EQ(read.expected, 5u);
  EXPECT_TRUE(read.hears);
  read.interval_us = UINT32_MAX;
  measure.heard(1'000'000, 0);
  measure.beat_received(read, 1'000'000);
  EXPECT_TRUE(measure.alive(2'000'000));
  EXPECT_FALSE(measure.alive(2'000'000'000));
}

TEST(PlanTable, AnOldPlanStaysWhileAWorkerMayStillUseIt) {
  PlanTable table;
  table.worker_online(0);
  table.publish(3, std::make_unique<const Plan>(Plan{.generation = 1}));
  const Plan* seen = table.plan(3);
  table.publish(3, std::make_unique<const Plan>(Plan{.generation = 2}));
  table.reclaim();
  EXPECT_EQ(table.retired(), 1u);
  EXPECT_EQ(seen->generation, 1u);
  table.quiescent(0);
  table.reclaim();
  EXPECT_EQ(table.retired(), 0u);
  EXPECT_EQ(table.plan(3)->generation, 2u);
  table.worker_offline(0);
}

}  // namespace
}  // namespace anabranch::dataplane
