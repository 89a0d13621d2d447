// SPDX-License-Identifier: BSD-3-Clause
// What control changes while packets flow.
#include <atomic>
#include <map>
#include <random>
#include <thread>

#include "tests/dataplane/two_gateways.h"

namespace anabranch::dataplane {
namespace {

class Changing : public TwoGateways {};

TEST_F(Changing, ThePlanUnderTrafficLosesNothingAndKeepsTheOrder) {
  std::mt19937 random(5);
  for (uint32_t n = 0; n < 800; ++n) {
    std::array<uint16_t, kPathsMax> weights{};
    for (uint8_t path = 1; path <= kPaths; ++path) weights[path] = random() % 100;
    weights[1 + n % kPaths] = 50;
    admit_both(weights, n % 5 == 0 ? Segmentation::flow : Segmentation::packet);
    a().host_sends(datagram(n).ip());
    step();
  }
  settle();
  EXPECT_EQ(b().hosts_received(), datagrams_two_hops_on(800));
  EXPECT_EQ(a().plans.retired(), 1u) << "the last one but one, until the next is published";
  a().plans.reclaim();
  EXPECT_EQ(a().plans.retired(), 0u);
}

// As control does it: from a thread of its own, at its own time, one service after another.
TEST_F(Changing, PlansOfAThousandServicesFromAnotherThreadLosesAndMissendsNothing) {
  constexpr uint16_t kLast = 1000;
  for (uint16_t slot = kOtherService + 1; slot <= kLast; ++slot)
    admit_both(only(3), Segmentation::packet, true, slot);
  admit_both(only(2), Segmentation::packet, true, kOtherService);
  a().classify_ports({{5000, kService}, {5001, kOtherService}});
  std::atomic<bool> stop{false};
  std::atomic<uint32_t> published{0};
  std::thread control([&] {
    while (!stop.load(std::memory_order_acquire)) {
      const uint32_t n = published.fetch_add(1, std::memory_order_release);
      const auto slot = static_cast<uint16_t>(1 + n % kLast);
      if (slot == kOtherService) {
        a().admit(slot, only(2));
      } else {
        a().admit(slot, n / kLast % 2 == 0 ? kShares : only(1));
      }
    }
  });
  uint32_t sent = 0;
  std::map<uint16_t, uint32_t> received;  // by source port
  const auto receive = [&] {
    for (const Bytes& ip : b().hosts_received()) ++received[load_be16(&ip[20])];
  };
  while (published.load(std::memory_order_acquire) < 20 * kLast || sent < 2000) {
    a().host_sends(datagram(sent).ip());
    a().host_sends(datagram(sent++).udp(5001, 6000).ip());
    step();
    receive();
  }
  stop.store(true, std::memory_order_release);
  control.join();
  settle();
  receive();
  EXPECT_EQ(received[5000], sent);
  EXPECT_EQ(received[5001], sent);
  EXPECT_EQ(first_sends(2, kOtherService), sent);
  EXPECT_EQ(first_sends(1, kOtherService) + first_sends(3, kOtherService), 0u);
  EXPECT_EQ(first_sends(1) + first_sends(2) + first_sends(3), sent);
}

TEST_F(Changing, TheRulesetMovesFlowsToTheirNewServiceWithTheNextPacket) {
  admit_both(only(1));
  admit_both(only(2), Segmentation::packet, true, kOtherService);
  send_datagrams(0, 100);
  a().classify_all(kOtherService);
  send_datagrams(100, 200);
  settle();
  EXPECT_EQ(first_sends(1, kService), 100u);
  EXPECT_EQ(first_sends(2, kOtherService), 100u);
  EXPECT_EQ(first_sends(1, kOtherService) + first_sends(2, kService), 0u);
  EXPECT_EQ(b().meter(kOtherService, path_place(2), Direction::received, Kind::first).packets.get(),
            100u);
  EXPECT_EQ(b().hosts_received(), datagrams_two_hops_on(200));
}

TEST_F(Changing, TheSessionStartsNumbersAndMeasurementsAfresh) {
  there(1).loss = 0.3;
  send_datagrams(0, 200);
  settle();
  b().hosts_received();
  there(1).loss = 0;
  a().start_session(21, 23);
  b().start_session(23, 21);
  admit_both(kShares);
  settle();
  send_datagrams(0, 100);
  settle();
  EXPECT_EQ(b().hosts_received(), datagrams_two_hops_on(100));
  for (uint8_t path = 1; path <= kPaths; ++path) {
    const PathTelemetry& measured = b().worker->telemetry(path);
    EXPECT_EQ(measured.received.get(), measured.expected.get()) << "path " << +path;
    EXPECT_GT(measured.received.get(), 30u);
  }
}

TEST_F(Changing, TheSessionLetsGoWhatWaitedInTheOldOne) {
  admit_both(only(1));
  there(1).steal_next();
  send_datagrams(0, 4);
  run_for(there(1).delay_ns);
  EXPECT_EQ(counters(b()).held.get(), 3u);
  a().start_session(21, 23);
  b().start_session(23, 21);
  admit_both(only(1));
  settle();
  auto expected = datagrams_two_hops_on(4);
  expected.erase(expected.begin());
  EXPECT_EQ(b().hosts_received(), expected);
}

TEST_F(Changing, TheHouseAwayLeavesNoPathAlive) {
  a().plans.publish(kHouseSlot, nullptr);
  run_for(2 * kMillisecond);
  send_datagrams(0, 10);
  EXPECT_EQ(a().drops(Drop::path_down), 10u);
}

}  // namespace
}  // namespace anabranch::dataplane
