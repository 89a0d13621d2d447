// SPDX-License-Identifier: BSD-3-Clause
// The preferred scenario beside an oracle's, for thousands of random cases.
#include "tests/control/prefer_oracle.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/control/paths.h"

namespace anabranch::control {
namespace {

struct OracleCase {
  OracleCase(uint32_t seed, size_t paths_max) : random(seed) {
    while (paths.size() < paths_max && (paths.empty() || random() % 6 != 0)) add_path();
    profile = any_profile(random);
    if (random() % 3 == 0) mix_dispersions();
    profile.prefer_highest_rated = static_cast<HighestRated>(random() % 3);
    if (random() % 4 == 0) profile.treatment.rate_up_max = 64'000 + random() % 200'000'000;
    if (random() % 4 == 0) profile.treatment.rate_down_max = 64'000 + random() % 200'000'000;
    request = any_request(random);
    if (random() % 3 == 0) request.objectives = any_objectives(random);
    ratings = rate(paths);
    if (random() % 3 == 0) share();
    if (random() % 2 == 0) make_ratings_alike();
    const auto all = candidates(paths, profile);
    if (!all.empty() && random() % 2 == 0) in_force = all[random() % all.size()];
  }
  void add_path() {
    // Some are equal in all but name, some cannot be used beside others.
    PathState p = any_paths(random)[0];
    if (!paths.empty() && random() % 4 == 0) p = paths[random() % paths.size()];
    p.name = "link" + std::to_string(paths.size());
    p.index = static_cast<uint8_t>(paths.size() + 1);
    p.provider = "provider" + std::to_string(random() % 3);
    p.network = p.provider + "-" + std::to_string(random() % 2);
    if (random() % 2 == 0) p.rtt_min_ms = p.rtt_ms * static_cast<double>(random() % 101) / 100;
    if (random() % 8 == 0) p.rtt_ms = p.rtt_min_ms = 400 + static_cast<double>(random() % 400);
    paths.push_back(p);
  }
  // Others hold some of the paths.
  void share() {
    const auto equals = static_cast<uint32_t>(1 + random() % 3);
    for (PathState& p : paths) {
      p.shared_by = equals;
      if (random() % 2 == 0) p.held_up_bps = random() % (p.rate_up_bps + p.rate_up_bps / 8 + 1);
      if (random() % 2 == 0) p.held_down_bps = random() % (p.rate_down_bps + 1);
    }
  }
  void mix_dispersions() {
    std::vector<Dispersion> all{Dispersion::weighted,  Dispersion::earliest_delivery,
                                Dispersion::flow,      Dispersion::flowlet,
                                Dispersion::redundant, Dispersion::priority,
                                Dispersion::standby};
    std::shuffle(all.begin(), all.end(), random);
    all.resize(1 + random() % all.size());
    profile.dispersions = all;
  }
  void make_ratings_alike() {
    for (auto* list : {&ratings.links, &ratings.networks, &ratings.providers}) {
      for (auto& [name, rating] : *list) rating = std::floor(rating / 2) * 2 + (random() % 3) * 0.5;
    }
  }
  const Scenario* current() const { return in_force ? &*in_force : nullptr; }
  Choice choose() const { return prefer(paths, profile, request, "EUR", current(), &ratings); }
  Weighing weigh_all(const Bounds* held = nullptr) const {
    return weigh(paths, profile, request, "EUR", current(), ratings, 1, held);
  }

