// SPDX-License-Identifier: BSD-3-Clause
// Paths that are one gateway's by order: what both make of them.
#include "control/ordered_paths.h"

#include <gtest/gtest.h>

namespace anabranch::control {
namespace {

constexpr uint64_t kMbps = 1'000'000;

PathState path_of(uint8_t index) {
  PathState path{.name = "mobile", .index = index, .alive = true};
  path.rate_up_bps = 50 * kMbps;
  path.rate_down_bps = 20 * kMbps;
  return path;
}

TEST(OrderedPaths, ArePacedAtTheLeastThatEitherGatewayOrdered) {
  const Ordered ours{{{1, 0}, {2, 10 * kMbps}, {3, 30 * kMbps}}};
  const Ordered theirs{{{1, 0}, {3, 20 * kMbps}, {4, 5 * kMbps}}};
  const auto rates = ordered_rates(ours, theirs);
  EXPECT_EQ(rates[1], 0u) << "all ours";
  EXPECT_EQ(rates[2], 10 * kMbps);
  EXPECT_EQ(rates[3], 20 * kMbps);
  EXPECT_EQ(rates[4], 5 * kMbps) << "what the peer ordered, we send at no more";
  EXPECT_EQ(rates, ordered_rates(theirs, ours));
}

TEST(OrderedPaths, OfThePeerAreCountedOnForWhatItOrdered) {
  const Ordered theirs{{{1, 0}, {2, 30 * kMbps}}};
  for (const uint8_t all_the_peers : {1, 7}) {
    PathState path = path_of(all_the_peers);
    apply_ordered(path, theirs);
    EXPECT_EQ(path, path_of(all_the_peers));
  }
  PathState path = path_of(2);
  apply_ordered(path, theirs);
  EXPECT_EQ(path.rate_up_bps, 30 * kMbps);
  EXPECT_EQ(path.rate_down_bps, 20 * kMbps);
  PathState found = path_of(2);
  found.rate_up_bps = found.rate_down_bps = 0;
  apply_ordered(found, theirs);
  EXPECT_EQ(found.rate_up_bps, 30 * kMbps) << "whatever is found to be there";
}

}  // namespace
}  // namespace anabranch::control
