// SPDX-License-Identifier: BSD-3-Clause
// Which scenario is preferred, and why: claims 2 and 4 to 7, and what holds for any links.
#include "control/scenario.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>

namespace anabranch::control {
namespace {

using testing::Contains;
using testing::HasSubstr;

constexpr Uint128 kEuroPerGb = 1'000'000'000;  // attos an octet

struct LinkSpec {
  const char* name;
  uint64_t rate_mbits;
  double one_way_ms;
  double price_per_gb;
};

PathState link(uint8_t index, const LinkSpec& spec) {
  PathState p;
  p.index = index;
  p.name = spec.name;
  p.provider = std::string(spec.name) + "-provider";
  p.network = std::string(spec.name) + "-network";
  p.alive = true;
  p.availability = 1;
  p.rtt_ms = p.rtt_min_ms = 2 * spec.one_way_ms;
  p.rate_up_bps = p.rate_down_bps = spec.rate_mbits * 1'000'000;
  p.price_attos_per_octet = static_cast<Uint128>(spec.price_per_gb * 1000) * kEuroPerGb / 1000;
  return p;
}

class Scenarios : public ::testing::Test {
 protected:
  std::set<std::string> chosen() {
    const Choice choice = prefer(paths, profile, request, "EUR");
    EXPECT_TRUE(choice.preferred) << choice.refusal;
    std::set<std::string> names;
    if (!choice.preferred) return names;
    reasons = choice.preferred->reasons;
    for (const auto& share : choice.preferred->shares) names.insert(share.name);
    return names;
  }
  std::string refusal() {
    const Choice choice = prefer(paths, profile, request, "EUR");
    EXPECT_FALSE(choice.preferred);
    return choice.refusal;
  }
  PathState& path(size_t i) { return paths[i]; }

