// SPDX-License-Identifier: BSD-3-Clause
// What beats tell control of the paths.
#include "tests/dataplane/two_gateways.h"

namespace anabranch::dataplane {
namespace {

class Measuring : public TwoGateways {};

TEST_F(Measuring, FindsTheRoundTripOfEachPath) {
  const std::array<uint64_t, kPaths + 1> one_way{0, 5, 25, 60};
  for (uint8_t path = 1; path <= kPaths; ++path) {
    there(path).delay_ns = back(path).delay_ns = one_way[path] * kMillisecond;
  }
  run_for(12 * kSecond);  // what was measured before is forgotten after ten
  for (uint8_t path = 1; path <= kPaths; ++path) {
    for (Gateway* gateway : {&a(), &b()}) {
      const PathTelemetry& measured = gateway->worker->telemetry(path);
      const double expected = static_cast<double>(2 * one_way[path] * kMillisecond);
      EXPECT_NEAR(static_cast<double>(measured.rtt_ns.get()), expected, 2 * step_ns);
      EXPECT_NEAR(static_cast<double>(measured.rtt_min_ns.get()), expected, 2 * step_ns);
      EXPECT_LT(measured.rtt_variation_ns.get(), 2 * step_ns);
    }
  }
}

TEST_F(Measuring, FindsWhatEachPathLostInEachDirection) {
  there(2).loss = 0.25;
  for (uint32_t n = 0; n < 4000; n += 2) send_datagrams(n, n + 2);
  there(2).loss = 0;
  settle();
  for (uint8_t path = 1; path <= kPaths; ++path) {
    const PathTelemetry& here = a().worker->telemetry(path);
    const PathTelemetry& far = b().worker->telemetry(path);
    EXPECT_EQ(far.expected.get() - far.received.get(), there(path).lost().packets);
    EXPECT_EQ(here.peer_expected.get() - here.peer_received.get(), there(path).lost().packets);
    EXPECT_EQ(here.expected.get(), here.received.get()) << "nothing was lost on the way back";
  }
  EXPECT_GT(there(2).lost().packets, 200u);
}

TEST_F(Measuring, BooksBeatsToTheHouse) {
  const auto control = [&] {
    return a().meter(kHouseSlot, path_place(1), Direction::sent, Kind::control).packets.get();
  };
  const uint64_t before = control();
  run_for(kSecond);
  EXPECT_NEAR(static_cast<double>(control() - before), 25, 1) << "one in 40 ms";
  EXPECT_EQ(first_sends(1), 0u);
}

TEST_F(Measuring, BeatsSeldomOnAPathThatIsNotInUse) {
  for (Gateway* gateway : {&a(), &b()}) {
    auto paths = gateway->paths();
    paths.paths[3].in_use = false;
    gateway->plans.publish(std::make_unique<const PathTable>(paths));
  }
  run_for(kSecond);
  const uint64_t before = there(3).entered().packets;
  run_for(10 * kSecond);
  EXPECT_NEAR(static_cast<double>(there(3).entered().packets - before), 20, 1) << "one in 500 ms";
  EXPECT_EQ(a().worker->telemetry(3).alive.get(), 1u);
}

TEST_F(Measuring, BeatsOftenOnAPathThatIsDoubtedAndDoesNotLookUsed) {
  for (Gateway* gateway : {&a(), &b()}) {
    auto paths = gateway->paths();
    paths.paths[3].in_use = false;
    paths.paths[3].doubted = true;
    gateway->plans.publish(std::make_unique<const PathTable>(paths));
  }
  run_for(kSecond);
  const uint64_t before = there(3).entered().packets;
  run_for(10 * kSecond);
  EXPECT_NEAR(static_cast<double>(there(3).entered().packets - before), 200, 3) << "one in 50 ms";
  EXPECT_GT(kBeatDoubtedNs, kBeatInUseNs) << "or the peer would hold packets back for it";
}

}  // namespace
}  // namespace anabranch::dataplane
