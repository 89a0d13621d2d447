// SPDX-License-Identifier: BSD-3-Clause
// An index of rules decides as going through them does.
#include "dataplane/rule_index.h"

#include <gtest/gtest.h>

#include <random>

#include "dataplane/address.h"
#include "dataplane/classify.h"

namespace anabranch::dataplane {
namespace {

// Numbers out of a small world, so that rules overlap and keys meet them.
class World {
 public:
  explicit World(uint32_t seed) : random_(seed) {}

  template <typename Rule, typename Number>
  Rule rule() {
    Rule r;
    r.source_mask = mask_of<Number>(length<Number>());
    r.source = address<Number>() & r.source_mask;
    r.destination_mask = mask_of<Number>(length<Number>());
    r.destination = address<Number>() & r.destination_mask;
    if (one_of(2) == 0) std::tie(r.source_port_from, r.source_port_to) = ports();
    if (one_of(2) == 0) std::tie(r.destination_port_from, r.destination_port_to) = ports();
    if (one_of(2) == 0) r.protocol = protocol();
    if (one_of(3) == 0) r.dscp = static_cast<int8_t>(dscp());
    r.slot = static_cast<uint16_t>(1 + one_of(1023));
    return r;
  }
  template <typename Key, typename Number>
  Key key() {
    return {.source = address<Number>(),
            .destination = address<Number>(),
            .source_port = port(),
            .destination_port = port(),
            .protocol = protocol(),
            .dscp = dscp()};
  }
  uint32_t one_of(uint32_t count) { return static_cast<uint32_t>(random_() % count); }

 private:
  // Few bits are set, anywhere.
  template <typename Number>
  Number address() {
    const Number first = Number{1} << (sizeof(Number) * 8 - 1);
    Number number = first >> one_of(3);
    for (int n = 0; n < 2; ++n) number |= first >> one_of(sizeof(Number) * 8);
    return number;
  }
  template <typename Number>
  uint8_t length() {
    return one_of(4) == 0 ? uint8_t{0} : static_cast<uint8_t>(one_of(sizeof(Number) * 8 + 1));
  }
  uint16_t port() { return std::array<uint16_t, 6>{0, 1, 80, 443, 0x8000, 65535}[one_of(6)]; }
  std::pair<uint16_t, uint16_t> ports() {
    const uint16_t a = port(), b = port();
    return {std::min(a, b), std::max(a, b)};
  }
  uint8_t protocol() { return std::array<uint8_t, 4>{1, 6, 17, 58}[one_of(4)]; }
  uint8_t dscp() { return std::array<uint8_t, 4>{0, 10, 46, 63}[one_of(4)]; }
  std::mt19937_64 random_;
};

template <typename Rule, typename Key, typename Number>
void judge(std::vector<Rule> Ruleset::*of) {
  uint32_t met = 0;
  for (uint32_t seed = 1; seed <= 12; ++seed) {
    World world(seed);
    Ruleset rules;
    for (uint32_t n = 1 + world.one_of(300); n != 0; --n)
      (rules.*of).push_back(world.rule<Rule, Number>());
    const RuleIndex index{std::span<const Rule>(rules.*of)};
    ASSERT_TRUE(index.is_made()) << "seed " << seed;
    for (int n = 0; n < 2000; ++n) {
      const Key key = world.key<Key, Number>();
      const uint16_t slot = rules.classify(key);
      ASSERT_EQ(index.classify(key), slot) << "seed " << seed << ", key " << n;
      met += slot != 0;
    }
  }
  EXPECT_GT(met, 4'000u);
  EXPECT_LT(met, 23'500u);
}

TEST(RuleIndex, DecidesByIpv4RulesAsGoingThroughThemDoes) {
  judge<Rule, FlowKey, uint32_t>(&Ruleset::rules);
}

TEST(RuleIndex, DecidesByIpv6RulesAsGoingThroughThemDoes) {
  judge<Rule6, FlowKey6, Uint128>(&Ruleset::rules6);
}

TEST(RuleIndex, IsMadeWhereThereAreManyRules) {
  Ruleset rules;
  for (uint32_t n = 1; n < Ruleset::kIndexFrom; ++n)
    rules.rules.push_back({.source = n, .source_mask = UINT32_MAX, .slot = 2});
  rules.make_index();
  EXPECT_FALSE(rules.index.is_made());
  rules.rules.push_back({.slot = 1});
  rules.make_index();
  EXPECT_TRUE(rules.index.is_made());
  EXPECT_FALSE(rules.index6.is_made());
  EXPECT_EQ(rules.classify(FlowKey{.source = 7}), 2);
  EXPECT_EQ(rules.classify(FlowKey{.source = 7000}), 1);
}

}  // namespace
}  // namespace anabranch::dataplane
