// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/classify.h"

#include "dataplane/address.h"

#include <gtest/gtest.h>

#include "tests/dataplane/packet_builder.h"

namespace anabranch::dataplane {
namespace {

const FlowKey kWeb{address("10.10.0.2"), address("10.20.0.2"), 40000, 443, 6, 10, 0};

uint16_t classify(std::vector<Rule> rules, const FlowKey& key) {
  return Ruleset{.epoch = 1, .rules = std::move(rules)}.classify(key);
}

TEST(Classify, GivesTheHouseWhatNoRuleWants) {
  EXPECT_EQ(classify({}, kWeb), 0);
  EXPECT_EQ(classify({{.protocol = 17, .slot = 5}}, kWeb), 0);
}

TEST(Classify, KeepsIpv6ApartFromIpv4) {
  const FlowKey6 web{address6("2001:db8:1::2"), address6("2001:db8:2::2"), 40000, 443, 6, 10};
  const auto mask = mask_of<Uint128>(64);
  const Ruleset rules{
      .rules = {{.slot = 1}},
      .rules6 = {{.source = address6("2001:db8:1:1::"), .source_mask = mask, .slot = 2},
                 {.source = address6("2001:db8:1::"),
                  .source_mask = mask,
                  .destination = web.destination,
                  .destination_mask = ~Uint128{0},
                  .destination_port_from = 443,
                  .destination_port_to = 443,
                  .protocol = 6,
                  .slot = 3}}};
  EXPECT_EQ(rules.classify(web), 3);
  FlowKey6 other = web;
  other.destination += 1;
  EXPECT_EQ(rules.classify(other), 0);
  other = web;
  other.source = address6("2001:db8:1:1::2");
  EXPECT_EQ(rules.classify(other), 2);
  EXPECT_EQ(rules.classify(kWeb), 1);
}

TEST(Classify, LetsTheFirstRuleThatMatchesDecide) {
  EXPECT_EQ(classify({{.protocol = 17, .slot = 1}, {.protocol = 6, .slot = 2}, {.slot = 3}}, kWeb),
            2);
}

TEST(Classify, ComparesPrefixes) {
  const Rule rule{.source = address("10.10.0.0"),
                  .source_mask = 0xffff0000,
                  .destination = address("10.20.0.2"),
                  .destination_mask = 0xffffffff,
                  .slot = 1};
  EXPECT_EQ(classify({rule}, kWeb), 1);
  FlowKey other = kWeb;
  other.source = address("10.11.0.2");
  EXPECT_EQ(classify({rule}, other), 0);
  other = kWeb;
  other.destination = address("10.20.0.3");
  EXPECT_EQ(classify({rule}, other), 0);
}

TEST(Classify, IncludesBothEndsOfAPortRange) {
  const Rule rule{.source_port_from = 40000,
                  .source_port_to = 40010,
                  .destination_port_from = 440,
                  .destination_port_to = 443,
                  .slot = 1};
  FlowKey key = kWeb;
  for (const auto& [source, destination, slot] :
       std::vector<std::tuple<uint16_t, uint16_t, uint16_t>>{{40000, 443, 1},
                                                             {40010, 440, 1},
                                                             {39999, 443, 0},
                                                             {40011, 443, 0},
                                                             {40000, 444, 0},
                                                             {40000, 439, 0}}) {
    key.source_port = source;
    key.destination_port = destination;
    EXPECT_EQ(classify({rule}, key), slot) << source << " to " << destination;
  }
}

TEST(Classify, TellsDscpZeroFromAnyDscp) {
  FlowKey plain = kWeb;
  plain.dscp = 0;
  EXPECT_EQ(classify({{.dscp = 0, .slot = 1}, {.slot = 2}}, plain), 1);
  EXPECT_EQ(classify({{.dscp = 0, .slot = 1}, {.slot = 2}}, kWeb), 2);
  EXPECT_EQ(classify({{.dscp = 10, .slot = 1}}, kWeb), 1);
}

}  // namespace
}  // namespace anabranch::dataplane
