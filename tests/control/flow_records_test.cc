// SPDX-License-Identifier: BSD-3-Clause
// From accounts of flows to records with names, times and, if wanted, no hosts.
#include "control/flow_records.h"

#include <gtest/gtest.h>

#include "tests/control/example.h"
#include "tests/dataplane/temporary_folder.h"

namespace anabranch::control {
namespace {

using dataplane::Direction;
using dataplane::Kind;

constexpr uint64_t kMs = 1'000'000;
constexpr FlowRecords::Now kNow{.worker_ns = 1'000'000 * kMs, .wall_ms = 1'700'000'000'000};

FlowRecords::Now later(uint64_t ms) {
  return {kNow.worker_ns + ms * kMs, kNow.wall_ms + ms};
}

class FlowsToRecords : public testing::Test {
 protected:
  FlowRecords records(const std::string& more = "") {
    config_ = parse_config(text_of(example("site-a.toml")) +
                               "\n[flows]\ncollector = \"tcp://192.0.2.1:4739\"\n" + more,
                           "gateway.toml")
                  .value();
    return {config_, {&accounts_[0], &accounts_[1]}, meters_.region(), carrier_};
  }
  uint16_t admit(uint64_t id, const std::string& client) {
    return carrier_.add(id, client, {}, {}).value()->slot;
  }
  void send(uint64_t service, uint16_t slot, dataplane::Address from, dataplane::Address to,
            uint64_t at_ns, size_t worker = 0) {
    const dataplane::FlowName name{.source = from,
                                   .destination = to,
                                   .source_port = 5000,
                                   .destination_port = 443,
                                   .protocol = 17,
                                   .dscp = 46};
    auto& accounts = accounts_[worker];
    accounts.count(accounts.find(name, service, 2, Direction::sent, Kind::first, at_ns), slot, 2,
                   Direction::sent, Kind::first, 1000, 1066, at_ns);
  }
  // Of no flow.
  void rest(uint16_t slot, uint16_t inner, size_t worker = 0) {
    accounts_[worker].count(0, slot, 3, Direction::received, Kind::repair, inner,
                            static_cast<uint16_t>(inner + 66), 0);
  }
  void hand_out() {
    for (auto& accounts : accounts_) ASSERT_TRUE(accounts.hand_out_all());
  }