  std::vector<PathState> paths{link(1, {"fibre", 100, 10, 0.50}), link(2, {"mobile", 50, 30, 2.40}),
                               link(3, {"dsl", 20, 20, 0.35})};
  Profile profile;
  ServiceRequest request;
  std::vector<std::string> reasons;
};

using Names = std::set<std::string>;

TEST_F(Scenarios, Claim02UseNetworksOfSeveralProvidersWhenTogetherTheyGiveMore) {
  EXPECT_EQ(chosen(), (Names{"fibre", "mobile", "dsl"}));
  EXPECT_THAT(reasons, Contains(HasSubstr("together are expected to carry")));
}

TEST_F(Scenarios, Claim04FollowTheProfilesPreferenceAmongProviders) {
  request.rate_up_bps = request.rate_down_bps = 10'000'000;  // any of them would do
  profile.quality_percent = 50;
  profile.providers = {{"fibre-provider", Standing::prefer}};
  EXPECT_EQ(chosen(), Names{"fibre"});
  profile.providers = {{"dsl-provider", Standing::prefer}};
  EXPECT_EQ(chosen(), Names{"dsl"});
  EXPECT_THAT(reasons, Contains("dsl is preferred by the profile"));
}

TEST_F(Scenarios, Claim04NeverUseAProviderTheProfileExcludes) {
  profile.providers = {{"mobile-provider", Standing::never}};
  EXPECT_EQ(chosen(), (Names{"fibre", "dsl"}));
  EXPECT_THAT(reasons, Contains("mobile is left out: the profile says never"));
}

TEST_F(Scenarios, Claim04UseAnAvoidedProviderOnlyWhenTheRequestNeedsIt) {
  profile.providers = {{"mobile-provider", Standing::avoid}};
  EXPECT_EQ(chosen(), (Names{"fibre", "dsl"}));
  request.rate_up_bps = 130'000'000;
  EXPECT_EQ(chosen(), (Names{"fibre", "mobile", "dsl"}));
  EXPECT_THAT(reasons, Contains(HasSubstr("paths the profile avoids are used")));
}

TEST_F(Scenarios, Claim05FollowTheProfilesPreferenceAmongNetworks) {
  path(2).provider = path(0).provider;  // one provider, two networks
  request.rate_up_bps = request.rate_down_bps = 10'000'000;
  profile.quality_percent = 50;
  profile.networks = {{"fibre-network", Standing::prefer}};
  EXPECT_EQ(chosen(), Names{"fibre"});
  profile.networks = {{"dsl-network", Standing::prefer}};
  EXPECT_EQ(chosen(), Names{"dsl"});
  profile.networks = {{"dsl-network", Standing::never}};
  EXPECT_EQ(chosen().count("dsl"), 0u);
}

TEST_F(Scenarios, Claim06And07FollowTheRatingsOfProvidersAndNetworks) {
  paths = {link(1, {"one", 50, 20, 1}), link(2, {"two", 50, 20, 1})};
  request.rate_up_bps = request.rate_down_bps = 30'000'000;  // each of them would do
  path(0).rtt_variation_ms = 40;
  EXPECT_EQ(chosen(), Names{"two"});
  std::swap(path(0).rtt_variation_ms, path(1).rtt_variation_ms);
  EXPECT_EQ(chosen(), Names{"one"});
}

TEST_F(Scenarios, GiveWhatWasAskedForAtTheLeastPriceWhenPriceCounts) {
  profile.quality_percent = 0;
  EXPECT_EQ(chosen(), Names{"dsl"});
  request.rate_up_bps = 60'000'000;
  EXPECT_EQ(chosen(), (Names{"fibre", "dsl"}));
}

TEST_F(Scenarios, KeepWholeFlowsTogetherWhenTheProfileAllowsNothingElse) {
  profile.segmentation = {"flow"};
  const Choice choice = prefer(paths, profile, request, "EUR");
  ASSERT_TRUE(choice.preferred);
  EXPECT_EQ(choice.preferred->segmentation, Segmentation::flow);
  EXPECT_FALSE(choice.preferred->resequence);
}

TEST_F(Scenarios, LeaveOutALossyLinkThatWouldSlowTheRest) {
  path(1).loss_up = path(1).loss_down = 0.02;
  EXPECT_EQ(chosen().count("mobile"), 0u);
  EXPECT_THAT(reasons, Contains("mobile is left out: the request is served better without it"));
}

TEST_F(Scenarios, ThatCannotKeepTheRequestAreRefusedWithTheNearest) {
  request.rate_up_bps = 900'000'000;
  EXPECT_THAT(refusal(), testing::AllOf(HasSubstr("does not keep 900 Mbit/s up"),
                                        HasSubstr("it is expected to give 154.")));
  request = {};
  request.latency_ms_max = 5;
  EXPECT_THAT(refusal(), HasSubstr("does not keep 5 ms one way"));
  request = {};
  request.price_per_gb_max = "0.10";
  EXPECT_THAT(refusal(), HasSubstr("does not keep 0.10 EUR/GB"));
}

TEST_F(Scenarios, WithoutAPathThatMayBeUsedSayWhyOfEach) {
  path(0).alive = path(1).alive = false;
  profile.networks = {{"dsl-network", Standing::never}};
  EXPECT_EQ(refusal(),
            "no path may be used: fibre: down; mobile: down; dsl: the profile says never");
  paths.clear();
  EXPECT_THAT(refusal(), HasSubstr("none is configured with a price"));
}

// Any links, any profile, any request.
class AnyLinks {
 public:
  explicit AnyLinks(uint64_t seed) : random_(seed) {
    const int count = number(1, 6);
    for (int i = 1; i <= count; ++i) {
      const std::string name = "link" + std::to_string(i);
      PathState p = link(static_cast<uint8_t>(i), {name.c_str(), 1, 1, 1});
      p.alive = number(0, 9) > 0;
      p.rate_up_bps = static_cast<uint64_t>(number(1, 1000)) * 1'000'000;
      p.rate_down_bps = static_cast<uint64_t>(number(1, 1000)) * 1'000'000;
      p.rtt_ms = number(0, 300);
      p.rtt_variation_ms = number(0, 50);
      p.loss_up = number(0, 2) == 0 ? number(1, 1000) / 10'000.0 : 0;
      p.loss_down = number(0, 2) == 0 ? number(1, 1000) / 10'000.0 : 0;
      p.availability = number(0, 100) / 100.0;
      p.price_attos_per_octet = static_cast<Uint128>(number(0, 5000)) * kEuroPerGb / 1000;
      paths.push_back(p);
      profile.providers.emplace_back(p.provider, static_cast<Standing>(number(0, 3)));
    }
    profile.quality_percent = static_cast<uint8_t>(number(0, 100));
    if (number(0, 3) == 0) request.rate_up_bps = static_cast<uint64_t>(number(1, 500)) * 1'000'000;
    if (number(0, 3) == 0) request.latency_ms_max = number(1, 200);
    if (number(0, 3) == 0) request.price_per_gb_max = std::to_string(number(0, 5)) + ".50";
  }
  const PathState& of(const Scenario::Share& share) const {
    return *std::find_if(paths.begin(), paths.end(),
                         [&](const PathState& p) { return p.index == share.path_index; });
  }

  std::vector<PathState> paths;
  Profile profile;
  ServiceRequest request;

