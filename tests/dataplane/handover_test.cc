// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/handover.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <thread>
#include <vector>

namespace anabranch::dataplane {
namespace {

struct Item {
  uint64_t number = 0, square = 0;
};

TEST(HandoverRing, LeavesToTheGiverWhatHasNoRoom) {
  HandoverRing ring(8);
  std::array<Item, 10> items;
  std::array<Item*, 10> pointers;
  for (size_t i = 0; i < items.size(); ++i) pointers[i] = &items[i];
  EXPECT_EQ(ring.put(pointers.data(), 10), 7u);
  EXPECT_EQ(ring.waiting(), 7u);
  EXPECT_EQ(ring.put(pointers.data(), 1), 0u);
  std::array<Item*, 10> taken{};
  EXPECT_EQ(ring.take(taken.data(), 10), 7u);
  EXPECT_TRUE(std::equal(taken.begin(), taken.begin() + 7, pointers.begin()));
  EXPECT_EQ(ring.take(taken.data(), 10), 0u);
}

// Under the thread sanitiser, too: what was written before is seen after.
TEST(HandoverRing, BringsEverythingInOrderFromOneThreadToAnother) {
  constexpr uint64_t kItems = 200'000;
  HandoverRing ring(64);
  std::vector<Item> items(kItems);
  std::thread giver([&] {
    for (uint64_t next = 0; next < kItems;) {
      std::array<Item*, 32> burst;
      const auto count = static_cast<uint32_t>(std::min<uint64_t>(burst.size(), kItems - next));
      for (uint32_t i = 0; i < count; ++i) {
        items[next + i] = {next + i, (next + i) * (next + i)};
        burst[i] = &items[next + i];
      }
      for (uint32_t went = 0; went < count;) {
        const uint32_t now = ring.put(&burst[went], count - went);
        if (now == 0) std::this_thread::yield();
        went += now;
      }
      next += count;
    }
  });
  uint64_t wrong = 0;
  for (uint64_t expected = 0; expected < kItems;) {
    std::array<Item*, 32> burst;
    const uint32_t count = ring.take(burst.data(), 32);
    if (count == 0) std::this_thread::yield();
    for (uint32_t i = 0; i < count; ++i, ++expected)
      wrong += burst[i]->number != expected || burst[i]->square != expected * expected;
  }
  giver.join();
  EXPECT_EQ(wrong, 0u);
}

}  // namespace
}  // namespace anabranch::dataplane
