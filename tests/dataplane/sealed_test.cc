// SPDX-License-Identifier: BSD-3-Clause
// What an attacker on the way can do to segments, and what a change of keys does to traffic.
#include <algorithm>
#include <random>

#include "dataplane/stages.h"
#include "tests/dataplane/test_keys.h"
#include "tests/dataplane/two_gateways.h"

namespace anabranch::dataplane {
namespace {

class Sealed : public TwoGateways {
 protected:
  // Both receive with the next phase before either sends with it; older ones live for 5 s more.
  void change_keys(uint8_t phase) {
    for (Gateway* gateway : {&a(), &b()}) {
      const KeyTable& before = gateway->plans.keys();
      auto keys = std::make_unique<KeyTable>(before);
      keys->receive[phase % kPhasesMax] = {
          phase, test_key(static_cast<uint8_t>(3 - gateway->site), phase)};
      keys->receive[(phase + kPhasesMax - 6u) % kPhasesMax] = {};
      gateway->plans.publish(std::move(keys));
    }
    step();
    for (Gateway* gateway : {&a(), &b()}) {
      auto keys = std::make_unique<KeyTable>(gateway->plans.keys());
      keys->send = test_key(gateway->site, phase);
      keys->send_phase = phase;
      gateway->plans.publish(std::move(keys));
    }
  }
  uint64_t accepted() {
    uint64_t packets = 0;
    for (uint8_t path = 1; path <= kPaths; ++path) {
      for (const uint16_t slot : {kHouseSlot, kService}) {
        for (const Kind kind : {Kind::first, Kind::control}) {
          packets += b().meter(slot, path_place(path), Direction::received, kind).packets.get();
        }
      }
    }
    return packets;
  }
};

TEST_F(Sealed, IsNoSegmentOfWhichAnyOctetWasChanged) {
  repair_nothing();
  admit_both(only(1));
  there(1).steal_next();
  send_datagrams(0, 1);
  run_for(100 * kMillisecond);
  const Bytes genuine = there(1).stolen();
  const uint64_t before = accepted();
  for (size_t i = kEthernetHeader + kOuterIp; i < genuine.size(); ++i) {
    Bytes forged = genuine;
    forged[i] ^= 0x10;
    there(1).inject(forged);
    while (b().worker->poll(now) != 0) continue;
  }
  EXPECT_EQ(accepted(), before);
  EXPECT_TRUE(b().hosts_received().empty());
  there(1).inject(genuine);
  while (b().worker->poll(now) != 0) continue;
  EXPECT_EQ(b().hosts_received(), datagrams_two_hops_on(1)) << "the genuine one still is";
}

TEST_F(Sealed, IsNoSegmentThatComesAgainInAnyOrderAcrossAKeyChange) {
  std::vector<Bytes> seen;
  for (uint8_t path = 1; path <= kPaths; ++path) there(path).recording = &seen;
  send_datagrams(0, 100);
  change_keys(2);
  send_datagrams(100, 200);
  settle();
  for (uint8_t path = 1; path <= kPaths; ++path) there(path).recording = nullptr;
  ASSERT_GT(seen.size(), 200u);
  EXPECT_EQ(b().hosts_received(), datagrams_two_hops_on(200));

  std::mt19937 random(1);
  for (uint8_t phase = 3; phase < 12; ++phase) {
    std::shuffle(seen.begin(), seen.end(), random);
    const uint64_t before = accepted();
    for (const Bytes& frame : seen) {
      there(frame[kEthernetHeader + kOuterIp + 2]).inject(frame);
      while (b().worker->poll(now) != 0) continue;
    }
    EXPECT_EQ(accepted(), before) << "phase " << +phase;
    change_keys(phase);
  }
  EXPECT_TRUE(b().hosts_received().empty());
  EXPECT_GT(b().drops(Drop::replayed), 0u);
  EXPECT_GT(b().drops(Drop::unknown_key), 0u);
}

TEST_F(Sealed, LosesNothingWhenKeysChangeEverySecondForTenMinutes) {
  step_ns = 2 * kMillisecond;
  for (uint8_t path = 1; path <= kPaths; ++path) there(path).jitter_ns = 30 * kMillisecond;
  uint8_t phase = 1;
  uint32_t sent = 0, received = 0;
  for (int second = 0; second < 600; ++second) {
    change_keys(++phase);
    for (const uint64_t end = now + kSecond; now < end;) {
      a().host_sends(datagram(sent++, 100).ip());
      step();
      received += static_cast<uint32_t>(b().hosts_received().size());
    }
  }
  settle();
  received += static_cast<uint32_t>(b().hosts_received().size());
  EXPECT_EQ(received, sent);
  EXPECT_EQ(counters(a()).dropped(), 0u);
  EXPECT_EQ(counters(b()).dropped(), b().drops(Drop::duplicate));
  EXPECT_LT(b().drops(Drop::duplicate), sent / 100) << "overtaken ones were taken for lost";
}

TEST_F(Sealed, IsNothingWithoutAKey) {
  a().plans.publish(std::make_unique<const KeyTable>());
  const uint64_t sent = counters(a()).tx.get();
  send_datagrams(0, 10);
  run_for(kSecond);
  EXPECT_EQ(counters(a()).tx.get(), sent);
  EXPECT_EQ(a().drops(Drop::no_session), 10u);
}

TEST_F(Sealed, IsNothingMoreOnceAKeyIsWorn) {
  Context context;
  context.keys = &a().plans.keys();
  Drop why{};
  ASSERT_TRUE(may_seal(context, why));
  context.sealed = kSealedMax;
  EXPECT_FALSE(may_seal(context, why));
  EXPECT_EQ(why, Drop::key_worn);
  change_keys(2);
  context.keys = &a().plans.keys();
  EXPECT_TRUE(may_seal(context, why)) << "another key";
}

TEST_F(Sealed, NumbersGoOnWhenThePeerStartsAnew) {
  std::vector<Bytes> seen;
  there(1).recording = &seen;
  admit_both(only(1));
  send_datagrams(0, 20);
  a().start_session(21, 23);
  b().start_session(23, 21);
  admit_both(only(1));
  settle();
  send_datagrams(0, 20);
  settle();
  there(1).recording = nullptr;
  uint64_t next = 0;
  for (const Bytes& frame : seen) {
    const uint64_t number = load_be64(&frame[kEthernetHeader + kOuterIp + 8]);
    EXPECT_GE(number, next);
    next = number + 1;
  }
}

}  // namespace
}  // namespace anabranch::dataplane
