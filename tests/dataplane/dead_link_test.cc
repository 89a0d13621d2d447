// SPDX-License-Identifier: BSD-3-Clause
// Paths that die, come back, or are taken away.
#include "tests/dataplane/two_gateways.h"

namespace anabranch::dataplane {
namespace {

// Three beats and a half without a word, the worker's millisecond, a step of the test.
constexpr uint64_t kUntilDead = (2 * kBeatsUntilDead + 1) * kBeatInUseNs / 2 + 2 * kMillisecond;

class DeadLink : public TwoGateways {
 protected:
  // Sends for `ns`; returns how many packets that was.
  uint32_t send_for(uint64_t ns) {
    const uint32_t from = next_;
    for (const uint64_t end = now + ns; now < end;) {
      a().host_sends(datagram(next_++).ip());
      step();
      const auto packets = b().hosts_received();
      received.insert(received.end(), packets.begin(), packets.end());
    }
    return next_ - from;
  }
  // Many at once, before the worker has looked at its paths again.
  void send_burst() {
    for (int i = 0; i < 20; ++i) a().host_sends(datagram(next_++).ip());
    step();
  }
  std::vector<Bytes> received;

 private:
  uint32_t next_ = 0;
};

TEST_F(DeadLink, TakesNothingWithItAndHoldsTheRestUpForAProbeTimeout) {
  uint32_t sent = send_for(100 * kMillisecond);
  there(2).dead = back(2).dead = true;
  sent += send_for(there(2).delay_ns);
  const size_t before = received.size();
  // A round trip and what is added to it, then the way of what is sent again.
  sent += send_for(100 * kMillisecond);
  EXPECT_GT(received.size(), before + 100) << "it goes on before the path is known to be dead";
  sent += send_for(kUntilDead + back(2).delay_ns);
  EXPECT_EQ(a().worker->telemetry(2).alive.get(), 0u);

  const uint64_t sent_on_it = first_sends(2);
  sent += send_for(kSecond);
  EXPECT_EQ(first_sends(2), sent_on_it) << "a dead path gets nothing but beats";
  settle();
  const auto packets = b().hosts_received();
  received.insert(received.end(), packets.begin(), packets.end());
  EXPECT_EQ(received, datagrams_two_hops_on(sent));
  EXPECT_GT(counters(a()).repaired.get(), 0u);
}

TEST_F(DeadLink, ThatOnlyLosesOneDirectionIsLeftByTheSenderToo) {
  send_for(100 * kMillisecond);
  there(2).dead = true;
  // The peer finds out first, and its next beat says so.
  send_for(kUntilDead + 2 * there(2).delay_ns + kBeatInUseNs);
  EXPECT_EQ(a().worker->telemetry(2).alive.get(), 0u);
  EXPECT_EQ(b().worker->telemetry(2).alive.get(), 0u);
  const uint64_t sent_on_it = first_sends(2);
  send_for(200 * kMillisecond);
  EXPECT_EQ(first_sends(2), sent_on_it);
}

TEST_F(DeadLink, GetsItsShareAndNotMoreWhenItComesBack) {
  there(2).dead = back(2).dead = true;
  send_for(kSecond);
  there(2).dead = back(2).dead = false;
  send_for(300 * kMillisecond);
  EXPECT_EQ(a().worker->telemetry(2).alive.get(), 1u);
  const uint64_t before = first_sends(2);
  const uint32_t sent = send_for(500 * kMillisecond);
  EXPECT_NEAR(static_cast<double>(first_sends(2) - before), sent * kShares[2] / 100.0, 1);
}

TEST_F(DeadLink, OfEveryPathLeavesNothingToSendOn) {
  for (uint8_t path = 1; path <= kPaths; ++path) there(path).dead = back(path).dead = true;
  run_for(kUntilDead + there(1).delay_ns);
  send_for(10 * kMillisecond);
  EXPECT_EQ(a().drops(Drop::path_down), 40u);
}

TEST_F(DeadLink, OfAFlowMovesThatFlowAndNoOther) {
  admit_both(kShares, Segmentation::flow);
  constexpr uint16_t kFlows = 40;
  const auto path_of_each = [&] {
    std::vector<uint8_t> paths;
    for (uint16_t flow = 0; flow < kFlows; ++flow) {
      const std::array<uint64_t, kPaths> before{first_sends(1), first_sends(2), first_sends(3)};
      a().host_sends(packet().udp(static_cast<uint16_t>(3000 + flow * 7), 53).ip());
      step();
      for (uint8_t path = 1; path <= kPaths; ++path) {
        if (first_sends(path) != before[path - 1u]) paths.push_back(path);
      }
    }
    return paths;
  };
  const auto before = path_of_each();
  there(2).dead = back(2).dead = true;
  run_for(kUntilDead + there(2).delay_ns);
  const auto after = path_of_each();
  ASSERT_EQ(before.size(), kFlows);
  ASSERT_EQ(after.size(), kFlows);
  for (uint16_t flow = 0; flow < kFlows; ++flow) {
    if (before[flow] == 2) {
      EXPECT_NE(after[flow], 2);
    } else {
      EXPECT_EQ(after[flow], before[flow]);
    }
  }
}

TEST_F(DeadLink, IsNotUsedFromTheMomentItsPortIsSaidToBeDown) {
  send_for(50 * kMillisecond);
  auto paths = a().paths();
  paths.paths[2].reachable = false;
  a().plans.publish(std::make_unique<const PathTable>(paths));
  const uint64_t before = there(2).entered().packets;
  send_burst();
  send_for(kSecond);
  EXPECT_EQ(there(2).entered().packets, before);
  EXPECT_EQ(counters(a()).dropped(), 0u);
  EXPECT_GT(received.size(), 4000u);
  EXPECT_EQ(received, datagrams_two_hops_on(static_cast<uint32_t>(received.size())));
}

TEST_F(DeadLink, IsNotUsedFromTheMomentItIsTakenOutOfTheConfiguration) {
  send_for(50 * kMillisecond);
  auto paths = a().paths();
  paths.paths[2] = Path{};
  a().plans.publish(std::make_unique<const PathTable>(paths));
  const uint64_t before = there(2).entered().packets;
  send_burst();
  send_for(kSecond);
  EXPECT_EQ(there(2).entered().packets, before);
  EXPECT_GT(received.size(), 4000u);
  EXPECT_EQ(received, datagrams_two_hops_on(static_cast<uint32_t>(received.size())));
  EXPECT_GT(a().drops(Drop::bad_path), 0u) << "the peer's beats on it are refused, and booked";
}

}  // namespace
}  // namespace anabranch::dataplane
