// SPDX-License-Identifier: BSD-3-Clause
// What a profile says of the highest rated, and of the providers that may be asked for quotes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/control/paths.h"

namespace anabranch::control {
namespace {

using testing::Contains;
using testing::ElementsAre;

Scenario chosen_by(HighestRated whose, const Ratings& ratings) {
  Profile profile{.id = "any"};
  profile.prefer_highest_rated = whose;
  ServiceRequest request;
  request.rate_up_bps = request.rate_down_bps = 50'000'000;
  const Choice choice = prefer(two_equal_links(), profile, request, "EUR", nullptr, &ratings);
  EXPECT_TRUE(choice.preferred) << choice.refusal;
  return choice.preferred.value_or(Scenario{});
}

TEST(HighestRatedProfile, claim_c06_TheHighestRatedProviderIsPreferredAsRatingsChange) {
  Ratings ratings;
  ratings.providers = {{"northfibre", 81}, {"harbourcable", 79.5}};
  const Scenario before = chosen_by(HighestRated::provider, ratings);
  EXPECT_THAT(names_of(before), ElementsAre("fibre"));
  EXPECT_THAT(before.reasons, Contains("fibre is preferred by the profile, for northfibre is the "
                                       "provider that is rated highest, 81.0 of 100"));
  ratings.providers = {{"northfibre", 81}, {"harbourcable", 82.5}};
  const Scenario after = chosen_by(HighestRated::provider, ratings);
  EXPECT_THAT(names_of(after), ElementsAre("cable"));
  EXPECT_THAT(after.reasons, Contains("cable is preferred by the profile, for harbourcable is the "
                                      "provider that is rated highest, 82.5 of 100"));
}

TEST(HighestRatedProfile, claim_c07_TheHighestRatedNetworkIsPreferredAsRatingsChange) {
  Ratings ratings;
  ratings.networks = {{"northfibre-ftth", 70}, {"harbourcable-docsis", 60}};
  const Scenario before = chosen_by(HighestRated::network, ratings);
  EXPECT_THAT(names_of(before), ElementsAre("fibre"));
  ratings.networks[1].second = 75;
  const Scenario after = chosen_by(HighestRated::network, ratings);
  EXPECT_THAT(names_of(after), ElementsAre("cable"));
  EXPECT_THAT(after.reasons,
              Contains("cable is preferred by the profile, for harbourcable-docsis is the network "
                       "that is rated highest, 75.0 of 100"));
}

std::string mistake_in(const char* key, const nlohmann::json& value) {
  const auto p = parse_profile({{"id", "p"}, {key, value}});
  return p ? "in order" : p.error().at(0).pointer;
}

TEST(HighestRatedProfile, MistakesAreNamedByTheirField) {
  EXPECT_EQ(mistake_in("prefer_highest_rated", "provider"), "in order");
  EXPECT_EQ(mistake_in("prefer_highest_rated", "link"), "/prefer_highest_rated");
  EXPECT_EQ(mistake_in("prefer_highest_rated", 1), "/prefer_highest_rated");
  EXPECT_EQ(mistake_in("pre_approved", {"northfibre", "coppertel"}), "in order");
  EXPECT_EQ(mistake_in("pre_approved", {"northfibre", "North Fibre"}), "/pre_approved/1");
  EXPECT_EQ(mistake_in("pre_approved", {"a", "b", "a"}), "/pre_approved/2");
  EXPECT_EQ(mistake_in("pre_approved", "northfibre"), "/pre_approved");
}

}  // namespace
}  // namespace anabranch::control
