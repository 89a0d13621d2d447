// SPDX-License-Identifier: BSD-3-Clause
// Paths whose quota is used up: the workers leave them by themselves, control does nothing.
#include "dataplane/path_limits.h"

#include <numeric>

#include "tests/dataplane/two_gateways.h"

namespace anabranch::dataplane {
namespace {

constexpr uint64_t kPacketMost = 1500;

class Limited : public TwoGateways {
 protected:
  explicit Limited(uint8_t workers = 0) : TwoGateways(1024, workers, workers) {}

  // As control hands them out: each worker of `gateway` may put so many more octets on the path.
  void limit(Gateway& gateway, uint8_t path, const std::vector<uint64_t>& each,
             uint64_t slow_bps = 0) {
    auto table = std::make_unique<LimitTable>();
    table->version = ++version_;
    PathLimit& limit = table->paths[path];
    limit.slow_pace = pace_of(slow_bps);
    for (size_t w = 0; w < gateway.worker->each().size(); ++w)
      limit.until[w] = gateway.worker->each()[w]->telemetry(path).given.get() + each.at(w);
    gateway.plans.publish(std::move(table));
  }
  std::vector<uint64_t> for_each_worker(uint64_t octets) {
    return std::vector<uint64_t>(a().worker->each().size(), octets);
  }
  // What clients have sent on a path, with its headers.
  uint64_t clients_sent(Gateway& gateway, uint8_t path) const {
    uint64_t sum = 0;
    for (const Kind kind : {Kind::first, Kind::repair, Kind::copy, Kind::overhead})
      sum += gateway.meter(kService, path_place(path), Direction::sent, kind).octets.get();
    return sum;
  }
  uint64_t workers() { return a().worker->each().size(); }

 private:
  uint64_t version_ = 0;
};

TEST_F(Limited, PathIsLeftInTheMiddleOfABurstAndTheOthersCarryOn) {
  constexpr uint64_t kLeft = 10'000;
  limit(a(), 1, for_each_worker(kLeft));
  send_datagrams(0, 400, 32);
  settle();
  EXPECT_EQ(b().hosts_received(), datagrams_two_hops_on(400));
  EXPECT_GT(clients_sent(a(), 1), 0u);
  EXPECT_LE(clients_sent(a(), 1), workers() * (kLeft + kPacketMost));
  EXPECT_GT(counters(a()).diverted.get(), 0u);
  EXPECT_EQ(counters(a()).dropped(), 0u);
}

TEST_F(Limited, NothingButBeatsAndTheLikeFollowsHoweverLongControlIsAway) {
  limit(a(), 1, for_each_worker(5'000));
  send_datagrams(0, 200);
  settle();
  const uint64_t sent = clients_sent(a(), 1);
  const uint64_t all = a().metered(path_place(1), Direction::sent);
  send_datagrams(200, 2000);
  settle();
  EXPECT_EQ(clients_sent(a(), 1), sent);
  EXPECT_GT(a().metered(path_place(1), Direction::sent), all) << "its beats go on";
  EXPECT_NE(a().worker->telemetry(1).alive.get(), 0u);
}

TEST_F(Limited, PathIsTakenAgainWhenMoreIsLeft) {
  limit(a(), 1, for_each_worker(5'000));
  send_datagrams(0, 200);
  settle();
  const uint64_t sent = clients_sent(a(), 1);
  limit(a(), 1, for_each_worker(50'000));
  send_datagrams(200, 260);
  settle();
  EXPECT_GT(clients_sent(a(), 1), sent + 10'000);
  EXPECT_EQ(b().hosts_received(), datagrams_two_hops_on(260));
}

TEST_F(Limited, WithoutAnotherPathItIsADropWithANameAndTheOtherDirectionGoesOn) {
  admit_both(only(1));
  limit(a(), 1, for_each_worker(0));
  send_datagrams(0, 20);
  for (uint32_t n = 0; n < 40; ++n) {
    b().host_sends(packet().from("10.20.0.2").to("10.10.0.2").udp(6000, 5000).payload(900, n).ip());
    step();
  }
  settle();
  EXPECT_EQ(a().drops(Drop::quota_used_up), 20u);
  EXPECT_EQ(a().drops(Drop::path_down), 0u);
  EXPECT_EQ(clients_sent(a(), 1), 0u);
  EXPECT_EQ(a().hosts_received().size(), 40u);
  EXPECT_EQ(counters(b()).repaired.get(), 0u) << "what arrives is acknowledged all the same";
}

// What is lost on other paths is repaired on others still.
TEST_F(Limited, RepairsLeaveItToo) {
  limit(a(), 1, for_each_worker(2'000));
  there(2).loss = there(3).loss = 0.05;
  send_datagrams(0, 1000);
  settle();
  EXPECT_GT(counters(a()).repaired.get(), 0u);
  EXPECT_LE(clients_sent(a(), 1), workers() * (2'000 + kPacketMost));
  EXPECT_EQ(b().hosts_received(), datagrams_two_hops_on(1000));
}

TEST_F(Limited, SlowPathGoesOnAtItsRate) {
  constexpr uint64_t kSlowBps = 400'000;
  admit_both(only(1));
  limit(a(), 1, for_each_worker(20'000), kSlowBps);
  send_datagrams(0, 30);
  run_for(kSecond);
  const uint64_t before = a().metered(path_place(1), Direction::sent);
  for (uint32_t n = 0; n < 4000; ++n) {
    a().host_sends(datagram(n).ip());
    step();
  }
  const uint64_t octets = a().metered(path_place(1), Direction::sent) - before;
  // A second, and what a pace allows at once.
  EXPECT_NEAR(static_cast<double>(octets), kSlowBps / 8.0,
              6'000.0 * static_cast<double>(workers()));
  settle();
  b().hosts_received();
}

class LimitedCrew : public Limited {
 protected:
  LimitedCrew() : Limited(2) {}
};

// Each by its own part: one that is idle leaves its own, and gives nothing to the other.
TEST_F(LimitedCrew, TogetherKeepToTheSumOfTheirParts) {
  const std::vector<uint64_t> parts{12'000, 7'000};
  limit(a(), 1, parts);
  size_t received = 0;
  for (uint32_t n = 0; n < 300; ++n) {
    for (uint16_t flow = 0; flow < 20; ++flow)
      a().host_sends(packet()
                         .from("10.10.0.2")
                         .to("10.20.0.2")
                         .udp(static_cast<uint16_t>(5000 + flow), 6000)
                         .payload(900, n)
                         .ip());
    step();
    received += b().hosts_received().size();
  }
  settle();
  received += b().hosts_received().size();
  const uint64_t sum = std::accumulate(parts.begin(), parts.end(), uint64_t{0});
  EXPECT_GT(clients_sent(a(), 1), sum / 2);
  EXPECT_LE(clients_sent(a(), 1), sum + 2 * kPacketMost);
  EXPECT_EQ(received, 6000u);
}

}  // namespace
}  // namespace anabranch::dataplane
