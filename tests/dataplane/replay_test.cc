// SPDX-License-Identifier: BSD-3-Clause
// The replay window against the plainest thing that does the same: a set of all that was accepted.
#include "dataplane/replay.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <set>

namespace anabranch::dataplane {
namespace {

class Replay : public testing::Test {
 protected:
  bool receive(uint64_t number) {
    if (!window->is_fresh(number)) return false;
    window->accept(number);
    return true;
  }
  std::unique_ptr<ReplayWindow> window{new ReplayWindow{}};
};

TEST_F(Replay, EachNumberIsAcceptedOnce) {
  for (const uint64_t number : {0, 1, 5, 4, 3, 2, 64, 63, 65, 1'000'000}) {
    EXPECT_TRUE(receive(number)) << number;
    EXPECT_FALSE(receive(number)) << number;
  }
  EXPECT_FALSE(receive(5)) << "long ago";
}

TEST_F(Replay, AsFarBackAsItsSizeAndNoFurther) {
  const uint64_t newest = 10 * ReplayWindow::kSize;
  ASSERT_TRUE(receive(newest));
  EXPECT_TRUE(receive(newest - ReplayWindow::kSize + 1));
  EXPECT_FALSE(receive(newest - ReplayWindow::kSize));
}

TEST_F(Replay, AgreesWithASetForAnyOrder) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 20; ++round) {
    window.reset(new ReplayWindow{});
    std::set<uint64_t> accepted;
    uint64_t newest = random() % 3 == 0 ? random() >> 8 : 0;
    for (int i = 0; i < 20'000; ++i) {
      // Mostly near the newest; at times a leap, or something at the window's far end.
      uint64_t number = newest + random() % 64;
      const uint64_t kind = random() % 10;
      if (kind < 5) number = newest - std::min(newest, random() % 300);
      if (kind == 5) number = newest - std::min(newest, ReplayWindow::kSize - 2 + random() % 5);
      if (kind == 6 && random() % 50 == 0) number = newest + random() % (3 * ReplayWindow::kSize);
      const bool known = !accepted.empty() && number + ReplayWindow::kSize <= newest;
      ASSERT_EQ(receive(number), !known && !accepted.contains(number)) << number;
      if (!known) accepted.insert(number);
      newest = std::max(newest, number);
    }
  }
}

TEST_F(Replay, ANumberThatIsOnlyLookedAtChangesNothing) {
  ASSERT_TRUE(receive(7));
  EXPECT_TRUE(window->is_fresh(UINT64_MAX));
  EXPECT_TRUE(receive(8));
}

}  // namespace
}  // namespace anabranch::dataplane