 private:
  int number(int from, int to) { return std::uniform_int_distribution(from, to)(random_); }
  std::mt19937_64 random_;
};

TEST(AnyScenario, IsMadeOfPathsThatMayBeUsedAndKeepsWhatWasAskedFor) {
  int found = 0;
  for (uint64_t seed = 1; seed <= 2000; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    const AnyLinks links(seed);
    const Choice choice = prefer(links.paths, links.profile, links.request, "EUR");
    ASSERT_NE(choice.preferred.has_value(), !choice.refusal.empty());
    if (!choice.preferred) continue;
    ++found;
    const Scenario& s = *choice.preferred;
    uint32_t up = 0, down = 0;
    for (const auto& share : s.shares) {
      EXPECT_TRUE(links.of(share).alive);
      EXPECT_NE(links.profile.standing(links.of(share).provider, ""), Standing::never);
      up += share.weight_up;
      down += share.weight_down;
    }
    EXPECT_EQ(up, 65535u);
    EXPECT_EQ(down, 65535u);
    if (links.request.rate_up_bps) {
      EXPECT_GE(s.expected.goodput_up_bps, static_cast<double>(*links.request.rate_up_bps));
    }
    if (links.request.latency_ms_max) {
      EXPECT_LE(s.expected.latency_ms, *links.request.latency_ms_max);
    }
    EXPECT_EQ(s.resequence, s.segmentation == Segmentation::packet && s.shares.size() > 1);
    for (const PathState& p : links.paths) {
      EXPECT_THAT(s.reasons, Contains(HasSubstr(p.name))) << "each link has its reason";
    }
  }
  EXPECT_GT(found, 1000);
}

TEST(AnyScenario, IsRefusedOnlyWhenNoCandidateKeepsTheRequest) {
  for (uint64_t seed = 1; seed <= 2000; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    AnyLinks links(seed);
    links.request.latency_ms_max.reset();
    links.request.price_per_gb_max.reset();
    links.request.rate_up_bps = 200'000'000;
    bool possible = false;
    for (const Scenario& s : candidates(links.paths, links.profile)) {
      possible = possible || s.expected.goodput_up_bps >= 200e6;
    }
    EXPECT_EQ(prefer(links.paths, links.profile, links.request, "EUR").preferred.has_value(),
              possible);
  }
}

TEST(AnyScenario, IsTheSameForTheSameInput) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    AnyLinks links(seed);
    const auto first = prefer(links.paths, links.profile, links.request, "EUR");
    std::reverse(links.paths.begin(), links.paths.end());
    const auto second = prefer(links.paths, links.profile, links.request, "EUR");
    ASSERT_EQ(first.preferred.has_value(), second.preferred.has_value());
    if (first.preferred) {
      EXPECT_EQ(first.preferred->shares, second.preferred->shares) << seed;
      EXPECT_EQ(first.preferred->segmentation, second.preferred->segmentation) << seed;
    }
  }
}

TEST(AnyCandidate, IsEachSubsetOfUsablePathsOnceForEachSegmentation) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    const AnyLinks links(seed);
    const auto usable = std::count_if(links.paths.begin(), links.paths.end(), [&](const auto& p) {
      return p.alive && links.profile.standing(p.provider, p.network) != Standing::never;
    });
    std::set<std::pair<Segmentation, std::vector<uint8_t>>> seen;
    for (const Scenario& s : candidates(links.paths, links.profile)) {
      std::vector<uint8_t> used;
      for (const auto& share : s.shares) used.push_back(share.path_index);
      seen.emplace(s.segmentation, used);
    }
    EXPECT_EQ(seen.size(), 2 * ((size_t{1} << usable) - 1)) << seed;
  }
}

TEST(Ratings, AreHundredForAPerfectLinkAndNoughtForADeadOne) {
  PathState p = link(1, {"fibre", 100, 0, 1});
  EXPECT_DOUBLE_EQ(rating_of(rate({p}).links, "fibre"), 100);
  p.alive = false;
  EXPECT_DOUBLE_EQ(rating_of(rate({p}).links, "fibre"), 0);
  EXPECT_DOUBLE_EQ(rating_of(rate({p}).links, "another"), 0);
}

TEST(Ratings, NeverRiseWhenAMeasurementGetsWorse) {
  for (uint64_t seed = 1; seed <= 500; ++seed) {
    PathState p = AnyLinks(seed).paths.front();
    p.alive = true;
    const double before = rating_of(rate({p}).links, p.name);
    PathState worse[] = {p, p, p, p, p};
    worse[0].rtt_ms += 10;
    worse[1].rtt_variation_ms += 10;
    worse[2].loss_up += 0.01;
    worse[3].loss_down += 0.01;
    worse[4].availability *= 0.9;
    for (const PathState& w : worse) {
      EXPECT_LE(rating_of(rate({w}).links, p.name), before) << seed;
    }
  }
}

TEST(Ratings, OfAProviderAreItsLinksByCapacity) {
  PathState big = link(1, {"big", 90, 0, 1}), small = link(2, {"small", 10, 0, 1});
  small.provider = big.provider;
  small.alive = false;
  EXPECT_NEAR(rating_of(rate({big, small}).providers, big.provider), 90, 1e-9);
}

}  // namespace
}  // namespace anabranch::control
