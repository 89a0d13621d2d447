// SPDX-License-Identifier: BSD-3-Clause
// Rounds one after the other, of which each remembers the one before, come to what each would by
// itself.
#include <gtest/gtest.h>

#include <deque>
#include <memory>

#include "control/recompute.h"
#include "control/remembered.h"
#include "tests/control/paths.h"

namespace anabranch::control {
namespace {

// A gateway whose links, documents and services come, go and change.
class Changing {
 public:
  explicit Changing(uint32_t seed) : random_(seed) {
    for (size_t i = 0; i < 6; ++i) paths_.push_back(a_link(i));
    for (size_t i = 0; i < 4; ++i) profiles_.push_back(a_profile(i));
    for (size_t i = 0; i < 12; ++i) add_service();
    ratings_ = rate(paths_);
  }

  void change() {
    const size_t link = random_() % paths_.size();
    switch (random_() % 10) {
      case 0:
        paths_[link] = a_link(link);
        break;
      case 1:
        paths_[link].alive = !paths_[link].alive;
        break;
      case 2:
        paths_[link].price_attos_per_octet += kUnitPerGb / 100;
        break;
      case 3:
        profiles_[random_() % profiles_.size()] = a_profile(random_() % 4);
        break;
      case 4:
        services_[random_() % services_.size()].request = a_request();
        break;
      case 5:
        add_service();
        break;
      case 6:
        if (services_.size() > 2) services_.pop_front();
        break;
      case 7:
        ratings_ = rate(paths_);
        break;
      default:
        paths_[link].rtt_ms *= 1.05;
    }
  }

  // The markets are others at each call, with the same addresses or not.
  std::vector<Asking> asking() {
    markets_.clear();
    for (const uint64_t more : {0, 1}) {
      markets_.push_back(std::make_unique<PricedPaths>(PricedPaths{paths_, "EUR"}));
      for (PathState& p : markets_.back()->paths) p.price_attos_per_octet += more * kUnitPerGb / 10;
    }
    std::vector<Asking> all;
    for (const Service& s : services_)
      all.push_back({markets_[s.market].get(), &profiles_[s.profile], &s.request,
                     s.in_force ? &*s.in_force : nullptr});
    return all;
  }
  void adopt(const Round& round) {
    for (size_t i = 0; i < services_.size(); ++i) {
      if (round.of(i).scenario) services_[i].in_force = round.of(i).scenario;
    }
  }
  const Ratings& ratings() const { return ratings_; }

 private:
  struct Service {
    size_t market, profile;
    ServiceRequest request;
    std::optional<Scenario> in_force;
  };
  PathState a_link(size_t i) {
    PathState p = any_paths(random_)[0];
    p.index = static_cast<uint8_t>(i + 1);
    p.name = "link" + std::to_string(i);
    p.provider = "provider" + std::to_string(i % 3);
    p.network = p.provider + "-" + std::to_string(i / 3);
    return p;
  }
  Profile a_profile(size_t i) {
    Profile profile = any_profile(random_);
    profile.id += std::to_string(i);
    profile.prefer_highest_rated = static_cast<HighestRated>(random_() % 3);
    profile.priority = static_cast<uint8_t>(random_() % 2);
    profile.treatment.weight = static_cast<uint8_t>(1 + random_() % 3);
    return profile;
  }
  ServiceRequest a_request() {
    ServiceRequest request = any_request(random_);
    if (random_() % 4 == 0) request.objectives = any_objectives(random_);
    if (random_() % 2 == 0) request.rate_up_bps = 1 + random_() % 20'000'000;
    return request;
  }
  void add_service() {
    services_.push_back({random_() % 2, random_() % profiles_.size(), a_request(), {}});
    if (random_() % 2 == 0) services_.push_back(services_.back());
  }

  std::mt19937 random_;
  std::vector<PathState> paths_;
  std::deque<Profile> profiles_;
  std::deque<Service> services_;
  std::vector<std::unique_ptr<PricedPaths>> markets_;
  Ratings ratings_;
};

TEST(Rounds, RemembersNothingThatIsNotSoAnyMore) {
  for (uint32_t seed = 1; seed <= 8; ++seed) {
    Changing gateway(seed);
    Rounds rounds;
    for (int step = 0; step < 100; ++step) {
      SCOPED_TRACE(testing::Message() << "seed " << seed << ", step " << step);
      const auto asking = gateway.asking();
      const Round round = rounds.next(asking, gateway.ratings());
      const Round alone = recompute(asking, gateway.ratings());
      ASSERT_EQ(round.kind_of, alone.kind_of);
      ASSERT_EQ(round.kinds, alone.kinds);
      if (step % 3 != 0) gateway.adopt(round);
      gateway.change();
    }
  }
}

class Remembering : public testing::Test {
 protected:
  Remembering() { profile_.networks = {{"coppertel-vdsl", Standing::never}}; }
  const Decided* again() {
    market_ = std::make_unique<PricedPaths>(PricedPaths{paths_, "EUR"});
    const std::string inputs = last_.inputs_of(asking(), rate(paths_));
    const Decided* found = last_.find(inputs, {});
    last_.keep({inputs}, {Decided{.refusal = "as before", .view = {}, .in_force = {}}});
    return found;
  }
  Asking asking() const { return {market_.get(), &profile_, &request_, nullptr}; }

  std::vector<PathState> paths_ = three_links();
  Profile profile_{.id = "any"};
  ServiceRequest request_;
  std::unique_ptr<PricedPaths> market_;
  Remembered last_;
};

TEST_F(Remembering, WhatIsDecidedByTheSameIsNotDecidedAgain) {
  EXPECT_EQ(again(), nullptr);
  EXPECT_NE(again(), nullptr);
  paths_[0].rtt_ms += 1;
  EXPECT_EQ(again(), nullptr);
  EXPECT_NE(again(), nullptr);
  request_.loss_percent_max = 1;
  EXPECT_EQ(again(), nullptr);
  profile_.quality_percent = 50;
  EXPECT_EQ(again(), nullptr);
}

TEST_F(Remembering, WhatIsMeasuredOfALinkThatIsNeverUsedDecidesNothing) {
  again();
  paths_[2].rtt_ms += 1;
  paths_[2].loss_up = 0.5;
  EXPECT_NE(again(), nullptr);
  paths_[2].alive = false;
  EXPECT_EQ(again(), nullptr) << "why it is left out is another";
}

}  // namespace
}  // namespace anabranch::control
