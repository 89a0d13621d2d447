// SPDX-License-Identifier: BSD-3-Clause
// Ratings: from measurements of links to links, networks and providers.
#include <gtest/gtest.h>

#include "control/measure.h"
#include "tests/control/paths.h"

namespace anabranch::control {
namespace {

double link_rating(const PathState& path) {
  return rating_of(rate({path}).links, path.name);
}

PathState perfect() {
  PathState path = three_links()[0];
  path.rtt_ms = path.rtt_variation_ms = 0;
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
      case 0: p.loss_up *= less; break;
      case 1: p.loss_down *= less; break;
      case 2: p.rtt_ms *= less; break;
      case 3: p.rtt_variation_ms *= less; break;
      case 4: p.availability += (1 - p.availability) * less; break;
      default: p.alive = true;
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
  const double fibre = rating_of(ratings.links, "fibre"), mobile = rating_of(ratings.links, "mobile");
  EXPECT_GT(fibre, mobile);
  EXPECT_NEAR(rating_of(ratings.providers, "northfibre"), (fibre * 200 + mobile * 100) / 300, 1e-9);
  EXPECT_DOUBLE_EQ(rating_of(ratings.networks, "northfibre-ftth"), fibre) << "a network of its own";
  EXPECT_EQ(rating_of(ratings.providers, "nobody"), 0);
  EXPECT_EQ(ratings.providers.size(), 2u);
  EXPECT_TRUE(rate({}).links.empty());
}

// A link that loses every n-th packet, measured once a second at 1000 packets a second.
struct LossyLink {
  uint64_t every;
  uint64_t expected = 0, received = 0;
  void second(LossMeter& meter) {
    expected += 1000;
    received += 1000 - (every == 0 ? 0 : 1000 / every);
    meter.update(received, expected);
  }
};

TEST(Measurement, OfLossFollowsWithinAFewSecondsAndForgets) {
  LossMeter meter;
  LossyLink link{.every = 100};
  for (int i = 0; i < 20; ++i) link.second(meter);
  EXPECT_NEAR(meter.loss(), 0.01, 0.0002);
  link.every = 0;
  for (int i = 0; i < 5; ++i) link.second(meter);
  EXPECT_LT(meter.loss(), 0.004);
  for (int i = 0; i < 30; ++i) link.second(meter);
  EXPECT_LT(meter.loss(), 0.0001);
}

TEST(Measurement, OfLossIsNotMovedByAHandfulOfPackets) {
  LossMeter meter;
  meter.update(0, 19);
  EXPECT_EQ(meter.loss(), 0) << "fewer than 20 say nothing yet";
  meter.update(0, 20);
  EXPECT_DOUBLE_EQ(meter.loss(), 0.2) << "they are taken together with the next";
}

TEST(Measurement, OfLossIsNotFooledByANewSessionOrByDuplicates) {
  LossMeter meter;
  meter.update(1000, 1000);
  meter.update(0, 0);
  EXPECT_EQ(meter.loss(), 0) << "counts that went back";
  meter.update(1100, 1000);
  EXPECT_EQ(meter.loss(), 0) << "more came than was sent";
  meter.update(2050, 2000);
  EXPECT_DOUBLE_EQ(meter.loss(), 0.2 * 0.05);
}

TEST(Measurement, OfAvailabilityRemembersAboutAMinute) {
  PathMeter meter;
  PathState state;
  const PathSample up{.alive = true}, down{};
  meter.update(up);
  meter.write(up, state);
  EXPECT_DOUBLE_EQ(state.availability, 1);
  for (int i = 0; i < 60; ++i) meter.update(down);
  meter.write(down, state);
  EXPECT_FALSE(state.alive);
  EXPECT_NEAR(state.availability, 0.365, 0.01);
  for (int i = 0; i < 600; ++i) meter.update(up);
  meter.write(up, state);
  EXPECT_GT(state.availability, 0.999);
}

TEST(Measurement, TellsWhatWeSendFromWhatWeReceive) {
  PathMeter meter;
  const PathSample sample{.alive = true,
                          .rtt_ms = 30,
                          .rtt_variation_ms = 3,
                          .rtt_min_ms = 28,
                          .received = 1000,
                          .expected = 1000,
                          .peer_received = 500,
                          .peer_expected = 1000};
  meter.update(sample);
  PathState state;
  meter.write(sample, state);
  EXPECT_DOUBLE_EQ(state.loss_up, 0.2 * 0.5) << "the peer received half of what we sent";
  EXPECT_EQ(state.loss_down, 0);
  EXPECT_EQ(state.rtt_ms, 30);
  EXPECT_EQ(state.rtt_min_ms, 28);
  EXPECT_EQ(state.rtt_variation_ms, 3);
}

}  // namespace
}  // namespace anabranch::control
