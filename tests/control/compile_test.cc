// SPDX-License-Identifier: BSD-3-Clause
// From clients' rules to what the data plane classifies by.
#include "control/compile.h"

#include <gtest/gtest.h>

#include "tests/control/messages.h"

namespace anabranch::control {
namespace {

uint32_t address(const char* text) {
  return parse_ipv4(text)->ipv4();
}
dataplane::Address address6(const char* text) {
  return parse_ipv6(text)->value;
}

TEST(Compile, PutsTheMoreSpecialRulesFirstOfEachFamily) {
  const auto rules = compile({{1, {rule("10.10.0.0/16", "10.20.0.0/16")}},
                              {2, {rule("2001:db8:1::/48", "2001:db8:2::/48")}},
                              {3, {rule("10.10.7.0/24", "10.20.0.0/16")}},
                              {4, {rule("2001:db8:1:7::/64", "2001:db8:2::/48")}}});
  ASSERT_EQ(rules->rules.size(), 2u);
  ASSERT_EQ(rules->rules6.size(), 2u);
  EXPECT_EQ(rules->classify(dataplane::FlowKey{address("10.10.7.1"), address("10.20.0.2")}), 3);
  EXPECT_EQ(rules->classify(dataplane::FlowKey{address("10.10.8.1"), address("10.20.0.2")}), 1);
  EXPECT_EQ(
      rules->classify(dataplane::FlowKey6{address6("2001:db8:1:7::1"), address6("2001:db8:2::2")}),
      4);
  EXPECT_EQ(
      rules->classify(dataplane::FlowKey6{address6("2001:db8:1:8::1"), address6("2001:db8:2::2")}),
      2);
  EXPECT_EQ(
      rules->classify(dataplane::FlowKey6{address6("2001:db8:1:8::1"), address6("2001:db8:3::2")}),
      0);
}

TEST(Compile, TakesIcmpForThatOfItsFamily) {
  TrafficRule icmp = rule("10.10.0.0/16", "0.0.0.0/0"), icmp6 = rule("2001:db8:1::/48", "::/0");
  icmp.protocol = icmp6.protocol = 1;
  const auto rules = compile({{1, {icmp}}, {2, {icmp6}}});
  EXPECT_EQ(rules->rules[0].protocol, 1);
  EXPECT_EQ(rules->rules6[0].protocol, 58);
  EXPECT_TRUE(rules->rules6[0].destination_mask == 0) << "everything";
}

TEST(Compile, ARuleWithoutDestinationIsMirroredInItsFamily) {
  for (const auto& [source, family_is_ipv4] :
       {std::pair{"10.10.0.0/24", true}, {"2001:db8:1::/48", false}}) {
    const auto request = parse_request({{"client", "acme"}, {"traffic", {{{"source", source}}}}});
    ASSERT_TRUE(request);
    EXPECT_EQ(mirrored(request->traffic)[0].source.is_ipv4(), family_is_ipv4);
    EXPECT_EQ(mirrored(request->traffic)[0].source.length, 0);
  }
}

}  // namespace
}  // namespace anabranch::control
