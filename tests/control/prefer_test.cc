// SPDX-License-Identifier: BSD-3-Clause
// The preferred scenario: what the claims say of it, on the quickstart's three links.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/compile.h"
#include "dataplane/pace.h"
#include "dataplane/wire.h"
#include "tests/control/paths.h"

namespace anabranch::control {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

class AClient : public testing::Test {
 protected:
  Scenario chosen(const Scenario* in_force = nullptr) const {
    const Choice choice = prefer(paths_, profile_, request_, "EUR", in_force);
    EXPECT_TRUE(choice.preferred) << choice.refusal;
    return choice.preferred.value_or(Scenario{});
  }
  std::string refusal() const {
    const Choice choice = prefer(paths_, profile_, request_, "EUR");
    EXPECT_FALSE(choice.preferred);
    return choice.refusal;
  }
  // Two links with nothing to choose between them but what a test changes.
  void have_two_equal_links() {
    paths_ = two_equal_links();
    request_.rate_up_bps = request_.rate_down_bps = 50'000'000;
  }
  // A link too slow for the request, which is down.
  void have_a_dead_link_of(const std::string& provider, const std::string& network) {
    PathState dead = three_links()[2];
    dead.provider = provider;
    dead.network = network;
    dead.alive = false;
    dead.index = 9;
    paths_.push_back(dead);
  }

