// SPDX-License-Identifier: BSD-3-Clause
// Capacity that services share: by priority, and among equals by weight.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "control/candidates.h"
#include "control/recompute.h"
#include "tests/control/paths.h"

namespace anabranch::control {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

struct Party {
  Profile profile{.id = "any"};
  ServiceRequest request;
  std::optional<Scenario> in_force;
  std::string refusal;
  bool is_kept() const { return refusal.empty(); }
};

// Services on the same paths; what is decided is in force.
struct Shared {
  std::vector<PathState> paths;
  std::vector<Party> parties;

  Round decide() {
    const PricedPaths market{paths, "EUR"};
    std::vector<Asking> asking;
    std::map<std::string, const Profile*> profiles;
    for (const Party& c : parties) {
      const Profile* profile = profiles.try_emplace(c.profile.id, &c.profile).first->second;
      asking.push_back({&market, profile, &c.request, c.in_force ? &*c.in_force : nullptr});
    }
    Round round = recompute(asking, rate(paths));
    for (size_t i = 0; i < parties.size(); ++i) {
      parties[i].in_force = round.of(i).scenario;
      parties[i].refusal = round.of(i).refusal;
    }
    return round;
  }
  Round settle() {
    for (int i = 0; i < 3; ++i) decide();
    return decide();
  }
  size_t kept() const {
    return static_cast<size_t>(
        std::count_if(parties.begin(), parties.end(), [](auto& c) { return c.is_kept(); }));
  }
  // Of those whose requests are kept.
  Holds set_aside() const {
    Holds holds{};
    for (const Party& c : parties) {
      if (c.is_kept() && c.in_force) add_reserved(holds, *c.in_force);
    }
    return holds;
  }
};

Party asking(uint64_t up_bps, uint8_t weight = 1, uint8_t priority = 0) {
  Party c;
  c.profile.id = "w" + std::to_string(weight) + "p" + std::to_string(priority);
  c.profile.treatment.weight = weight;
  c.profile.priority = priority;
  c.request.rate_up_bps = up_bps;
  return c;
}

// A path that carries so much payload, but for a bit a second.
PathState path_of(uint64_t payload_bps, uint8_t index = 1) {
  PathState p = three_links()[0];
  p.index = index;
  p.name = "link" + std::to_string(index);
  p.rate_up_bps = static_cast<uint64_t>(static_cast<double>(payload_bps) *
                                        static_cast<double>(p.rate_up_bps) / payload_up_bps(p)) +
                  1;
  p.rate_down_bps = p.rate_up_bps;
  return p;
}

TEST(Sharing, ALowerPriorityHasWhatAHigherOneLeaves) {
  Shared all{{path_of(100'000'000)}, {asking(60'000'000, 1, 0), asking(70'000'000, 1, 5)}};
  all.settle();
  EXPECT_TRUE(all.parties[1].is_kept());
  EXPECT_THAT(all.parties[0].refusal, HasSubstr("does not keep 60 Mbit/s up"));
  EXPECT_THAT(all.parties[0].refusal, HasSubstr("others hold 70.0 Mbit/s up of link1"));
  all.paths[0] = path_of(131'000'000);
  all.settle();
  EXPECT_EQ(all.kept(), 2u);
  EXPECT_THAT(all.parties[0].in_force->reasons, Contains("others hold 70.0 Mbit/s up of link1"));
}

TEST(Sharing, WhoAsksForARateTakesAPathOnWhichThereIsRoom) {
  Shared all{{path_of(100'000'000, 1), path_of(50'000'000, 2)}, {asking(90'000'000, 1, 3)}};
  for (Party& c : all.parties) c.profile.dispersions = {Dispersion::standby};
  all.settle();
  ASSERT_EQ(all.parties[0].in_force->order.front(), 1);
  all.parties.push_back(asking(40'000'000));
  all.parties[1].profile.dispersions = {Dispersion::standby};
  all.settle();
  EXPECT_EQ(all.kept(), 2u);
  EXPECT_EQ(all.set_aside()[1].up, 90'000'000u);
}

TEST(Sharing, WhatIsTooMuchIsDividedByWeightAndWhoAsksForLessIsKept) {
  Shared all{{path_of(100'000'000)},
             {asking(60'000'000, 2), asking(20'000'000, 1), asking(60'000'000, 1)}};
  for (PathState& p : all.paths) p = path_of(140'000'000);
  all.settle();
  EXPECT_EQ(all.kept(), 3u);
  all.paths[0] = path_of(100'000'000);
  const Round round = all.settle();
  EXPECT_TRUE(all.parties[1].is_kept());
  EXPECT_FALSE(all.parties[0].is_kept()) << "its two parts of three of 80";
  EXPECT_FALSE(all.parties[2].is_kept());
  EXPECT_NEAR(all.parties[0].in_force->expected.goodput_up_bps, 80e6 * 2 / 3, 10);
  EXPECT_NEAR(all.parties[2].in_force->expected.goodput_up_bps, 80e6 / 3, 10);
}

TEST(Sharing, WhoAsksForNoRateSeesWhatOthersLeave) {
  Shared all{{path_of(100'000'000)}, {Party{}, Party{}, asking(30'000'000, 1, 0)}};
  all.parties[0].profile = asking(1, 1, 7).profile;
  all.settle();
  EXPECT_NEAR(all.parties[0].in_force->expected.goodput_up_bps, 70e6, 10);
  EXPECT_EQ(all.parties[0].in_force->shares[0].reserved_up_bps, 0u);
  EXPECT_THAT(all.parties[1].in_force->reasons, Contains(HasSubstr("is shared by weight")));
}

TEST(Sharing, EqualServicesAreDecidedTogetherAndNeedRoomForAll) {
  Shared all{{path_of(100'000'000)}, {}};
  all.parties.assign(100, asking(1'000'000));
  EXPECT_EQ(all.settle().kinds.size(), 1u);
  EXPECT_EQ(all.kept(), 100u);
  all.paths[0] = path_of(99'000'000);
  all.settle();
  EXPECT_EQ(all.kept(), 0u);
  EXPECT_NEAR(all.parties[7].in_force->expected.goodput_up_bps, 990'000, 10);
  EXPECT_THAT(all.parties[7].refusal, HasSubstr("as one of 100 equal services"));
}

// Whoever has been promised a rate keeps it when an equal comes that would rather have its path.
TEST(Sharing, WhatIsInForceIsNotTakenByAnEqual) {
  Shared all{{path_of(100'000'000, 1), path_of(20'000'000, 2)}, {asking(90'000'000)}};
  all.paths[1].price_attos_per_octet *= 10;
  for (int i = 0; i < 2; ++i) {
    all.parties[0].profile.dispersions = {Dispersion::standby};
    all.settle();
    EXPECT_EQ(all.kept(), all.parties.size());
    if (i == 0) all.parties.insert(all.parties.begin(), asking(15'000'000));
  }
  EXPECT_EQ(all.parties[1].in_force->order.front(), 1);
}

// Anything: of up to four paths and nine services, most of which ask for a rate.
Shared any_shared(std::mt19937& random, bool one_path_each) {
  Shared all;
  const size_t count = 1 + random() % 4;
  for (size_t i = 0; i < count; ++i) {
    PathState p = path_of(10'000'000 + random() % 200'000'000, static_cast<uint8_t>(i + 1));
    p.provider = "provider" + std::to_string(i);
    p.network = p.provider + "-net";
    p.rtt_ms = p.rtt_min_ms = static_cast<double>(5 + random() % 90);
    p.price_attos_per_octet = kUnitPerGb * (1 + random() % 300) / 100;
    all.paths.push_back(p);
  }
  for (size_t services = 1 + random() % 9; services > 0; --services) {
    Party c = random() % 4 == 0 && !all.parties.empty()
                  ? all.parties[random() % all.parties.size()]
                  : asking(1'000'000 * (1 + random() % 90), static_cast<uint8_t>(1 + random() % 3),
                           static_cast<uint8_t>(random() % 3));
    if (!one_path_each && random() % 5 == 0) c.request.rate_up_bps.reset();
    if (!one_path_each && random() % 3 == 0) c.request.rate_down_bps = 1 + random() % 60'000'000;
    constexpr std::array kWays{Dispersion::weighted, Dispersion::earliest_delivery,
                               Dispersion::flow,     Dispersion::redundant,
                               Dispersion::priority, Dispersion::standby};
    if (!one_path_each && random() % 2 == 0) {
      c.profile.dispersions = {kWays[random() % kWays.size()]};
      c.profile.id += to_string(c.profile.dispersions[0]);
    }
    if (one_path_each && c.profile.providers.empty()) {
      const size_t own = random() % count;
      for (size_t i = 0; i < count; ++i) {
        if (i != own)
          c.profile.providers.emplace_back("provider" + std::to_string(i), Standing::never);
      }
      c.profile.id += "on" + std::to_string(own);
    }
    all.parties.push_back(c);
  }
  return all;
}
// Some links get better, some worse.
void change_links(Shared& all, std::mt19937& random) {
  for (PathState& p : all.paths) {
    if (random() % 2 == 0) continue;
    const double times = 0.3 + static_cast<double>(random() % 1000) / 700;
    p.rate_up_bps = static_cast<uint64_t>(static_cast<double>(p.rate_up_bps) * times);
    p.alive = random() % 8 != 0;
  }
}
void change_alike(Shared& a, Shared& b, std::mt19937& random) {
  std::mt19937 same = random;
  change_links(a, random);
  change_links(b, same);
}

TEST(Sharing, WhatIsSetAsideForThoseThatAreKeptIsNeverMoreThanAPathCarries) {
  std::mt19937 random(1);
  size_t kept = 0, refused = 0;
  for (int i = 0; i < 600; ++i) {
    Shared all = any_shared(random, false);
    for (int step = 0; step < 4; ++step) {
      all.decide();
      const Holds holds = all.set_aside();
      for (const PathState& p : all.paths) {
        const double rounding = 2 * static_cast<double>(all.parties.size());
        EXPECT_LE(static_cast<double>(holds[p.index].up), payload_up_bps(p) + rounding) << i;
        EXPECT_LE(static_cast<double>(holds[p.index].down), payload_down_bps(p) + rounding) << i;
      }
      kept += all.kept();
      refused += all.parties.size() - all.kept();
      change_links(all, random);
    }
    if (HasFailure()) return;
  }
  EXPECT_GT(kept, 2000u);
  EXPECT_GT(refused, 1000u);
}

TEST(Sharing, AHigherPriorityIsDecidedAsIfTheLowerOnesWereNotThere) {
  std::mt19937 random(2);
  for (int i = 0; i < 300; ++i) {
    Shared all = any_shared(random, false);
    for (Party& c : all.parties) c.request.rate_up_bps = c.request.rate_up_bps.value_or(1'000'000);
    Shared higher = all;
    std::erase_if(higher.parties, [](const Party& c) { return c.profile.priority == 0; });
    for (int step = 0; step < 3; ++step) {
      all.decide();
      higher.decide();
      size_t at = 0;
      for (const Party& c : all.parties) {
        if (c.profile.priority == 0) continue;
        EXPECT_EQ(c.in_force, higher.parties[at].in_force) << i;
        EXPECT_EQ(c.refusal, higher.parties[at++].refusal) << i;
      }
      change_alike(all, higher, random);
    }
    if (HasFailure()) return;
  }
}

TEST(Sharing, TheOrderInWhichEqualsCameChangesNothing) {
  std::mt19937 random(3);
  for (int i = 0; i < 300; ++i) {
    Shared all = any_shared(random, false), shuffled = all;
    std::vector<size_t> order(all.parties.size());
    for (size_t k = 0; k < order.size(); ++k) order[k] = k;
    std::shuffle(order.begin(), order.end(), random);
    for (size_t k = 0; k < order.size(); ++k) shuffled.parties[k] = all.parties[order[k]];
    for (int step = 0; step < 3; ++step) {
      all.decide();
      shuffled.decide();
      for (size_t k = 0; k < order.size(); ++k) {
        EXPECT_EQ(shuffled.parties[k].in_force, all.parties[order[k]].in_force) << i;
        EXPECT_EQ(shuffled.parties[k].refusal, all.parties[order[k]].refusal) << i;
      }
      change_alike(all, shuffled, random);
    }
    if (HasFailure()) return;
  }
}

// What each gets of its path, said a second time: water rises among those of one priority until the
// path is full.
std::vector<double> divided(const Shared& all) {
  std::vector<double> gets(all.parties.size());
  std::map<std::pair<std::string, int>, std::vector<size_t>> groups;  // by path's users, priority
  const auto path_of_party = [&](const Party& c) {
    return *std::find_if(all.paths.begin(), all.paths.end(), [&](const PathState& p) {
      return c.profile.standing(p.provider, p.network) != Standing::never;
    });
  };
  for (size_t i = 0; i < all.parties.size(); ++i) {
    const Party& c = all.parties[i];
    groups[{path_of_party(c).name, -c.profile.priority}].push_back(i);
  }
  std::map<std::string, double> left;
  for (const PathState& p : all.paths) left[p.name] = payload_up_bps(p);
  for (const auto& [key, members] : groups) {
    double low = 0, high = 1e9;
    const auto taken = [&](double level) {
      double sum = 0;
      for (const size_t i : members) {
        const Party& c = all.parties[i];
        gets[i] = std::min<double>(static_cast<double>(*c.request.rate_up_bps),
                                   level * c.profile.treatment.weight);
        sum += gets[i];
      }
      return sum;
    };
    for (int k = 0; k < 100; ++k) {
      const double middle = (low + high) / 2;
      (taken(middle) <= left[key.first] ? low : high) = middle;
    }
    left[key.first] -= taken(low);
  }
  return gets;
}

TEST(Sharing, IsWhatAnOracleSaysWhereEachHasOnePath) {
  std::mt19937 random(4);
  size_t kept = 0, refused = 0;
  for (int i = 0; i < 500; ++i) {
    Shared all = any_shared(random, true);
    all.settle();
    const std::vector<double> gets = divided(all);
    for (size_t k = 0; k < gets.size(); ++k) {
      const Party& c = all.parties[k];
      const double asked = static_cast<double>(*c.request.rate_up_bps), missing = asked - gets[k];
      if (missing > 1 && missing < 100) continue;  // rounding may say either
      EXPECT_EQ(c.is_kept(), missing <= 1) << i << ": " << c.refusal;
      c.is_kept() ? ++kept : ++refused;
      if (!c.is_kept()) {
        EXPECT_NEAR(c.in_force->expected.goodput_up_bps, gets[k], 100) << i;
      }
    }
    if (HasFailure()) return;
  }
  EXPECT_GT(kept, 800u);
  EXPECT_GT(refused, 300u);
}

TEST(Sharing, MoreCapacityNeverLetsFewerRequestsBeKeptWhereEachHasOnePath) {
  std::mt19937 random(5);
  for (int i = 0; i < 300; ++i) {
    Shared all = any_shared(random, true);
    all.settle();
    std::vector<bool> before;
    for (const Party& c : all.parties) before.push_back(c.is_kept());
    for (PathState& p : all.paths) p.rate_up_bps += random() % 50'000'000;
    all.settle();
    for (size_t k = 0; k < before.size(); ++k)
      EXPECT_GE(all.parties[k].is_kept(), before[k]) << i << ": " << all.parties[k].refusal;
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace anabranch::control
