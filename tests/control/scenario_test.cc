// SPDX-License-Identifier: BSD-3-Clause
// What holds of scenarios for any links, profile and request.
#include "control/scenario.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/control/paths.h"

namespace anabranch::control {
namespace {

using testing::Contains;
using testing::HasSubstr;

struct Any {
  explicit Any(uint32_t seed) : random(seed) {}
  const PathState& of(const Scenario::Share& share) const {
    return *std::find_if(paths.begin(), paths.end(),
                         [&](const PathState& p) { return p.index == share.path_index; });
  }
  Choice choose() const { return prefer(paths, profile, request, "EUR"); }

  std::mt19937 random;
  std::vector<PathState> paths = any_paths(random);
  Profile profile = any_profile(random);
  ServiceRequest request = any_request(random);
};

TEST(AnyScenario, IsMadeOfPathsThatMayBeUsedAndKeepsWhatWasAskedFor) {
  int found = 0;
  for (uint32_t seed = 1; seed <= 2000; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    const Any any(seed);
    const Choice choice = any.choose();
    ASSERT_NE(choice.preferred.has_value(), !choice.refusal.empty());
    if (!choice.preferred) continue;
    ++found;
    const Scenario& s = *choice.preferred;
    uint32_t up = 0, down = 0;
    for (const auto& share : s.shares) {
      const PathState& path = any.of(share);
      EXPECT_TRUE(path.alive);
      EXPECT_NE(any.profile.standing(path.provider, path.network), Standing::never);
      up += share.weight_up;
      down += share.weight_down;
    }
    EXPECT_EQ(up, 65535u);
    EXPECT_EQ(down, 65535u);
    if (any.request.rate_up_bps) {
      EXPECT_GE(s.expected.goodput_up_bps, static_cast<double>(*any.request.rate_up_bps));
    }
    if (any.request.latency_ms_max) {
      EXPECT_LE(s.expected.latency_ms, *any.request.latency_ms_max);
    }
    EXPECT_EQ(s.resequence, segmentation_of(s.dispersion) == Segmentation::packet);
    for (const PathState& p : any.paths) {
      EXPECT_THAT(s.reasons, Contains(HasSubstr(p.name))) << "each link has its reason";
    }
  }
  EXPECT_GT(found, 500);
}

TEST(AnyScenario, IsRefusedOnlyWhenNoCandidateKeepsTheRequest) {
  for (uint32_t seed = 1; seed <= 2000; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Any any(seed);
    any.request = {.rate_up_bps = 100'000'000};
    const auto all = candidates(any.paths, any.profile);
    const bool possible = std::any_of(all.begin(), all.end(), [](const Scenario& s) {
      return s.expected.goodput_up_bps >= 100e6;
    });
    EXPECT_EQ(any.choose().preferred.has_value(), possible);
  }
}

TEST(AnyScenario, DoesNotDependOnTheOrderOfPaths) {
  for (uint32_t seed = 1; seed <= 500; ++seed) {
    Any any(seed);
    const Choice first = any.choose();
    std::reverse(any.paths.begin(), any.paths.end());
    const Choice second = any.choose();
    ASSERT_EQ(first.preferred.has_value(), second.preferred.has_value());
    if (first.preferred) {
      EXPECT_EQ(first.preferred->shares, second.preferred->shares) << seed;
      EXPECT_EQ(first.preferred->dispersion, second.preferred->dispersion) << seed;
      EXPECT_EQ(first.preferred->order, second.preferred->order) << seed;
    }
  }
}

TEST(AnyCandidate, IsEachSubsetOfUsablePathsOnceForEachDispersion) {
  for (uint32_t seed = 1; seed <= 200; ++seed) {
    const Any any(seed);
    const auto usable = std::count_if(any.paths.begin(), any.paths.end(), [&](const auto& p) {
      return p.alive && any.profile.standing(p.provider, p.network) != Standing::never;
    });
    std::set<std::pair<Dispersion, std::vector<uint8_t>>> seen;
    for (const Scenario& s : candidates(any.paths, any.profile)) {
      std::vector<uint8_t> used;
      for (const auto& share : s.shares) used.push_back(share.path_index);
      EXPECT_TRUE(seen.emplace(s.dispersion, used).second);
    }
    const auto& allowed = any.profile.dispersions;
    const bool twice = allowed == std::vector{Dispersion::redundant};
    const size_t ways = allowed.size() == 1 ? 1 : 2;
    const size_t subsets =
        (size_t{1} << usable) - 1 - (twice ? static_cast<size_t>(usable) : size_t{0});
    EXPECT_EQ(seen.size(), ways * subsets) << seed;
  }
}

}  // namespace
}  // namespace anabranch::control
