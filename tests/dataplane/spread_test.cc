// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/spread.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "dataplane/flow_table.h"
#include "dataplane/wire.h"
#include "tests/dataplane/packet_builder.h"

namespace anabranch::dataplane {
namespace {

constexpr Mac kHere{2, 1}, kThere{2, 2};

Bytes frame(uint16_t port, uint32_t number = 0) {
  return packet()
      .from("10.10.0.2")
      .to("10.20.0.2")
      .udp(port, 6000)
      .payload(100, number)
      .frame(kHere, kThere);
}

TEST(Spread, GivesAllPacketsOfAFlowToOneWorkerAndFlowsToAll) {
  for (const uint8_t workers : {1, 2, 3, 16}) {
    std::map<uint8_t, uint32_t> flows;
    for (uint16_t port = 1000; port < 2600; ++port) {
      const uint8_t worker = worker_of_flow(frame(port), workers);
      EXPECT_EQ(worker_of_flow(frame(port, 7), workers), worker);
      ++flows[worker];
    }
    ASSERT_EQ(flows.size(), workers);
    for (const auto& [worker, count] : flows) {
      EXPECT_LT(worker, workers);
      EXPECT_NEAR(count, 1600.0 / workers, 200.0 / workers + 25) << +worker;
    }
  }
}

TEST(Spread, LooksAtNoPortsOfFragments) {
  Bytes one = frame(1000), other = frame(2000);
  EXPECT_NE(hash_of_flow(one), hash_of_flow(other));
  one[14 + 6] = other[14 + 6] = 0x20;  // more fragments
  EXPECT_EQ(hash_of_flow(one), hash_of_flow(other));
}

TEST(Spread, ReadsNoFurtherThanTheFrame) {
  const Bytes whole = frame(1000);
  for (size_t size = 0; size <= whole.size(); ++size) {
    const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_LT(worker_of_flow(cut, 3), 3);
    sending_worker(cut, 0);
  }
  EXPECT_EQ(hash_of_flow(Bytes(60, 0xff)), 0u) << "no IP";
}

TEST(Spread, ReadsTheSendingWorkerOfASegment) {
  Bytes whole = frame(1000);
  store_outer(&whole[kEthernetHeader + kOuterIp], {.worker = 11, .path = 2});
  EXPECT_EQ(sending_worker(whole, 3), 11);
  whole.resize(kEthernetHeader + kOuterIp);
  EXPECT_EQ(sending_worker(whole, 3), 3) << "no segment";
}

TEST(Spread, GivesNoLaneToTwoWorkers) {
  for (const uint8_t workers : {1, 2, 3, 7, 16}) {
    std::set<uint8_t> taken;
    for (uint8_t worker = 0; worker < workers; ++worker) {
      std::set<uint8_t> own;
      for (uint32_t hash = 0; hash < 65536; ++hash) {
        for (const uint8_t protocol : {6, 17})
          own.insert(Flow{.key = {.protocol = protocol}, .hash = static_cast<uint16_t>(hash)}.lane(
              Lanes::of(worker, workers)));
      }
      EXPECT_EQ(own.size(), 2u * (Lanes::kHalf / workers));
      for (const uint8_t lane : own) EXPECT_TRUE(taken.insert(lane).second) << +lane;
    }
  }
}

}  // namespace
}  // namespace anabranch::dataplane
