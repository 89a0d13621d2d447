// SPDX-License-Identifier: BSD-3-Clause
// Ratings: from measurements of links to links, networks and providers.
#include <gtest/gtest.h>

#include "tests/control/paths.h"

namespace anabranch::control {
namespace {

double link_rating(const PathState& path) {
  return rating_of(rate({path}).links, path.name);
}

PathState perfect() {
  PathState path = three_links()[0];
  path.rtt_ms = path.rtt_min_ms = path.rtt_variation_ms = 0;
  return path;
}

TEST(Ratings, OfALinkHalveAtTheStatedValues) {
  PathState path = perfect();
  EXPECT_DOUBLE_EQ(link_rating(path), 100);
  (path = perfect()).loss_up = 0.02;
  EXPECT_DOUBLE_EQ(link_rating(path), 50);
  (path = perfect()).loss_down = 0.02;
  EXPECT_DOUBLE_EQ(link_rating(path), 50) << "the worse direction counts";
  (path = perfect()).rtt_ms = 400;
  EXPECT_DOUBLE_EQ(link_rating(path), 50);
  (path = perfect()).rtt_variation_ms = 100;
  EXPECT_DOUBLE_EQ(link_rating(path), 50);
  (path = perfect()).availability = 0.5;
  EXPECT_DOUBLE_EQ(link_rating(path), 50);
  (path = perfect()).alive = false;
  EXPECT_DOUBLE_EQ(link_rating(path), 0);
}

TEST(Ratings, ABetterMeasurementNeverLowersAnyRating) {
  std::mt19937 random(1);
  for (int i = 0; i < 5000; ++i) {
    const std::vector<PathState> before = any_paths(random);
    std::vector<PathState> after = before;
    PathState& p = after[random() % after.size()];
    const double less = std::uniform_real_distribution<double>(0, 1)(random);
    switch (random() % 6) {
      case 0:
        p.loss_up *= less;
        break;
      case 1:
        p.loss_down *= less;
        break;
      case 2:
        p.rtt_ms *= less;
        break;
      case 3:
        p.rtt_variation_ms *= less;
        break;
      case 4:
        p.availability += (1 - p.availability) * less;
        break;
      default:
        p.alive = true;
    }
    const Ratings was = rate(before), is = rate(after);
    for (const auto all : {&Ratings::links, &Ratings::networks, &Ratings::providers}) {
      for (const auto& [name, rating] : is.*all) {
        EXPECT_GE(rating, rating_of(was.*all, name) - 1e-9) << name;
        EXPECT_GE(rating, 0) << name;
        EXPECT_LE(rating, 100) << name;
      }
    }
  }
}

TEST(Ratings, OfAProviderLieBetweenThoseOfItsLinksAndLeanToTheLarger) {
  std::vector<PathState> paths = three_links();
  paths[1].provider = paths[0].provider;
  paths[1].loss_up = 0.02;
  const Ratings ratings = rate(paths);
  const double fibre = rating_of(ratings.links, "fibre"),
               mobile = rating_of(ratings.links, "mobile");
  EXPECT_GT(fibre, mobile);
  EXPECT_NEAR(rating_of(ratings.providers, "northfibre"), (fibre * 200 + mobile * 100) / 300, 1e-9);
  EXPECT_DOUBLE_EQ(rating_of(ratings.networks, "northfibre-ftth"), fibre) << "a network of its own";
  EXPECT_EQ(rating_of(ratings.providers, "nobody"), 0);
  EXPECT_EQ(ratings.providers.size(), 2u);
  EXPECT_TRUE(rate({}).links.empty());
}

}  // namespace
}  // namespace anabranch::control