  std::mt19937 random;
  std::vector<PathState> paths;
  Profile profile{.id = "any"};
  ServiceRequest request;
  Ratings ratings;
  std::optional<Scenario> in_force;
};

struct Agreement {
  int preferred = 0, refused = 0, close = 0;
};

// Where rounding may decide it, what was preferred must still be worth as much.
void expect_agreement(const OracleCase& any, Agreement& counts) {
  oracle::Oracle judge(any.paths, any.profile, any.request, any.current(), any.ratings);
  const oracle::Verdict verdict = judge.decide();
  const Choice choice = any.choose();
  if (verdict.is_close) {
    ++counts.close;
    if (choice.preferred && verdict.preferred != nullptr) {
      if (const auto* same = oracle::Oracle::find(verdict, *choice.preferred)) {
        EXPECT_NEAR(static_cast<double>(same->worth), static_cast<double>(verdict.preferred->worth),
                    1e-8);
      }
    }
    return;
  }
  ASSERT_EQ(choice.preferred.has_value(), verdict.preferred != nullptr) << choice.refusal;
  if (!choice.preferred) {
    ++counts.refused;
    return;
  }
  ++counts.preferred;
  const Scenario& s = *choice.preferred;
  const oracle::Combination& o = *verdict.preferred;
  std::vector<uint8_t> used, wanted;
  for (const auto& share : s.shares) used.push_back(share.path_index);
  for (const auto* p : o.paths) wanted.push_back(p->index);
  ASSERT_EQ(used, wanted);
  ASSERT_EQ(s.dispersion, o.dispersion);
  ASSERT_EQ(s.order, o.order);
  const auto is_near = [](double is, oracle::Real shall) {
    return std::fabs(is - static_cast<double>(shall)) <=
           1e-9 * std::max(1.0, std::fabs(static_cast<double>(shall)));
  };
  EXPECT_TRUE(is_near(s.expected.goodput_up_bps, o.up));
  EXPECT_TRUE(is_near(s.expected.goodput_down_bps, o.down));
  EXPECT_TRUE(is_near(s.expected.latency_ms, o.latency));
  EXPECT_TRUE(is_near(s.expected.loss_percent, o.loss));
  EXPECT_TRUE(is_near(s.expected.availability_percent, 100 * oracle::Oracle::availability(o)));
  EXPECT_TRUE(is_near(s.expected.risk_percent, 100 * judge.risk(o)))
      << s.expected.risk_percent << " " << static_cast<double>(100 * judge.risk(o));
  EXPECT_TRUE(is_near(static_cast<double>(s.expected.price_attos_per_gb), o.price));
  const Weighing w = any.weigh_all();
  EXPECT_EQ(w.choice, choice) << "what is shown beside it changes nothing";
  EXPECT_TRUE(is_near(w.worth->total(), o.worth));
}

TEST(PreferOracle, AgreesOnTenThousandCases) {
  Agreement counts;
  for (uint32_t seed = 1; seed <= 10'000; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    expect_agreement(OracleCase(seed, 6), counts);
    if (HasFailure()) return;
  }
  EXPECT_GT(counts.preferred, 4500);
  EXPECT_GT(counts.refused, 1000);
  EXPECT_LT(counts.close, 100);
  RecordProperty("close", counts.close);
}

// More than one group and more than one half are searched.
TEST(PreferOracle, AgreesOnMorePaths) {
  Agreement counts;
  for (uint32_t seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    expect_agreement(OracleCase(seed, 11), counts);
    if (HasFailure()) return;
  }
  EXPECT_GT(counts.preferred, 60);
}

// The same numbers, every combination looked at.
TEST(PreferOracle, SixteenPathsAreSearchedAsIfEachCombinationWereLookedAt) {
  for (uint32_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    OracleCase any(seed, 2);
    while (any.paths.size() < 16) any.add_path();
    any.ratings = rate(any.paths);
    const Weighing w = any.weigh_all();
    if (!w.choice.preferred) continue;
    ASSERT_TRUE(w.best_quality && w.cheapest);
    // weigh() looks at all for what is shown beside it: nothing is worth more than the preferred.
    if (!w.runners_up.empty() && w.runners_up[0].objection.empty()) {
      EXPECT_LE(w.runners_up[0].worth.total(), w.worth->total() + 1e-9);
    }
    EXPECT_EQ(w.bounds.cheapest, w.cheapest->scenario.expected.price_attos_per_gb);
  }
}

TEST(PreferOracle, TheOrderOfInputsDoesNotMatterAndEqualInputsGiveEqualChoices) {
  for (uint32_t seed = 1; seed <= 2000; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    OracleCase any(seed, 9);
    const Choice first = any.choose();
    EXPECT_EQ(any.choose(), first);
    std::shuffle(any.paths.begin(), any.paths.end(), any.random);
    std::shuffle(any.ratings.links.begin(), any.ratings.links.end(), any.random);
    std::shuffle(any.ratings.providers.begin(), any.ratings.providers.end(), any.random);
    Choice second = any.choose();
    ASSERT_EQ(first.preferred.has_value(), second.preferred.has_value());
    if (!first.preferred) continue;
    const auto sorted = [](Choice c) {
      std::sort(c.preferred->reasons.begin(), c.preferred->reasons.end());
      return c;
    };
    EXPECT_EQ(sorted(first), sorted(second));
  }
}

// What changes for the better on one path, all else and what worth is measured against as before.
enum class Better { cheaper, quicker, less_loss, more_rate };

PathState made_better(PathState p, Better how, double by) {
  switch (how) {
    case Better::cheaper:
      p.price_attos_per_octet =
          static_cast<Uint128>(static_cast<double>(p.price_attos_per_octet) * by);
      break;
    case Better::quicker:
      p.rtt_ms *= by;
      p.rtt_min_ms *= by;
      break;
    case Better::less_loss:
      p.loss_up *= by;
      p.loss_down *= by;
      break;
    case Better::more_rate:
      p.rate_up_bps = static_cast<uint64_t>(static_cast<double>(p.rate_up_bps) / by);
      p.rate_down_bps = static_cast<uint64_t>(static_cast<double>(p.rate_down_bps) / by);
      break;
  }
  return p;
}

// Splits follow what links carry, orders follow prices, and what is too slow follows the quickest.
// So a better link improves every scenario it is in only as far as these stay, or are of no weight:
// more rate and less loss where paths differ in neither price nor rating nor standing.
OracleCase a_case_for(Better how, uint32_t seed) {
  OracleCase any(seed, 6);
  auto& ways = any.profile.dispersions;
  if (ways.empty()) ways = {Dispersion::earliest_delivery, Dispersion::flow};
  const bool moves_split = how == Better::less_loss || how == Better::more_rate;
  // Nor does an order take more paths for it than it could before.
  if (how == Better::cheaper || (how == Better::quicker && any.request.latency_ms_max))
    std::erase_if(ways, is_ordered);
  for (PathState& p : any.paths) {
    if (how == Better::quicker) {
      p.rtt_ms = std::fmod(p.rtt_ms, 200);
      p.rtt_min_ms = std::fmod(p.rtt_min_ms, 200);
    }
    if (moves_split) p.price_attos_per_octet = any.paths[0].price_attos_per_octet;
  }
  if (how == Better::quicker) {
    any.request.objectives.clear();  // nor within the latency agreed
    for (size_t i = 0; i < any.paths.size(); ++i) any.paths[i].price_attos_per_octet += i;
  }
  if (moves_split) {
    std::erase_if(ways, [](Dispersion d) {
      return is_ordered(d) || segmentation_of(d) == Segmentation::flow;
    });
    any.profile.prefer_highest_rated = HighestRated::none;
    std::erase_if(any.profile.providers, [](auto& e) { return e.second == Standing::prefer; });
    std::erase_if(any.profile.networks, [](auto& e) { return e.second == Standing::prefer; });
    for (auto* list : {&any.ratings.links, &any.ratings.networks, &any.ratings.providers}) {
      for (auto& [name, rating] : *list) rating = 80;
    }
    any.request.loss_percent_max.reset();
    any.request.objectives.clear();
  }
  if (ways.empty()) ways = {Dispersion::earliest_delivery};
  any.in_force.reset();
  return any;
}

TEST(PreferOracle, ABetterOrCheaperLinkNeverWorsensTheObjective) {
  for (const Better how :
       {Better::cheaper, Better::quicker, Better::less_loss, Better::more_rate}) {
    int compared = 0;
    for (uint32_t seed = 1; seed <= 1500; ++seed) {
      SCOPED_TRACE(testing::Message() << "seed " << seed << " how " << static_cast<int>(how));
      OracleCase any = a_case_for(how, seed);
      const Weighing before = any.weigh_all();
      PathState& link = any.paths[any.random() % any.paths.size()];
      if (!before.choice.preferred || !link.alive) continue;
      link = made_better(link, how, static_cast<double>(any.random() % 100) / 100 + 0.001);
      const Weighing after = any.weigh_all(&before.bounds);
      ASSERT_TRUE(after.choice.preferred) << after.choice.refusal;
      if (before.with_avoided && !after.with_avoided) continue;  // it does without them now
      EXPECT_GE(after.worth->total(), before.worth->total() - 2e-9);
      ++compared;
      if (HasFailure()) return;
    }
    EXPECT_GT(compared, 300) << static_cast<int>(how);
  }
}

// One decision a second; of two links the cheaper one is wanted, as long as it loses 1 % at most.
// Its loss is measured of a thousand packets a second and smoothed over five seconds.
class LinkAtALimit {
 public:
  // In which seconds there was another scenario.
  std::vector<int> changes(int from, int to, double loss) {
    std::vector<int> result;
    for (int second = from; second < to; ++second) {
      std::binomial_distribution<int> lost(1000, loss);
      PathState& cheap = paths_[0];
      cheap.loss_up += 0.2 * (lost(random_) / 1000.0 - cheap.loss_up);
      cheap.loss_down = cheap.loss_up;
      const Ratings ratings = rate(paths_);
      const Choice choice =
          prefer(paths_, profile_, request_, "EUR", in_force_ ? &*in_force_ : nullptr, &ratings);
      if (!choice.preferred) continue;
      if (in_force_ && worth_replacing(*in_force_, *choice.preferred)) result.push_back(second);
      if (!in_force_ || worth_replacing(*in_force_, *choice.preferred))
        in_force_ = choice.preferred;
    }
    return result;
  }
  std::string used() const { return names_of(*in_force_).front(); }