  std::vector<PathState> paths_ = three_links();
  Profile profile_{.id = "any"};
  ServiceRequest request_;
};

TEST_F(AClient, Claim01_GetsACombinationOfSegmentationDispersionAndAssemblage) {
  const Scenario s = chosen();
  EXPECT_EQ(s.dispersion, Dispersion::earliest_delivery);
  EXPECT_TRUE(s.resequence) << "packets of one flow come over several links";
  EXPECT_THAT(names_of(s), ElementsAre("fibre", "mobile", "dsl"));
  const double sum = 65535;
  EXPECT_NEAR(s.shares[0].weight_up / sum, 100 / 170.0, 1e-4);
  EXPECT_NEAR(s.shares[1].weight_up / sum, 50 / 170.0, 1e-4);
  EXPECT_NEAR(s.shares[2].weight_down / sum, 20 / 170.0, 1e-4);
  EXPECT_GT(s.expected.goodput_up_bps, 0.85 * 170e6);
  EXPECT_LT(s.expected.goodput_up_bps, 170e6);
  EXPECT_DOUBLE_EQ(s.expected.latency_ms, 30) << "as late as the slowest";
}

TEST_F(AClient, Claim01_GetsAnotherCombinationWhenConditionsChange) {
  paths_[0].alive = false;
  EXPECT_THAT(names_of(chosen()), ElementsAre("mobile", "dsl"));
  paths_[1].alive = false;
  const Scenario alone = chosen();
  EXPECT_THAT(names_of(alone), ElementsAre("dsl"));
  EXPECT_TRUE(alone.resequence) << "what is lost is repaired";
  paths_ = three_links();
  paths_[1].loss_up = paths_[1].loss_down = 0.05;
  EXPECT_THAT(names_of(chosen()), Contains("mobile")) << "its loss is repaired";
}

TEST_F(AClient, IsNotDelayedByALinkThatCouldNotCarryEnoughForIt) {
  paths_[1].rtt_ms = paths_[1].rtt_min_ms = 640;
  const Scenario s = chosen();
  EXPECT_THAT(names_of(s), ElementsAre("fibre", "dsl"));
  EXPECT_THAT(s.reasons,
              Contains(HasSubstr("mobile is left out: parked, for with 320 ms one way")));
}

TEST_F(AClient, Claim01_GetsWholeFlowsWhereTheProfileWantsThem) {
  profile_.dispersions = {Dispersion::flow};
  const Scenario s = chosen();
  EXPECT_EQ(segmentation_of(s.dispersion), Segmentation::flow);
  EXPECT_FALSE(s.resequence);
}

TEST_F(AClient, Claim01_GetsTheCheapestLinkFirstWhereTheProfileWantsAnOrder) {
  profile_.dispersions = {Dispersion::priority};
  const Scenario s = chosen();
  EXPECT_THAT(names_of(s), ElementsAre("fibre", "mobile", "dsl"));
  std::vector<Uint128> prices;
  for (const uint8_t index : s.order)
    prices.push_back(std::find_if(paths_.begin(), paths_.end(), [&](const PathState& p) {
                       return p.index == index;
                     })->price_attos_per_octet);
  EXPECT_EQ(prices.size(), 3u);
  EXPECT_TRUE(std::is_sorted(prices.begin(), prices.end()));
  EXPECT_THAT(s.reasons, Contains(HasSubstr("takes the first path that is not busy, of")));
}

TEST_F(AClient, Claim01_GetsOneLinkAndTheOthersForWhenItFails) {
  profile_.dispersions = {Dispersion::standby};
  profile_.networks = {{paths_[1].network, Standing::prefer}};
  const Scenario s = chosen();
  ASSERT_FALSE(s.order.empty());
  EXPECT_EQ(s.order.front(), paths_[1].index);
  EXPECT_DOUBLE_EQ(s.expected.latency_ms, paths_[1].rtt_ms / 2);
}

TEST_F(AClient, Claim01_GetsEverythingTwiceAndPaysTwice) {
  const auto priced = [&](Dispersion dispersion) {
    profile_.dispersions = {dispersion};
    return chosen();
  };
  for (PathState& p : paths_) p.loss_up = p.loss_down = 0.05;
  const Scenario twice = priced(Dispersion::redundant), once = priced(Dispersion::weighted);
  EXPECT_NEAR(twice.expected.loss_percent, 0.25, 1e-9);
  EXPECT_LT(twice.expected.goodput_up_bps, once.expected.goodput_up_bps * 0.51);
  for (const Scenario& s : candidates(paths_, profile_)) EXPECT_GE(s.shares.size(), 1u);
  for (PathState& p : paths_) p.alive = p.index == paths_[0].index;
  profile_.dispersions = {Dispersion::redundant};
  EXPECT_FALSE(prefer(paths_, profile_, request_, "EUR").preferred)
      << "one link cannot carry a copy that survives it";
}

TEST_F(AClient, IsGivenTheWeightRatesAndClassesOfItsProfile) {
  profile_.treatment = {.weight = 7,
                        .rate_up_max = 20'000'000,
                        .rate_down_max = 30'000'000,
                        .urgent = dscp_set(46),
                        .background = dscp_set(8)};
  const Scenario s = chosen();
  EXPECT_DOUBLE_EQ(s.expected.goodput_up_bps, 20e6);
  EXPECT_DOUBLE_EQ(s.expected.goodput_down_bps, 30e6);
  EXPECT_THAT(s.reasons,
              Contains("is given 20 Mbit/s up and 30 Mbit/s down at most, by the profile"));
  EXPECT_THAT(s.reasons, Contains(HasSubstr("has the weight 7")));
  request_.rate_up_bps = 21'000'000;
  EXPECT_THAT(refusal(), HasSubstr("does not keep 21 Mbit/s up"));
  const auto up = compile(carriage_up(s), 1, 2, {}), down = compile(carriage_down(s), 1, 2, {});
  EXPECT_EQ(up->weight, 7);
  EXPECT_EQ(up->pace, dataplane::pace_of(20'000'000));
  EXPECT_EQ(down->pace, dataplane::pace_of(30'000'000));
  EXPECT_EQ(up->class_of(46), dataplane::TrafficClass::urgent);
  EXPECT_EQ(down->class_of(8), dataplane::TrafficClass::background);
  EXPECT_EQ(down->class_of(0), dataplane::TrafficClass::normal);
}

TEST(Names, OfDispersionsAreOursAndThoseOfAtsss) {
  EXPECT_EQ(find_dispersion("active-standby"), Dispersion::standby);
  EXPECT_EQ(find_dispersion("smallest-delay"), Dispersion::earliest_delivery);
  EXPECT_EQ(find_dispersion("load-balancing"), Dispersion::weighted);
  EXPECT_EQ(find_dispersion("priority-based"), Dispersion::priority);
  EXPECT_EQ(find_dispersion("redundant"), Dispersion::redundant);
  EXPECT_EQ(find_dispersion("Weighted"), std::nullopt);
  EXPECT_STREQ(to_string(Dispersion::standby), "standby");
}

TEST_F(AClient, Claim02_IsServedOverNetworksOfSeveralProviders) {
  request_.rate_up_bps = 120'000'000;
  const Scenario s = chosen();
  EXPECT_EQ(s.shares[0].provider, "northfibre");
  EXPECT_EQ(s.shares[1].provider, "airmobile");
}

TEST_F(AClient, Claim04_GetsTheProviderItsProfilePrefers) {
  have_two_equal_links();
  profile_.providers = {{"northfibre", Standing::prefer}};
  EXPECT_THAT(names_of(chosen()), ElementsAre("fibre"));
  EXPECT_THAT(chosen().reasons, Contains("fibre is preferred by the profile"));
  profile_.providers = {{"harbourcable", Standing::prefer}};
  EXPECT_THAT(names_of(chosen()), ElementsAre("cable"));
}

TEST_F(AClient, Claim05_GetsTheNetworkItsProfilePrefers) {
  have_two_equal_links();
  paths_[1].provider = paths_[0].provider;
  profile_.networks = {{"northfibre-ftth", Standing::prefer}};
  EXPECT_THAT(names_of(chosen()), ElementsAre("fibre"));
  profile_.networks = {{"harbourcable-docsis", Standing::prefer}};
  EXPECT_THAT(names_of(chosen()), ElementsAre("cable"));
}

TEST_F(AClient, Claim06_GetsTheHighestRatedProvider) {
  for (const bool first : {false, true}) {
    have_two_equal_links();
    // Another link of the provider is down, on a network that nothing else uses.
    have_a_dead_link_of(paths_[first ? 0 : 1].provider, "dsl");
    EXPECT_THAT(names_of(chosen()), ElementsAre(first ? "cable" : "fibre"));
  }
}

TEST_F(AClient, Claim07_GetsTheHighestRatedNetwork) {
  for (const bool first : {false, true}) {
    have_two_equal_links();
    paths_[1].provider = paths_[0].provider;
    have_a_dead_link_of("somebody-else", paths_[first ? 0 : 1].network);
    EXPECT_THAT(names_of(chosen()), ElementsAre(first ? "cable" : "fibre"));
  }
}

TEST_F(AClient, IsNeverServedOverWhatTheProfileForbids) {
  profile_.providers = {{"northfibre", Standing::never}};
  EXPECT_THAT(names_of(chosen()), ElementsAre("mobile", "dsl"));
  EXPECT_THAT(chosen().reasons, Contains("fibre is left out: the profile says never"));
  profile_.networks = {{"airmobile-5g", Standing::never}, {"coppertel-vdsl", Standing::never}};
  EXPECT_EQ(refusal(),
            "no path may be used: fibre: the profile says never; mobile: the profile says never; "
            "dsl: the profile says never");
}

TEST_F(AClient, WhatWasAwayIsUsedOnlyWhereTheRequestCannotBeMetWithoutIt) {
  paths_[0].held_back_s = 8;
  EXPECT_THAT(names_of(chosen()), ElementsAre("mobile", "dsl"));
  EXPECT_THAT(chosen().reasons,
              Contains("fibre is left out: held back, for it was away: it is relied on again when "
                       "it has been there for 8 s"));
  request_.rate_up_bps = 90'000'000;
  EXPECT_THAT(names_of(chosen()), Contains("fibre"));
  EXPECT_THAT(chosen().reasons, Contains("fibre was away lately, and is used all the same, because "
                                         "the request cannot be met without it"));
}

TEST_F(AClient, IsToldByWhichClassOfItsTrafficAScenarioIsChosen) {
  profile_.traffic_class = "voice";
  profile_.dispersions = {Dispersion::redundant};
  EXPECT_EQ(chosen().dispersion, Dispersion::redundant);
  EXPECT_THAT(chosen().reasons, Contains("all its traffic is of the class \"voice\", which the "
                                         "profile disperses by redundant"));
}

TEST_F(AClient, IsServedOverWhatTheProfileAvoidsOnlyInNeed) {
  profile_.providers = {{"airmobile", Standing::avoid}};
  EXPECT_THAT(names_of(chosen()), ElementsAre("fibre", "dsl"));
  EXPECT_THAT(chosen().reasons, Contains("mobile is left out: the profile avoids it"));
  request_.rate_up_bps = 140'000'000;
  EXPECT_THAT(names_of(chosen()), ElementsAre("fibre", "mobile", "dsl"));
  EXPECT_THAT(chosen().reasons,
              Contains("paths the profile avoids are used, because the request cannot be met "
                       "without them"));
  request_.rate_up_bps.reset();
  paths_[0].alive = paths_[2].alive = false;
  EXPECT_THAT(names_of(chosen()), ElementsAre("mobile")) << "better than nothing";
}

TEST_F(AClient, WhoLooksAtThePriceOnlyGetsTheCheapestLink) {
  profile_.quality_percent = 0;
  EXPECT_THAT(names_of(chosen()), ElementsAre("dsl"));
  request_.rate_up_bps = 80'000'000;
  EXPECT_THAT(names_of(chosen()), ElementsAre("fibre", "dsl"))
      << "the cheapest mix that carries it";
}

TEST_F(AClient, PaysNoMoreThanItAsksFor) {
  request_.price_per_gb_max = "0.50";
  const Scenario s = chosen();
  EXPECT_LE(s.expected.price_attos_per_gb, kUnitPerGb * 500'000'000);
  EXPECT_THAT(names_of(s), ElementsAre("fibre", "dsl"));
  request_.price_per_gb_max = "0.34";
  EXPECT_THAT(refusal(), HasSubstr("does not keep 0.34 EUR/GB"));
}

TEST_F(AClient, IsToldWhatCannotBeKeptAndTheNearestThatCan) {
  request_.rate_up_bps = 200'000'000;
  EXPECT_EQ(refusal(),
            "no scenario keeps all that is asked for; the best, over fibre (northfibre), mobile "
            "(airmobile) and dsl (coppertel), does not keep 200 Mbit/s up: it is expected to give "
            "154.1 Mbit/s up, 154.1 Mbit/s down, 30 ms one way, 0.0 % loss, at 1.0412 EUR/GB");
  request_.rate_up_bps.reset();
  request_.latency_ms_max = 5;
  EXPECT_THAT(refusal(), HasSubstr("does not keep 5 ms one way"));
  paths_.clear();
  EXPECT_EQ(refusal(),
            "no path may be used: none is configured with a price in the client's tariff");
}

TEST_F(AClient, IsToldWhyInWords) {
  paths_[2].alive = false;
  const Scenario s = chosen();
  EXPECT_THAT(
      s.reasons,
      ElementsAre("fibre (northfibre) and mobile (airmobile) together are expected to carry "
                  "136.0 Mbit/s up and 136.0 Mbit/s down; the best single link, fibre, 90.6 "
                  "Mbit/s up",
                  "each packet takes the path that delivers it first, which with all of them full "
                  "is 67 % : 33 %; what is lost is repaired, and all is put in order again",
                  "costs 1.1333 EUR/GB, 0.6333 EUR/GB above the cheapest, fibre "
                  "(northfibre)",
                  "dsl is left out: down"));
  const nlohmann::json shown = to_json(s, "EUR");
  EXPECT_EQ(shown["shares"].size(), 2u);
  EXPECT_EQ(shown["assemblage"], "resequence");
}

// Ten minutes of measurements that vary by their noise only; how often the plan was replaced.
int replacements(const std::vector<PathState>& mean, const Profile& profile, uint32_t seed) {
  std::mt19937 random(seed);
  const auto about = [&](double value, double spread) {
    return std::max(0.0, value * (1 + spread * std::normal_distribution<double>()(random)));
  };
  std::optional<Scenario> in_force;
  int count = 0;
  for (int second = 0; second < 600; ++second) {
    std::vector<PathState> now = mean;
    for (PathState& p : now) {
      p.rtt_ms = about(p.rtt_ms, 0.03);
      p.rtt_variation_ms = about(p.rtt_variation_ms, 0.3);
      p.loss_up = about(p.loss_up, 0.1);
      p.loss_down = about(p.loss_down, 0.1);
    }
    const Choice choice = prefer(now, profile, {}, "EUR", in_force ? &*in_force : nullptr);
    if (!in_force || worth_replacing(*in_force, *choice.preferred)) {
      in_force = choice.preferred;
      ++count;
    }
  }
  return count;
}

TEST(Preference, DoesNotFlapBetweenNearlyEqualScenarios) {
  for (const uint8_t quality : {100, 80, 50, 20, 0}) {
    for (const double loss : {0.0, 0.003, 0.01, 0.02}) {
      std::vector<PathState> paths = three_links();
      paths[1].loss_up = paths[1].loss_down = loss;
      paths[2].loss_up = paths[2].loss_down = 2 * loss;
      EXPECT_LE(replacements(paths, {.id = "any", .quality_percent = quality}, 1), 2)
          << "quality " << +quality << " % loss " << loss;
    }
  }
}

TEST(Preference, ReplacesAPlanForAWeightThatChangedByMoreThanATwentieth) {
  const Scenario now = *prefer(three_links(), {}, {}, "EUR").preferred;
  Scenario next = now;
  EXPECT_FALSE(worth_replacing(now, next));
  next.shares[0].weight_up = static_cast<uint16_t>(now.shares[0].weight_up * 0.96);
  EXPECT_FALSE(worth_replacing(now, next));
  next.shares[0].weight_up = static_cast<uint16_t>(now.shares[0].weight_up * 0.94);
  EXPECT_TRUE(worth_replacing(now, next));
  next = now;
  next.dispersion = Dispersion::flow;
  EXPECT_TRUE(worth_replacing(now, next));
  next = now;
  next.shares.pop_back();
  EXPECT_TRUE(worth_replacing(now, next));
  EXPECT_TRUE(worth_replacing(Scenario{}, now)) << "nothing is in force yet";
  next = *prefer(three_links(), {.treatment = {.urgent = dscp_set(46)}}, {}, "EUR").preferred;
  EXPECT_TRUE(worth_replacing(now, next)) << "the profile has changed";
}

TEST(APlan, TakesWhatFitsItsWidestPathAndMakesConnectionsFitTheNarrowest) {
  Carriage carriage;
  carriage.weights = {0, 1, 0, 1, 1};
  const uint16_t ipv6 = dataplane::segment_overhead(dataplane::kOuterIp6);
  const auto plan =
      compile(carriage, 1, 2,
              {{{}, {.mtu = 1500}, {.mtu = 576}, {.mtu = 1415, .overhead = ipv6}, {.mtu = 1400}}});
  EXPECT_EQ(plan->inner_mtu, 1500 - 66);
  EXPECT_EQ(plan->whole_mtu, 1415 - 86) << "over IPv6, though its MTU is not the least";
  EXPECT_EQ(compile(Carriage{}, 1, 2, {})->inner_mtu, 0) << "the house's sends nothing";
}

}  // namespace
}  // namespace anabranch::control
