// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/neighbours.h"

#include <gtest/gtest.h>

#include "tests/dataplane/packet_builder.h"

namespace anabranch::dataplane {
namespace {

Mac mac_of(uint32_t n) {
  return {2,
          0,
          static_cast<uint8_t>(n >> 24),
          static_cast<uint8_t>(n >> 16),
          static_cast<uint8_t>(n >> 8),
          static_cast<uint8_t>(n)};
}

TEST(Neighbours, AreFoundWhereverTheyCollideAndOnlyThey) {
  for (const uint32_t stride : {1u, 128u, 65536u}) {
    std::vector<std::pair<uint32_t, Mac>> known;
    for (uint32_t i = 0; i < 1000; ++i) {
      const uint32_t ip = address("10.10.0.1") + i * stride;
      known.emplace_back(ip, mac_of(ip));
    }
    const NeighbourTable table(known);
    for (const auto& [ip, mac] : known) {
      ASSERT_NE(table.find(ip), nullptr);
      EXPECT_EQ(*table.find(ip), mac);
      if (stride > 1) {
        EXPECT_EQ(table.find(ip + 1), nullptr);
      }
    }
    EXPECT_EQ(table.find(address("10.9.255.255")), nullptr);
  }
}

TEST(Neighbours, OfIpv6AreFoundWhereverTheyCollideAndOnlyThey) {
  for (const int shift : {0, 16, 64, 100}) {
    std::vector<std::pair<Uint128, Mac>> known;
    const Uint128 network = address6("2001:db8::1");
    for (uint32_t i = 0; i < 1000; ++i)
      known.emplace_back(network + (Uint128{i} << shift), mac_of(i));
    const NextHops<Uint128> table(known);
    for (const auto& [ip, mac] : known) {
      ASSERT_NE(table.find(ip), nullptr);
      EXPECT_EQ(*table.find(ip), mac);
    }
    EXPECT_EQ(table.find(address6("2001:db7:ffff::")), nullptr);
    EXPECT_EQ(table.find(0), nullptr);
  }
}

TEST(Neighbours, OfAnEmptyTableAreNone) {
  const NeighbourTable table;
  EXPECT_EQ(table.find(address("10.10.0.1")), nullptr);
  EXPECT_EQ(table.find(0), nullptr);
  EXPECT_FALSE(table.is_behind(address("10.10.0.1")));
}

TEST(Neighbours, HaveTheMacThatWasLearntLast) {
  const std::vector<std::pair<uint32_t, Mac>> known{{1, mac_of(1)}, {2, mac_of(2)}, {1, mac_of(3)}};
  EXPECT_EQ(*NeighbourTable(known).find(1), mac_of(3));
}

TEST(Neighbours, OnTheLanAreTheirOwnNextHopAndTheRestIsBehindTheGateway) {
  NeighbourTable table;
  table.on_link = {address("10.10.0.0"), 0xffffff00};
  table.gateway = address("10.10.0.254");
  table.behind = {{address("10.10.0.0"), 0xffff0000}, {address("10.99.0.0"), 0xffffff00}};
  EXPECT_EQ(table.next_hop(address("10.10.0.7")), address("10.10.0.7"));
  EXPECT_EQ(table.next_hop(address("10.10.1.7")), address("10.10.0.254"));
  EXPECT_TRUE(table.is_behind(address("10.10.255.1")));
  EXPECT_TRUE(table.is_behind(address("10.99.0.1")));
  EXPECT_FALSE(table.is_behind(address("10.99.1.1")));
}

}  // namespace
}  // namespace anabranch::dataplane