 private:
  static std::vector<PathState> two_links() {
    std::vector<PathState> paths = two_equal_links();
    paths[1].price_attos_per_octet = 4 * paths[0].price_attos_per_octet;
    return paths;
  }
  std::mt19937 random_{7};
  std::vector<PathState> paths_ = two_links();
  Profile profile_{.id = "any", .quality_percent = 30, .dispersions = {Dispersion::standby}};
  ServiceRequest request_{.rate_up_bps = 50'000'000, .loss_percent_max = 1};
  std::optional<Scenario> in_force_;
};

TEST(Damping, ALinkAtALimitDoesNotComeAndGo) {
  for (const double loss : {0.006, 0.008, 0.009, 0.010, 0.011, 0.013}) {
    LinkAtALimit link;
    const std::vector<int> all = link.changes(0, 1200, loss);
    for (size_t i = 2; i < all.size(); ++i) EXPECT_GE(all[i] - all[i - 2], 60) << loss;
  }
}

TEST(Damping, AWorseLinkIsLeftWithinThreeSecondsAndTakenBackOnce) {
  LinkAtALimit link;
  EXPECT_TRUE(link.changes(0, 60, 0.001).empty());
  EXPECT_EQ(link.used(), "fibre");
  const std::vector<int> away = link.changes(60, 120, 0.1);
  ASSERT_EQ(away.size(), 1u);
  EXPECT_LE(away[0], 63);
  EXPECT_EQ(link.used(), "cable");
  EXPECT_EQ(link.changes(120, 240, 0.001).size(), 1u);
  EXPECT_EQ(link.used(), "fibre");
}

}  // namespace
}  // namespace anabranch::control
