// SPDX-License-Identifier: BSD-3-Clause
// Accounts of flows alone: what is counted is handed out once, or rests.
#include "dataplane/flow_accounts.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <thread>

#include "tests/dataplane/packet_builder.h"
#include "tests/dataplane/units.h"

namespace anabranch::dataplane {
namespace {

constexpr uint16_t kSlot = 5;
constexpr uint64_t kService = 77;

class Accounts : public testing::Test {
 protected:
  // Four sets of eight.
  FlowAccounts accounts_{{.active_ns = 60 * kSecond,
                          .idle_ns = 15 * kSecond,
                          .ended_ns = kSecond,
                          .places = 32,
                          .ring = 16}};
  uint64_t now_ = 1000 * kSecond;

  FlowName flow(uint16_t port, uint8_t tcp_flags = 0) {
    return {.source = address_of(0x0a0a0002),
            .destination = address_of(0x0a140002),
            .source_port = port,
            .destination_port = 443,
            .protocol = 6,
            .tcp_flags = tcp_flags};
  }
  FlowAccounts::Ref find(const FlowName& name, Kind kind = Kind::first, Place place = 1) {
    return accounts_.find(name, kService, place, Direction::sent, kind, now_);
  }
  void count(FlowAccounts::Ref ref, Kind kind = Kind::first, Place place = 1) {
    accounts_.count(ref, kSlot, place, Direction::sent, kind, 1000, 1066, now_);
  }
  void send(uint16_t port, uint8_t tcp_flags = 0) { count(find(flow(port, tcp_flags))); }
  std::vector<AccountRecord> taken() {
    std::vector<AccountRecord> records;
    for (AccountRecord record; accounts_.take(record);) records.push_back(record);
    return records;
  }
  void age() { accounts_.age(now_, accounts_.places()); }
  uint64_t rest_packets() const { return accounts_.rest(kSlot).cells[1][0][0].packets.get(); }
};

TEST_F(Accounts, OfAFlowThatPausesAreHandedOutWithAllThatWasCounted) {
  send(1, 0x02);
  now_ += kSecond;
  send(1, 0x10);
  now_ += 15 * kSecond - 1;
  age();
  EXPECT_TRUE(taken().empty());
  now_ += 1;
  age();
  const auto records = taken();
  ASSERT_EQ(records.size(), 1u);
  const AccountRecord& record = records[0];
  EXPECT_EQ(record.octets, 2000u);
  EXPECT_EQ(record.overhead, 2 * 66u);
  EXPECT_EQ(record.packets, 2u);
  EXPECT_EQ(record.first_ns, 1000 * kSecond);
  EXPECT_EQ(record.last_ns, 1001 * kSecond);
  EXPECT_EQ(record.end, FlowEnd::idle);
  EXPECT_EQ(record.tcp_flags, 0x12);
  EXPECT_EQ(record.key.service, kService);
  EXPECT_EQ(record.key.source_port, 1);
  EXPECT_EQ(record.key.place, 1);
  EXPECT_EQ(record.key.direction(), Direction::sent);
  EXPECT_EQ(record.key.kind(), Kind::first);
  EXPECT_EQ(accounts_.size(), 0u);
}

TEST_F(Accounts, OfAFlowThatGoesOnAreHandedOutEachMinute) {
  for (int second = 0; second < 130; ++second, now_ += kSecond) {
    send(1);
    age();
  }
  const auto records = taken();
  ASSERT_EQ(records.size(), 2u);
  for (const AccountRecord& record : records) {
    EXPECT_EQ(record.end, FlowEnd::active);
    EXPECT_EQ(record.packets, 61u);
  }
  EXPECT_EQ(records[1].first_ns, records[0].last_ns + kSecond) << "nothing is told twice";
}

TEST_F(Accounts, OfAConnectionThatEndedAreHandedOutSoon) {
  send(1, 0x10);
  send(2, 0x11);  // FIN
  send(3, 0x04);  // RST
  now_ += kSecond;
  age();
  const auto records = taken();
  ASSERT_EQ(records.size(), 2u);
  for (const AccountRecord& record : records) EXPECT_EQ(record.end, FlowEnd::ended);
}

TEST_F(Accounts, EachPathDirectionKindServiceAndDscpHasItsOwn) {
  FlowName other = flow(1);
  other.dscp = 46;
  const std::vector<FlowAccounts::Ref> all{
      find(flow(1)),
      find(flow(1), Kind::repair),
      find(flow(1), Kind::first, 2),
      find(other),
      accounts_.find(flow(1), kService, 1, Direction::received, Kind::first, now_),
      accounts_.find(flow(1), kService + 1, 1, Direction::sent, Kind::first, now_)};
  EXPECT_EQ(std::set<FlowAccounts::Ref>(all.begin(), all.end()).size(), all.size());
  EXPECT_EQ(find(flow(1)), all[0]) << "and keeps it";
}

TEST_F(Accounts, WithoutRoomTheOldestIsHandedOutEarly) {
  for (uint16_t port = 1; port <= 40; ++port, now_ += 1000) send(port);
  const auto records = taken();
  EXPECT_GE(records.size(), 8u);
  for (const AccountRecord& record : records) EXPECT_EQ(record.end, FlowEnd::no_room);
  EXPECT_EQ(records.size() + accounts_.size(), 40u);
  EXPECT_EQ(rest_packets(), 0u);
}

TEST_F(Accounts, WithoutRoomInTheRingNothingIsLost) {
  for (uint16_t port = 1; port <= 200; ++port, now_ += 1000) send(port);
  EXPECT_EQ(accounts_.size(), 32u);
  EXPECT_EQ(rest_packets(), 200u - 32 - 16) << "what has no place is of no flow";
  now_ += 60 * kSecond;
  age();
  EXPECT_EQ(accounts_.size(), 32u) << "it waits in its place";
  uint64_t packets = rest_packets();
  for (int i = 0; i < 3; ++i) {
    for (const AccountRecord& record : taken()) packets += record.packets;
    age();
  }
  EXPECT_EQ(packets, 200u);
  EXPECT_EQ(accounts_.size(), 0u);
}

TEST_F(Accounts, WhatLostItsPlaceBeforeItLeftIsOfNoFlow) {
  const FlowAccounts::Ref ref = find(flow(1));
  count(ref);
  now_ += 15 * kSecond;
  age();
  ASSERT_EQ(taken().size(), 1u);
  count(ref);
  EXPECT_EQ(rest_packets(), 1u);
  send(1);
  count(ref);
  EXPECT_EQ(rest_packets(), 2u) << "also when the flow has a place again";
  EXPECT_EQ(accounts_.rest_slots(0), uint64_t{1} << kSlot);
}

TEST_F(Accounts, WhatWasNeverSentLeavesNoRecord) {
  find(flow(1));
  now_ += 60 * kSecond;
  age();
  EXPECT_EQ(accounts_.size(), 0u);
  EXPECT_TRUE(taken().empty());
}

TEST_F(Accounts, AtTheEndAllAreHandedOutAsTheReaderTakesThem) {
  for (uint16_t port = 1; port <= 20; ++port, now_ += 1000) send(port);
  size_t records = taken().size();
  while (!accounts_.hand_out_all()) {
    const auto some = taken();
    ASSERT_FALSE(some.empty());
    records += some.size();
  }
  for (const AccountRecord& record : taken()) {
    EXPECT_EQ(record.end, FlowEnd::forced);
    ++records;
  }
  EXPECT_EQ(records, 20u);
}

TEST_F(Accounts, SumsAreExactWhateverComes) {
  std::mt19937 random(1);
  struct Sum {
    uint64_t octets = 0, overhead = 0, packets = 0;
    bool operator==(const Sum&) const = default;
  };
  using Cell = std::tuple<Place, Direction, Kind>;
  std::map<Cell, Sum> expected, told;
  const auto take_some = [&](int most) {
    for (AccountRecord record; most > 0 && accounts_.take(record); --most) {
      Sum& sum = told[{record.key.place, record.key.direction(), record.key.kind()}];
      sum.octets += record.octets;
      sum.overhead += record.overhead;
      sum.packets += record.packets;
    }
  };
  std::vector<std::pair<FlowAccounts::Ref, Cell>> queued;
  for (int i = 0; i < 200'000; ++i) {
    const Cell cell{static_cast<Place>(1 + random() % 3), static_cast<Direction>(random() % 2),
                    static_cast<Kind>(random() % kRestKinds)};
    const auto& [place, direction, kind] = cell;
    const auto port = static_cast<uint16_t>(random() % 30);
    queued.emplace_back(accounts_.find(flow(port), kService, place, direction, kind, now_), cell);
    if (random() % 8 == 0) {
      for (const auto& [ref, of] : queued) {
        const auto inner = static_cast<uint16_t>(1 + random() % 1434);
        const auto outer = static_cast<uint16_t>(inner + 66);
        accounts_.count(ref, kSlot, std::get<0>(of), std::get<1>(of), std::get<2>(of), inner, outer,
                        now_);
        Sum& sum = expected[of];
        sum.octets += inner;
        sum.overhead += 66;
        ++sum.packets;
      }
      queued.clear();
    }
    now_ += random() % (kSecond / 10);
    accounts_.age(now_, random() % 4);
    if (random() % 16 == 0) take_some(static_cast<int>(random() % 16));
  }
  for (const auto& [ref, of] : queued) {
    accounts_.count(ref, kSlot, std::get<0>(of), std::get<1>(of), std::get<2>(of), 10, 76, now_);
    Sum& sum = expected[of];
    sum.octets += 10;
    sum.overhead += 66;
    ++sum.packets;
  }
  while (!accounts_.hand_out_all()) take_some(100);
  take_some(100);
  EXPECT_GT(rest_packets(), 0u);
  for (auto& [cell, sum] : expected) {
    const auto& [place, direction, kind] = cell;
    const RestCell& rest =
        accounts_.rest(kSlot)
            .cells[place][static_cast<size_t>(direction)][static_cast<size_t>(kind)];
    told[cell].octets += rest.octets.get();
    told[cell].overhead += rest.overhead.get();
    told[cell].packets += rest.packets.get();
    EXPECT_GT(told[cell].packets, rest.packets.get());
  }
  EXPECT_EQ(told, expected);
}

TEST_F(Accounts, AreTakenByAnotherThread) {
  constexpr uint64_t kCount = 100'000;
  std::atomic<bool> done{false};
  uint64_t packets = 0;
  std::thread reader([&] {
    AccountRecord record;
    for (;;) {
      const bool last = done.load(std::memory_order_acquire);
      while (accounts_.take(record)) packets += record.packets;
      if (last) return;
    }
  });
  for (uint64_t i = 0; i < kCount; ++i, now_ += 1000) send(static_cast<uint16_t>(i % 1000));
  while (!accounts_.hand_out_all()) std::this_thread::yield();
  done.store(true, std::memory_order_release);
  reader.join();
  EXPECT_EQ(packets + rest_packets(), kCount);
}

TEST(FlowNames, AreOfBothFamilies) {
  const auto tcp =
      name_flow(packet().from("10.10.0.2").to("10.20.0.3").tcp(1234, 80).syn().dscp(46).ip());
  ASSERT_TRUE(tcp);
  EXPECT_EQ(tcp->source, address_of(address("10.10.0.2")));
  EXPECT_EQ(tcp->destination, address_of(address("10.20.0.3")));
  EXPECT_EQ(tcp->source_port, 1234);
  EXPECT_EQ(tcp->destination_port, 80);
  EXPECT_EQ(tcp->protocol, 6);
  EXPECT_EQ(tcp->dscp, 46);
  EXPECT_EQ(tcp->tcp_flags, 0x02);
  const auto udp = name_flow(packet6().udp(5000, 6000).payload(100).ip());
  ASSERT_TRUE(udp);
  EXPECT_EQ(udp->source, address6("2001:db8:1::2"));
  EXPECT_EQ(udp->destination, address6("2001:db8:2::2"));
  EXPECT_EQ(udp->destination_port, 6000);
  EXPECT_EQ(udp->protocol, 17);
  EXPECT_EQ(udp->tcp_flags, 0);
}

TEST(FlowNames, AFragmentAndWhatIsCutOffHaveNoFlags) {
  const auto fragment = name_flow(packet().tcp(1, 2).syn().payload(800).fragment(0, true).ip());
  ASSERT_TRUE(fragment);
  EXPECT_EQ(fragment->tcp_flags, 0);
  EXPECT_EQ(fragment->source_port, 0);
  EXPECT_FALSE(name_flow({}));
  const Bytes whole = packet().tcp(1, 2).payload(100).ip();
  for (size_t length = 0; length < 20; ++length)
    EXPECT_FALSE(name_flow(std::span(whole).first(length))) << length;
}

}  // namespace
}  // namespace anabranch::dataplane
