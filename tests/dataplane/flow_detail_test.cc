// SPDX-License-Identifier: BSD-3-Clause
// Accounts of flows add up to the meters, whatever happens on the way.
#include <map>
#include <set>

#include "tests/dataplane/two_gateways.h"

namespace anabranch::dataplane {
namespace {

constexpr uint64_t kServiceId = 4711;

WorkerOptions accounting(const FlowAccounts::Limits& limits) {
  WorkerOptions options;
  options.flow_accounts = limits;
  return options;
}

struct Detail {
  uint64_t octets = 0, overhead = 0, packets = 0;
  void add(uint64_t o, uint64_t h, uint64_t p) {
    octets += o;
    overhead += h;
    packets += p;
  }
};
using Cell = std::tuple<Place, Direction, Kind>;

class FlowDetail : public TwoGateways {
 protected:
  explicit FlowDetail(const FlowAccounts::Limits& limits = {.places = 1024}, uint8_t workers = 0)
      : TwoGateways(1024, workers, workers, accounting(limits)) {}

  void SetUp() override {
    for (Gateway* gateway : {&a(), &b()}) {
      gateway->meters.region().owners[kService] = kServiceId;
      gateway->meters.region().owners[kOtherService] = kServiceId + 1;
    }
    TwoGateways::SetUp();
  }

  // What there is of each flow: all that was handed out, and the rest.
  void gather(Gateway& gateway) {
    auto& [records, rest, is_complete] = gathered_[&gateway];
    is_complete = true;
    for (const auto& worker : gateway.worker->each()) {
      bool all = false;
      while (!all) {
        all = worker->accounts()->hand_out_all();
        for (AccountRecord record; worker->accounts()->take(record);) records.push_back(record);
      }
      for (uint8_t path = 0; path < kPathsMax; ++path) {
        for (size_t d = 0; d < kDirections; ++d) {
          for (size_t k = 0; k < kRestKinds; ++k) {
            const RestCell& cell = worker->accounts()->rest(kService).cells[path][d][k];
            rest[{path, static_cast<Direction>(d), static_cast<Kind>(k)}].add(
                cell.octets.get(), cell.overhead.get(), cell.packets.get());
          }
        }
      }
    }
  }

  void expect_sums(Gateway& gateway) {
    SCOPED_TRACE(testing::Message() << "site " << +gateway.site);
    std::map<Cell, Detail> sums = gathered_[&gateway].rest;
    for (const AccountRecord& record : gathered_[&gateway].records) {
      EXPECT_EQ(record.key.service, kServiceId);
      EXPECT_GT(record.packets, 0u);
      EXPECT_LE(record.first_ns, record.last_ns);
      sums[{record.key.place, record.key.direction(), record.key.kind()}].add(
          record.octets, record.overhead, record.packets);
    }
    for (uint8_t path = 1; path <= kPaths; ++path) {
      for (const Direction direction : {Direction::sent, Direction::received}) {
        uint64_t overhead = 0;
        for (const Kind kind : {Kind::first, Kind::repair, Kind::copy}) {
          SCOPED_TRACE(testing::Message()
                       << "path " << +path << " direction " << static_cast<int>(direction)
                       << " kind " << static_cast<int>(kind));
          const Detail& sum = sums[{path, direction, kind}];
          const MeterCell meter = gateway.meter(kService, path_place(path), direction, kind);
          EXPECT_EQ(sum.octets, meter.octets.get());
          EXPECT_EQ(sum.packets, meter.packets.get());
          overhead += sum.overhead;
        }
        EXPECT_EQ(
            overhead,
            gateway.meter(kService, path_place(path), direction, Kind::overhead).octets.get());
      }
    }
  }

  void TearDown() override {
    for (Gateway* gateway : {&a(), &b()}) {
      records(*gateway);
      expect_sums(*gateway);
    }
    TwoGateways::TearDown();
  }

  const std::vector<AccountRecord>& records(Gateway& gateway) {
    if (!gathered_[&gateway].is_complete) {
      settle();
      gather(gateway);
    }
    return gathered_[&gateway].records;
  }
  // What has left of itself.
  size_t take_handed_out(Gateway& gateway) {
    size_t count = 0;
    for (const auto& worker : gateway.worker->each()) {
      for (AccountRecord record; worker->accounts()->take(record); ++count)
        gathered_[&gateway].records.push_back(record);
    }
    return count;
  }
  uint64_t rest_packets(Gateway& gateway) {
    records(gateway);
    uint64_t packets = 0;
    for (const auto& [cell, detail] : gathered_[&gateway].rest) packets += detail.packets;
    return packets;
  }
  void talk(uint32_t packets, uint16_t flows = 7) {
    for (uint32_t n = 0; n < packets; ++n) {
      const auto port = static_cast<uint16_t>(3000 + n % flows * 7);
      const size_t size = 1 + n * 37 % 1400;
      a().host_sends(packet().udp(port, 53).payload(size, n).ip());
      b().host_sends(
          packet().from("10.20.0.2").to("10.10.0.2").tcp(53, port).payload(size / 2, n).ip());
      a().host_sends(packet6().udp(port, 54).payload(size / 3, n).ip());
      step();
    }
  }

