// SPDX-License-Identifier: BSD-3-Clause
// What several workers give one path: together no more than its pace, and each its share.
#include "dataplane/pace.h"
#include "tests/dataplane/units.h"

#include <gtest/gtest.h>

#include <array>
#include <thread>
#include <vector>

namespace anabranch::dataplane {
namespace {

constexpr uint64_t kStep = 100'000;
constexpr uint64_t kRate = 100'000'000;
constexpr uint32_t kFull = 1500;

// One poll of a worker that always has packets. Octets it gave.
uint64_t poll(Pace& pace, SharedPace& shared, uint64_t share, uint64_t now) {
  uint64_t octets = 0;
  pace.take_over(shared);
  for (; pace.is_free(now); octets += kFull) pace.take(kFull, pace_of(kRate), now);
  pace.add_to(shared, share, now);
  return octets;
}

TEST(SharedPaces, AreGivenNoMoreThanThePathCarriesAndNoLess) {
  SharedPace shared;
  std::array<Pace, 3> paces;
  uint64_t octets = 0;
  for (uint64_t now = kSecond; now < 2 * kSecond; now += kStep) {
    for (Pace& pace : paces) octets += poll(pace, shared, Pace::kWhole, now);
  }
  EXPECT_NEAR(static_cast<double>(octets) * 8, kRate, kRate * 0.01);
}

TEST(SharedPaces, AreSharedByWhatEachIsToHaveWhoeverLooksFirst) {
  SharedPace shared;
  std::array<Pace, 2> paces;
  std::array<uint64_t, 2> octets{};
  for (uint64_t now = kSecond; now < 2 * kSecond; now += kStep) {
    octets[0] += poll(paces[0], shared, Pace::kWhole / 4, now);
    octets[1] += poll(paces[1], shared, Pace::kWhole * 3 / 4, now);
  }
  EXPECT_NEAR(static_cast<double>(octets[0] + octets[1]) * 8, kRate, kRate * 0.02);
  EXPECT_NEAR(static_cast<double>(octets[1]) / static_cast<double>(octets[0]), 3, 0.15);
}

// On threads that do poll at once; the clock is what each has got to, so that all count.
TEST(SharedPaces, LoseNothingOfWhatThreadsAddAtOnce) {
  constexpr uint64_t kAdded = 50'000, kThreads = 3;
  SharedPace shared;
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < kThreads; ++t)
    threads.emplace_back([&] {
      for (uint64_t i = 0; i < kAdded; ++i) shared.add(7, 0);
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(shared.free_at_ns(), 7 * kAdded * kThreads);
}

}  // namespace
}  // namespace anabranch::dataplane
