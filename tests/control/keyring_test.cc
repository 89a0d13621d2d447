// SPDX-License-Identifier: BSD-3-Clause
// Keys come in force before anybody uses them, and go when the peer was seen to have left them.
#include "control/keyring.h"

#include <gtest/gtest.h>

#include "dataplane/counters.h"
#include "tests/dataplane/test_keys.h"

namespace anabranch::control {
namespace {

using dataplane::test_key;
using std::chrono::milliseconds;
using std::chrono::seconds;

class Keys : public testing::Test {
 protected:
  static PhaseKeys phase(uint8_t number, uint64_t instance = 1) {
    return {number, test_key(1, number, instance), test_key(2, number, instance)};
  }
  bool opens(uint8_t number) const { return plans_.keys().find(number) != nullptr; }
  uint8_t sends() const { return plans_.keys().send_phase; }
  // The worker opens a segment the peer sealed with this phase.
  void arrives(uint8_t number) {
    counters_.opened[number % dataplane::kPhasesMax].add(1);
    ring_.tick(now_, milliseconds(100));
  }
  void wait(milliseconds time) {
    now_ += time;
    ring_.tick(now_, milliseconds(100));
  }

  dataplane::PlanTable plans_;
  dataplane::Counters counters_;
  Keyring ring_{plans_, [this](size_t phase) { return counters_.opened[phase].get(); }};
  Keyring::Clock::time_point now_{};
};

TEST_F(Keys, AreOpenedWithBeforeTheyAreSealedWith) {
  ring_.receive_with(1, phase(1));
  EXPECT_TRUE(opens(1));
  EXPECT_EQ(plans_.keys().send, nullptr);
  ring_.send_with_newest();
  EXPECT_EQ(sends(), 1);
  ring_.receive_with(1, phase(2));
  EXPECT_TRUE(opens(1) && opens(2));
  EXPECT_EQ(sends(), 1) << "the peer has not said that it opens the second";
}

TEST_F(Keys, OfAnOldPhaseLiveThreeRoundTripsAndFiveSecondsAfterThePeerLeftIt) {
  ring_.receive_with(1, phase(1));
  arrives(1);
  ring_.receive_with(1, phase(2));
  arrives(2);
  wait(seconds(5) + milliseconds(299));
  EXPECT_TRUE(opens(1));
  wait(milliseconds(1));
  EXPECT_FALSE(opens(1));
  EXPECT_TRUE(opens(2));
  EXPECT_EQ(ring_.phases(), 1u);
}

TEST_F(Keys, OfAPhaseThePeerDoesNotLeaveLive) {
  ring_.receive_with(1, phase(1));
  arrives(1);
  ring_.receive_with(1, phase(2));
  for (int minute = 0; minute < 60; ++minute) {
    arrives(1);
    wait(seconds(60));
  }
  EXPECT_TRUE(opens(1)) << "the session may have been lost before it heard of the second";
}

TEST_F(Keys, OfAnotherInstanceReplaceAll) {
  ring_.receive_with(1, phase(1));
  ring_.receive_with(1, phase(2));
  ring_.send_with_newest();
  ring_.receive_with(9, phase(1, 9));
  EXPECT_TRUE(opens(1));
  EXPECT_FALSE(opens(2));
  EXPECT_EQ(plans_.keys().send, nullptr) << "the new instance has none of the old keys";
  EXPECT_EQ(plans_.keys().peer_instance, 9u);
}

TEST_F(Keys, OfAnyNumberOfPhasesAreNeverMoreThanTheTableHolds) {
  for (int number = 0; number < 1000; ++number) {
    ring_.receive_with(1, phase(static_cast<uint8_t>(number)));
    EXPECT_TRUE(opens(static_cast<uint8_t>(number)));
    EXPECT_LE(ring_.phases(), size_t{dataplane::kPhasesMax});
    EXPECT_FALSE(number >= 16 && opens(static_cast<uint8_t>(number - 16)));
  }
}

}  // namespace
}  // namespace anabranch::control
