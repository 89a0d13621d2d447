// SPDX-License-Identifier: BSD-3-Clause
#include "tools/linkemu/requests.h"

#include <gtest/gtest.h>

#include <array>

namespace anabranch::linkemu {
namespace {

using nlohmann::json;

class Requests : public testing::Test {
 protected:
  json ask(const std::string& request) { return answer(lanes_, request); }

  std::vector<Lane> lanes_ = make_lanes(
      std::vector{*parse_link("name=fibre,a=1,b=2,rate=100Mbit/s,delay=10ms,delay.ba=12ms"),
                  *parse_link("name=mobile,a=3,b=4")},
      8, 1);
};

TEST_F(Requests, StatsTellTheSettingsOfEachDirection) {
  const json links = ask("stats").at("links");
  ASSERT_EQ(links.size(), 2u);
  EXPECT_EQ(links[0]["name"], "fibre");
  EXPECT_EQ(links[1]["name"], "mobile");
  const json& ab = links[0]["ab"];
  EXPECT_EQ(ab["up"], true);
  EXPECT_EQ(ab["rate_bps"], 100'000'000);
  EXPECT_EQ(ab["delay_ms"], 10.0);
  EXPECT_EQ(ab["jitter_ms"], 0.0);
  EXPECT_EQ(ab["loss_percent"], 0.0);
  EXPECT_EQ(ab["queue_ms"], 100.0);
  EXPECT_EQ(links[0]["ba"]["delay_ms"], 12.0);
}

TEST_F(Requests, StatsTellWhatBecameOfEachPacketByClass) {
  const std::array<uint8_t, 60> frame{};
  Direction& direction = lanes_[1].direction;
  direction.offer(0, frame, 60, {TrafficClass::tunnel, 46});
  std::array<Direction::Packet, 1> packet;
  ASSERT_EQ(direction.take(UINT64_MAX - 1, packet), 1u);
  direction.settle(packet[0], true);
  direction.offer(0, frame, 60, {TrafficClass::other, 46});
  direction.offer(0, frame, kFrameMax + 1, {TrafficClass::kernel, kFrameMax - 13});
  lanes_[1].socket_drops = 5;
  const json ba = ask("stats")["links"][0]["ba"];
  const json none{{"packets", 0}, {"octets", 0}}, one{{"packets", 1}, {"octets", 46}};
  EXPECT_EQ(ba["offered"]["tunnel"], one);
  EXPECT_EQ(ba["offered"]["other"], one);
  EXPECT_EQ(ba["delivered"], (json{{"tunnel", one}, {"kernel", none}, {"other", none}}));
  EXPECT_EQ(ba["dropped"]["too_long"]["kernel"],
            (json{{"packets", 1}, {"octets", kFrameMax - 13}}));
  for (const std::string_view reason : kDropNames)
    EXPECT_EQ(ba["dropped"][std::string(reason)]["tunnel"], none) << reason;
  EXPECT_EQ(ba["in_flight"], 1);
  EXPECT_EQ(ba["socket_drops"], 5);
}

TEST_F(Requests, ASetReachesTheDirectionsItNames) {
  EXPECT_EQ(ask("set fibre ab down"), (json{{"done", true}}));
  EXPECT_FALSE(lanes_[0].direction.settings().up);
  EXPECT_TRUE(lanes_[1].direction.settings().up);
  EXPECT_EQ(ask("set fibre both rate=5Mbit/s delay=40ms"), (json{{"done", true}}));
  for (const size_t lane : {0, 1}) {
    EXPECT_EQ(lanes_[lane].direction.settings().rate_bps, 5'000'000u);
    EXPECT_EQ(lanes_[lane].direction.settings().delay_ns, 40'000'000u);
  }
  EXPECT_EQ(lanes_[2].direction.settings(), Settings{});
}

TEST_F(Requests, ASetWithOneWrongChangeDoesNothing) {
  EXPECT_EQ(ask("set fibre both down rate=fast")["error"],
            "link fibre: rate = \"fast\": must be a rate from 1kbit/s to 100Gbit/s, such as "
            "100Mbit/s");
  EXPECT_TRUE(lanes_[0].direction.settings().up);
}

TEST_F(Requests, WhatIsNotUnderstoodIsAnsweredWithASentence) {
  EXPECT_EQ(ask("set dsl both up")["error"], "link \"dsl\": there is none of that name");
  EXPECT_EQ(ask("set fibre ac up")["error"], "direction \"ac\": must be ab, ba or both");
  for (const char* request : {"", " ", "stats now", "set", "set fibre", "set fibre ab", "frob"})
    EXPECT_TRUE(ask(request).contains("error")) << request;
}

TEST_F(Requests, DirectionsDrawFromSeedsOfTheirOwn) {
  const auto lost = [&](size_t lane) {
    Direction& direction = lanes_[lane].direction;
    Settings lossy = direction.settings();
    lossy.loss_percent = 50;
    direction.set(lossy);
    std::vector<bool> pattern;
    for (int i = 0; i < 64; ++i) {
      const auto before = direction.counters().dropped_for(Drop::loss).of(TrafficClass::other);
      direction.offer(0, {}, 0, {});
      pattern.push_back(direction.counters().dropped_for(Drop::loss).of(TrafficClass::other) !=
                        before);
    }
    return pattern;
  };
  EXPECT_NE(lost(0), lost(1));
}

TEST_F(Requests, TheTableNamesEveryLinkEveryReasonAndWhatIsNotCounted) {
  const std::array<uint8_t, 60> frame{};
  lanes_[2].direction.offer(0, frame, kFrameMax + 1, {TrafficClass::kernel, 1505});
  lanes_[3].socket_drops = 17;
  const std::string table = stats_table(ask("stats"));
  for (const char* part : {"fibre ab: up, 100 Mbit/s, delay 10 ms", "mobile ba: up, no rate limit",
                           "too_long 1", "the socket dropped 17 packets"})
    EXPECT_NE(table.find(part), std::string::npos) << part << "\n" << table;
}

}  // namespace
}  // namespace anabranch::linkemu