 private:
  struct Gathered {
    std::vector<AccountRecord> records;
    std::map<Cell, Detail> rest;
    bool is_complete = false;
  };
  std::map<Gateway*, Gathered> gathered_;
};

TEST_F(FlowDetail, OfEachFlowPathAndDirectionIsItsOwnRecord) {
  talk(300);
  std::set<std::tuple<Address, uint16_t, uint16_t>> flows;
  for (const AccountRecord& record : records(a())) {
    EXPECT_EQ(record.key.kind(), Kind::first);
    flows.insert({record.key.source, record.key.source_port, record.key.destination_port});
  }
  EXPECT_EQ(flows.size(), 3u * 7);
  EXPECT_EQ(records(a()).size(), 3u * 7 * kPaths);
  EXPECT_EQ(rest_packets(a()), 0u);
  EXPECT_EQ(rest_packets(b()), 0u);
}

TEST_F(FlowDetail, WhatOneSendsTheOtherReceives) {
  talk(300);
  const auto of = [&](Gateway& gateway, Direction direction) {
    std::map<std::tuple<Address, uint16_t, uint16_t, Place>, uint64_t> octets;
    for (const AccountRecord& record : records(gateway)) {
      if (record.key.direction() == direction)
        octets[{record.key.source, record.key.source_port, record.key.destination_port,
                record.key.place}] += record.octets + record.overhead;
    }
    return octets;
  };
  EXPECT_EQ(of(a(), Direction::sent), of(b(), Direction::received));
  EXPECT_EQ(of(b(), Direction::sent), of(a(), Direction::received));
}

TEST_F(FlowDetail, RepairsAreOfTheFlowTheyRepair) {
  for (uint8_t path = 1; path <= kPaths; ++path) there(path).loss = back(path).loss = 0.1;
  talk(400);
  uint64_t repairs = 0;
  for (const AccountRecord& record : records(a())) {
    if (record.key.kind() == Kind::repair) repairs += record.packets;
  }
  EXPECT_GT(repairs, 20u);
  EXPECT_EQ(rest_packets(a()), 0u);
}

TEST_F(FlowDetail, CopiesAreOfTheFlowTheyAreOf) {
  for (Gateway* gateway : {&a(), &b()}) {
    gateway->dispersion = Dispersion::redundant;
    gateway->recovery = false;
  }
  admit_both(kShares);
  talk(200);
  uint64_t copies = 0;
  for (const AccountRecord& record : records(a())) {
    if (record.key.direction() == Direction::sent && record.key.kind() == Kind::copy)
      copies += record.packets;
  }
  EXPECT_GT(copies, 350u);
  EXPECT_EQ(rest_packets(a()), 0u);
}

TEST_F(FlowDetail, FragmentsAreOfTheirFlowWhereTheyAreSentAndOfTheRestWhereTheyArrive) {
  for (uint8_t path = 1; path <= kPaths; ++path) {
    there(path).mtu = back(path).mtu = 700;
    a().mtu[path] = b().mtu[path] = 700;
  }
  publish_paths();
  there(2).loss = 0.1;
  for (uint32_t n = 0; n < 200; ++n) {
    a().host_sends(datagram(n, 1200).ip());
    step();
  }
  EXPECT_GT(rest_packets(b()), 300u);
  uint64_t sent = 0;
  for (const AccountRecord& record : records(a())) {
    if (record.key.direction() == Direction::sent && record.key.kind() == Kind::first)
      sent += record.packets;
  }
  EXPECT_EQ(sent, first_sends(1) + first_sends(2) + first_sends(3));
}

TEST_F(FlowDetail, WhatAPortDoesNotAcceptIsNotCounted) {
  admit_both(only(1));
  // More than the uplink's ring holds, without the link taking any of it.
  for (uint32_t n = 0; n < 1000; ++n) a().host_sends(datagram(n).ip());
  for (uint32_t round = 0; round < 2; ++round) {
    now += step_ns;
    while (a().worker->poll(now) != 0) continue;
    for (uint32_t n = 0; n < 600; ++n) a().host_sends(datagram(n).ip());
  }
  settle();
  EXPECT_GT(a().drops(Drop::tx_full), 0u);
}

class FlowDetailOfMany : public FlowDetail {
 protected:
  // Far fewer places and records than flows.
  FlowDetailOfMany() : FlowDetail({.places = 64, .ring = 16}) {}
};

TEST_F(FlowDetailOfMany, AddsUpAllTheSame) {
  there(1).loss = 0.05;
  talk(500, 100);
  EXPECT_GT(rest_packets(a()), 0u);
  EXPECT_GT(records(a()).size(), 16u);
}

class FlowDetailInTime : public FlowDetail {
 protected:
  FlowDetailInTime() : FlowDetail({.active_ns = 5 * kSecond, .idle_ns = 2 * kSecond}) {}
};

TEST_F(FlowDetailInTime, LeavesWhileFlowsGoOn) {
  for (int i = 0; i < 12; ++i) {
    talk(20, 1);
    run_for(kSecond);
  }
  EXPECT_GE(take_handed_out(a()), 2u * 9) << "three flows on three paths, twice";
}

class FlowDetailOfTwoWorkers : public FlowDetail {
 protected:
  // Each attends ports for the other, too.
  FlowDetailOfTwoWorkers() : FlowDetail({.places = 1024}, 2) {}
};

TEST_F(FlowDetailOfTwoWorkers, IsAsOfOneForTheWorkerThatMadeAFrameCountsIt) {
  there(3).loss = 0.05;
  talk(300);
  EXPECT_EQ(rest_packets(a()), 0u);
  EXPECT_EQ(rest_packets(b()), 0u);
}

}  // namespace
}  // namespace anabranch::dataplane
