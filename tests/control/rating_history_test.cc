// SPDX-License-Identifier: BSD-3-Clause
// Ratings over windows: robust, by confidence, damped, kept.
#include <gtest/gtest.h>

#include "control/rating_history.h"
#include "tests/control/paths.h"

namespace anabranch::control {
namespace {

constexpr int64_t kStart = 1'800'000'000 - 1'800'000'000 % 3600;

class AHistory : public testing::Test {
 protected:
  void run(int seconds) {
    for (int i = 0; i < seconds; ++i) history_.add(now_++, paths_);
  }
  double link(const std::string& name) const { return rating_of(history_.ratings().links, name); }
  nlohmann::json window(size_t index) const {
    return history_.history(now_ - 1)["links"][1]["windows"][index];  // fibre
  }

  std::vector<PathState> paths_ = three_links();
  RatingHistory history_;
  int64_t now_ = kStart;
};

TEST_F(AHistory, RatesTheSameWhileNothingChangesInAllWindows) {
  run(2 * 3600 + 1);
  const Ratings now = rate(paths_), over = history_.ratings();
  for (const auto all : {&Ratings::links, &Ratings::networks, &Ratings::providers}) {
    ASSERT_EQ((now.*all).size(), (over.*all).size());
    for (const auto& [name, rating] : now.*all)
      EXPECT_NEAR(rating, rating_of(over.*all, name), 0.01) << name;
  }
  EXPECT_EQ(window(0)["samples"], 1);
  EXPECT_EQ(window(1)["samples"], 60);
  EXPECT_EQ(window(2)["samples"], 3600);
  EXPECT_EQ(window(3)["samples"], 7200);
  EXPECT_NEAR(window(1)["confidence"].get<double>(), 0.8, 1e-9);
  EXPECT_LT(window(3)["confidence"].get<double>(), 0.02) << "two hours of thirty days";
}

TEST_F(AHistory, TellsWhatALinkWasOverEachWindow) {
  run(50 * 60);
  paths_[0].rtt_ms = 90;
  paths_[0].loss_up = 0.04;
  paths_[0].rtt_variation_ms = 7;
  run(10 * 60 + 1);  // ten of sixty minutes
  paths_[0].alive = false;
  run(15);
  paths_[0].alive = true;
  run(15);
  const auto [minute, hour, month] = history_.records("fibre");
  EXPECT_EQ(minute.samples, 60u);
  EXPECT_NEAR(minute.availability, 0.75, 1e-6);
  EXPECT_NEAR(minute.latency_ms, 45, 1e-3) << "half of the round trip";
  EXPECT_NEAR(minute.loss, 0.04, 1e-6);
  EXPECT_NEAR(minute.jitter_ms, 7, 1e-3);
  EXPECT_NEAR(hour.latency_ms, 10, 1e-3) << "the median of its minutes";
  EXPECT_EQ(hour.loss, 0) << "of which a sixth were worse";
  EXPECT_GT(month.samples, 3000u);
  EXPECT_EQ(history_.records("nobody")[0].samples, 0u);
}

TEST_F(AHistory, IsNotMovedByASpikeButByWhatLasts) {
  run(600);
  const double before = link("fibre");
  paths_[0].loss_up = 0.5;
  paths_[0].rtt_ms = 2000;
  run(10);
  paths_ = three_links();
  run(10);
  EXPECT_EQ(link("fibre"), before) << "ten seconds of sixty";
  paths_[0].loss_up = 0.05;
  run(60);
  EXPECT_LT(link("fibre"), before * 0.6);
  paths_ = three_links();
  run(120);
  EXPECT_NEAR(link("fibre"), before, RatingHistory::kClearly) << "and back";
}

TEST_F(AHistory, HasADeadLinkAtNothingAtOnceAndForgivesSlowly) {
  run(600);
  const double before = link("fibre");
  paths_[0].alive = false;
  run(1);
  EXPECT_EQ(link("fibre"), 0);
  run(29);
  paths_[0].alive = true;
  run(1);
  EXPECT_GT(link("fibre"), 0.4 * before);
  EXPECT_LT(link("fibre"), 0.8 * before) << "half of its last minute it was away";
}

TEST_F(AHistory, ShowsAnotherRatingOnlyWhenItDiffersClearly) {
  run(300);
  const double shown = link("fibre");
  paths_[0].rtt_ms = paths_[0].rtt_min_ms = 26;
  run(120);
  EXPECT_EQ(link("fibre"), shown);
  paths_[0].rtt_ms = paths_[0].rtt_min_ms = 60;
  run(120);
  EXPECT_LT(link("fibre"), shown - RatingHistory::kClearly);
}

TEST_F(AHistory, CountsOneWayDelayAndARateThatIsNotKept) {
  PathState p = paths_[0];
  const double before = rating_of(summary_of(p, 1));
  p.queue_down_ms = 200;
  EXPECT_NEAR(rating_of(summary_of(p, 1)), before * (1 + 10 / 200.0) / (1 + 210 / 200.0), 0.01);
  p = paths_[0];
  p.delivered_bps = p.rate_up_bps / 5;
  EXPECT_EQ(rating_of(summary_of(p, 1)), before) << "little was to be sent";
  p.queue_up_ms = 15;
  EXPECT_LT(rating_of(summary_of(p, 1)), before * 0.26) << "it is full, and delivers a quarter";
}

TEST_F(AHistory, GoesOnAfterARestart) {
  run(2 * 3600 + 60);
  const auto read = RatingHistory::from_json(nlohmann::json::parse(history_.to_json().dump()));
  ASSERT_TRUE(read) << read.error();
  EXPECT_EQ(read->to_json(), history_.to_json());
  EXPECT_EQ(read->ratings(), history_.ratings());
  history_ = *read;
  run(60);
  EXPECT_GE(window(3)["samples"], 7200);
  EXPECT_GT(window(2)["samples"], 3400);
  now_ += 40 * 86400;
  run(1);
  EXPECT_EQ(window(3)["samples"], 0) << "older than thirty days";
}

TEST_F(AHistory, SaysWhatItCannotRead) {
  run(130);
  const nlohmann::json good = history_.to_json();
  ASSERT_TRUE(RatingHistory::from_json(good));
  const auto flat = good.flatten();
  for (auto member = flat.begin(); member != flat.end(); ++member) {
    nlohmann::json bad = good;
    bad[nlohmann::json::json_pointer(member.key())] = nlohmann::json::object({{"x", 1}});
    const auto read = RatingHistory::from_json(bad);
    ASSERT_FALSE(read) << member.key();
    EXPECT_NE(read.error().find("is not understood"), std::string::npos);
  }
}

TEST_F(AHistory, HoldsNoMoreThanSoMuchOfOneLink) {
  EXPECT_LE((60 + 60 + 720) * sizeof(LinkSummary), 41'000u);
  paths_.resize(1);
  for (int i = 0; i < 1000; ++i) {
    paths_[0].name = "link" + std::to_string(i);
    run(1);
  }
  EXPECT_EQ(history_.to_json()["links"].size(), RatingHistory::kLinksMax);
}

}  // namespace
}  // namespace anabranch::control