  const dataplane::TemporaryFolder folder_;
  dataplane::Meters meters_ = dataplane::Meters::open(folder_.file("meters"), 2).value();
  dataplane::PlanTable plans_;
  Carrier carrier_{plans_, meters_};
  dataplane::FlowAccounts accounts_[2]{dataplane::FlowAccounts({.places = 64}),
                                       dataplane::FlowAccounts({.places = 64})};
  Config config_;
};

const dataplane::Address kHost = dataplane::address_of(0x0a0a0002);
const dataplane::Address kServer = dataplane::address_of(0x0a140003);
const dataplane::Address kHost6 = parse_ipv6("2001:db8:1:2:3::4")->value;
const dataplane::Address kServer6 = parse_ipv6("2001:db8:2::5")->value;

std::string text_of_address(const billing::FlowRecord& record,
                            const std::array<uint8_t, 16>& address) {
  return to_string(record.family == billing::FlowRecord::Family::ipv4 ? ip_of_ipv4(address.data())
                                                                      : ip_of_ipv6(address.data()));
}

TEST_F(FlowsToRecords, HaveNamesAndTimes) {
  FlowRecords records = this->records();
  const uint16_t slot = admit(7, "acme");
  send(7, slot, kHost, kServer, kNow.worker_ns - 5000 * kMs);
  send(7, slot, kHost, kServer, kNow.worker_ns - 2000 * kMs);
  hand_out();
  const auto all = records.take(kNow);
  ASSERT_EQ(all.size(), 1u);
  const billing::FlowRecord& record = all[0];
  EXPECT_EQ(text_of_address(record, record.source), "10.10.0.2");
  EXPECT_EQ(text_of_address(record, record.destination), "10.20.0.3");
  EXPECT_EQ(record.source_port, 5000);
  EXPECT_EQ(record.destination_port, 443);
  EXPECT_EQ(record.class_of_service, 46 << 2);
  EXPECT_EQ(record.octets, 2132u);
  EXPECT_EQ(record.overhead_octets, 132u);
  EXPECT_EQ(record.packets, 2u);
  EXPECT_EQ(record.start_ms, kNow.wall_ms - 5000);
  EXPECT_EQ(record.end_ms, kNow.wall_ms - 2000);
  EXPECT_EQ(record.end, billing::FlowEnd::forced);
  EXPECT_EQ(record.path, 2);
  EXPECT_EQ(record.service, 7u);
  EXPECT_EQ(record.client, "acme");
  EXPECT_EQ(record.uplink, "mobile");
  EXPECT_EQ(record.provider, "airmobile");
}

TEST_F(FlowsToRecords, AreOfAllWorkersAndBothFamilies) {
  FlowRecords records = this->records();
  const uint16_t slot = admit(7, "acme");
  send(7, slot, kHost, kServer, kNow.worker_ns);
  send(7, slot, kHost6, kServer6, kNow.worker_ns + kMs, 1);  // a moment after `now` was taken
  hand_out();
  const auto all = records.take(kNow);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(text_of_address(all[1], all[1].source), "2001:db8:1:2:3::4");
  EXPECT_EQ(all[1].start_ms, kNow.wall_ms + 1);
}

TEST_F(FlowsToRecords, AnonymisedTellNetworksOnly) {
  FlowRecords records = this->records("anonymise = \"truncate\"");
  const uint16_t slot = admit(7, "acme");
  send(7, slot, kHost, kServer, kNow.worker_ns);
  send(7, slot, kHost6, kServer6, kNow.worker_ns, 1);
  hand_out();
  const auto all = records.take(kNow);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(text_of_address(all[0], all[0].source), "10.10.0.0");
  EXPECT_EQ(text_of_address(all[0], all[0].destination), "10.20.0.0");
  EXPECT_EQ(text_of_address(all[1], all[1].source), "2001:db8:1::");
  EXPECT_EQ(text_of_address(all[1], all[1].destination), "2001:db8:2::");
  EXPECT_EQ(all[0].source_port, 5000) << "ports stay";
}

TEST_F(FlowsToRecords, OfVisitorsAreTheirHomeGatewaysToTell) {
  FlowRecords records = this->records();
  const uint64_t visitor = Carried::kVisitor | 9;
  const uint16_t slot = admit(visitor, "acme");
  send(visitor, slot, kHost, kServer, kNow.worker_ns);
  rest(slot, 100);
  hand_out();
  EXPECT_TRUE(records.take(kNow).empty());
  EXPECT_TRUE(records.take_last(later(60'000)).empty());
}

TEST_F(FlowsToRecords, WhatIsOfNoFlowComesEachMinuteOnce) {
  FlowRecords records = this->records();
  const uint16_t slot = admit(7, "acme");
  EXPECT_TRUE(records.take(kNow).empty());
  rest(slot, 100);
  rest(slot, 200, 1);
  EXPECT_TRUE(records.take(later(59'999)).empty());
  rest(slot, 300);
  const auto all = records.take(later(60'000));
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].family, billing::FlowRecord::Family::none);
  EXPECT_EQ(all[0].octets, 600u + 3 * 66);
  EXPECT_EQ(all[0].overhead_octets, 3u * 66);
  EXPECT_EQ(all[0].packets, 3u);
  EXPECT_EQ(all[0].kind, billing::Kind::repair);
  EXPECT_EQ(all[0].direction, billing::Direction::received);
  EXPECT_EQ(all[0].uplink, "dsl");
  EXPECT_EQ(all[0].client, "acme");
  EXPECT_EQ(all[0].start_ms, kNow.wall_ms);
  EXPECT_EQ(all[0].end_ms, kNow.wall_ms + 60'000);
  EXPECT_TRUE(records.take(later(120'000)).empty());
  rest(slot, 50);
  const auto last = records.take_last(later(121'000));
  ASSERT_EQ(last.size(), 1u);
  EXPECT_EQ(last[0].octets, 116u);
}

TEST_F(FlowsToRecords, OfASlotThatWentToAnotherServiceEachHasItsOwn) {
  FlowRecords records = this->records();
  const uint16_t slot = admit(7, "acme");
  records.take(kNow);
  send(7, slot, kHost, kServer, kNow.worker_ns);
  rest(slot, 100);
  records.read_rest(later(1000));
  carrier_.forget(7);
  ASSERT_EQ(admit(8, "globex"), slot);
  send(8, slot, kHost, kServer, kNow.worker_ns);
  rest(slot, 10);
  const auto all = records.take_last(later(2000));
  std::map<uint64_t, uint64_t> octets;
  std::map<uint64_t, std::string> clients;
  for (const auto& record : all) {
    octets[record.service] += record.octets - record.overhead_octets;
    clients[record.service] = record.client;
  }
  EXPECT_EQ(octets, (std::map<uint64_t, uint64_t>{{7, 1100}, {8, 1010}}));
  EXPECT_EQ(clients, (std::map<uint64_t, std::string>{{7, "acme"}, {8, "globex"}}));
}

TEST_F(FlowsToRecords, AtTheEndAreAllThatAreLeft) {
  FlowRecords records = this->records();
  const uint16_t slot = admit(7, "acme");
  for (uint32_t host = 0; host < 50; ++host)
    send(7, slot, kHost + host, kServer, kNow.worker_ns, host % 2);
  EXPECT_EQ(records.take_last(kNow).size(), 50u);
}

}  // namespace
}  // namespace anabranch::control
