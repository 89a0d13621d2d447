// SPDX-License-Identifier: BSD-3-Clause
// Packets that are cut on their way between two gateways.
#include "dataplane/parse.h"
#include "dataplane/seal.h"
#include "tests/dataplane/test_keys.h"
#include "tests/dataplane/two_gateways.h"

namespace anabranch::dataplane {
namespace {

class Fragments : public TwoGateways {
 protected:
  // The paths are told their MTU, and carry no more.
  void narrow(uint8_t path, uint16_t mtu) {
    there(path).mtu = back(path).mtu = mtu;
    for (Gateway* gateway : {&a(), &b()}) {
      gateway->mtu[path] = mtu;
      gateway->plans.publish(std::make_unique<const PathTable>(gateway->paths()));
    }
    admit_both(kShares);
  }
  // What a sends on path 1, as it would seal it.
  void inject(const Inner& inner, const Bytes& data) {
    Bytes content(inner.length());
    store_inner(content.data(), inner);
    content = content + data;
    const Outer outer{.type = SegmentType::data,
                      .path = 1,
                      .key_phase = 1,
                      .receiver_index = b().plans.plan(kService)->receiver_index,
                      .packet_number = number_++};
    Bytes segment(kOuterHeader + content.size() + kTag);
    seal(*test_keys(1, 1, {1})->send, outer, content, segment.data());
    there(1).inject(frame_on(a().paths().paths[1], segment));
  }
  uint64_t number_ = 1'000'000;
};

TEST_F(Fragments, CarryWhatDoesNotFitAPathUnchangedAndInOrder) {
  narrow(1, 700);
  narrow(2, 1000);
  narrow(3, 576);
  admit_both(kShares);
  std::vector<Bytes> expected;
  for (uint32_t n = 0; n < 400; ++n) {
    const size_t size = 1 + n * 7 % 1472;
    a().host_sends(datagram(n, size).ip());
    expected.push_back(datagram(n, size).ttl(62).ip());
    if (n % 2 == 0) step();
  }
  settle();
  EXPECT_EQ(b().hosts_received(), expected);
  EXPECT_EQ(counters(a()).dropped() + counters(b()).dropped(), 0u);
  EXPECT_GT(there(3).entered().packets, 3u * first_sends(3) / 4);
}

TEST_F(Fragments, CarryAFullPacketOfTheLanOverPathsOfFullSize) {
  a().host_sends(datagram(0, 1472).ip());
  settle();
  EXPECT_EQ(b().hosts_received(), datagrams_two_hops_on(1, 1472));
  uint64_t fragments = 0;
  for (uint8_t path = 1; path <= kPaths; ++path) fragments += first_sends(path);
  EXPECT_EQ(fragments, 2u);
}

TEST_F(Fragments, AreRepairedOneByOneAndCutAgainForAPathThatIsNarrower) {
  narrow(2, 700);
  there(1).loss = there(2).loss = there(3).loss = 0.2;
  send_datagrams(0, 300);
  // What was cut for 700 octets, and what was whole, now has to fit 576.
  there(1).dead = back(1).dead = there(3).dead = back(3).dead = true;
  narrow(2, 576);
  there(2).loss = 0.2;
  settle();
  EXPECT_EQ(b().hosts_received(), datagrams_two_hops_on(300));
  EXPECT_GT(counters(a()).repaired.get(), 100u);
  EXPECT_EQ(b().drops(Drop::incomplete), 0u);
}

TEST_F(Fragments, AreTheOnlyWayForLargePacketsOverABlackHoleThatWasFoundOut) {
  admit_both(only(2));
  there(2).mtu = 1100;  // and nobody says so
  send_datagrams(0, 1);
  for (uint32_t n = 1; n < 40; ++n) {
    a().host_sends(datagram(n, 100).ip());
    a().host_sends(datagram(n, 1200).ip());
    run_for(300 * kMillisecond);
  }
  EXPECT_LE(a().worker->telemetry(2).fits_octets.get(), Fit::kAlways);
  b().hosts_received();
  a().host_sends(datagram(0, 1200).ip());
  run_for(100 * kMillisecond);
  EXPECT_EQ(b().hosts_received(), datagrams_two_hops_on(1, 1200));
}

TEST_F(Fragments, MakeAPacketInAnyOrderOnceHoweverOftenTheyCome) {
  const Bytes whole = datagram(0, 1000).ttl(63).ip();
  const auto piece = [&](size_t from, size_t to) {
    const uint8_t more = to < whole.size() ? kInnerMore : uint8_t{0};
    inject({.flags = static_cast<uint8_t>(kInnerFragment | more),
            .sn = 0,
            .offset = static_cast<uint16_t>(from)},
           Bytes(whole.begin() + static_cast<std::ptrdiff_t>(from),
                 whole.begin() + static_cast<std::ptrdiff_t>(to)));
    run_for(5 * kMillisecond);
  };
  piece(600, whole.size());
  piece(600, whole.size());
  piece(100, 700);
  EXPECT_TRUE(b().hosts_received().empty());
  piece(0, 300);
  EXPECT_EQ(b().hosts_received(), datagrams_two_hops_on(1, 1000));
  piece(0, 300);
  settle();
  EXPECT_TRUE(b().hosts_received().empty());
  EXPECT_EQ(b().drops(Drop::duplicate), 2u);
}

TEST_F(Fragments, ThatContradictEachOtherAreRefused) {
  inject({.flags = kInnerFragment, .sn = 0, .offset = 100}, Bytes(100));
  run_for(kMillisecond);
  inject({.flags = kInnerFragment | kInnerMore, .sn = 0, .offset = 150}, Bytes(100));
  inject({.flags = kInnerFragment, .sn = 0, .offset = 50}, Bytes(100));
  inject({.flags = kInnerFragment, .sn = 1, .offset = 1490}, Bytes(20));
  run_for(10 * kMillisecond);
  EXPECT_EQ(b().drops(Drop::bad_inner), 3u);
  settle();
  EXPECT_EQ(b().drops(Drop::incomplete), 1u);
}

TEST_F(Fragments, OfMorePacketsThanAreKeptGiveWayTheOldestFirst) {
  constexpr uint32_t kMany = 2 * Reassembler::kPackets;
  for (uint32_t sn = 0; sn < kMany; ++sn) {
    inject({.flags = kInnerFragment | kInnerMore, .sn = sn}, Bytes(10));
    if (sn % 20 == 0) run_for(kMillisecond);
  }
  run_for(10 * kMillisecond);
  EXPECT_EQ(counters(b()).held.get(), uint64_t{Reassembler::kPackets});
  EXPECT_EQ(b().drops(Drop::incomplete), kMany - Reassembler::kPackets);
  settle();
  EXPECT_EQ(b().drops(Drop::incomplete), kMany);
}

TEST_F(Fragments, TakeSeveralSlowPathsAtOnceWhenThatIsSooner) {
  for (Gateway* gateway : {&a(), &b()}) gateway->dispersion = Dispersion::earliest_delivery;
  admit_both(kShares);
  a().rate_bps = {0, 500'000, 500'000, 500'000};
  a().plans.publish(std::make_unique<const PathTable>(a().paths()));
  for (uint8_t path = 1; path <= kPaths; ++path) there(path).rate_bps = 500'000;
  run_for(kSecond);
  a().host_sends(datagram(0, 1200).ip());
  // Whole, it would be there after 31 ms on any of them.
  run_for(20 * kMillisecond);
  EXPECT_EQ(b().hosts_received(), datagrams_two_hops_on(1, 1200));
  for (uint8_t path = 1; path <= kPaths; ++path) EXPECT_EQ(first_sends(path), 1u);
}

TEST_F(Fragments, ThatMetCongestionMarkTheirPacket) {
  Bytes whole = datagram(0, 1000).ttl(63).ip();
  whole[1] = 2;  // ECT(0)
  store_be16(&whole[10], 0);
  store_be16(&whole[10], internet_checksum(std::span(whole).first(20)));
  narrow(1, 700);
  admit_both(only(1));
  there(1).marks = true;
  a().host_sends(whole);
  settle();
  const auto received = b().hosts_received();
  ASSERT_EQ(received.size(), 1u);
  EXPECT_EQ(received[0][1] & 3, 3);
  EXPECT_TRUE(checksums_are_right(received[0]));
}

// RFC 6040 4.1 and 4.2.
TEST_F(Fragments, AndWholePacketsBearTheMarksOfTheWay) {
  admit_both(only(1));
  there(1).marks = true;
  for (uint8_t ecn = 0; ecn < 4; ++ecn) {
    Bytes ip = datagram(ecn, 100).ip();
    ip[1] = ecn;
    store_be16(&ip[10], 0);
    store_be16(&ip[10], internet_checksum(std::span(ip).first(20)));
    a().host_sends(ip);
  }
  settle();
  const auto received = b().hosts_received();
  ASSERT_EQ(received.size(), 4u);
  EXPECT_EQ(received[0][1], 0) << "who knows no marks is not marked on the way";
  for (size_t i = 1; i < 4; ++i) EXPECT_EQ(received[i][1], 3);
}

}  // namespace
}  // namespace anabranch::dataplane
