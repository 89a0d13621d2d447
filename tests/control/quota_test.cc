// SPDX-License-Identifier: BSD-3-Clause
// Quotas by arithmetic: documents, cycles, what rolls over, alerts, parts.
#include "control/quota.h"

#include <gtest/gtest.h>

#include <numeric>
#include <random>

#include "control/octets.h"
#include "control/quota_account.h"

namespace anabranch::control {
namespace {

using billing::CivilDay;
using billing::Direction;
using billing::Period;
using nlohmann::json;

constexpr uint64_t kGb = 1'000'000'000;
constexpr int64_t kHourNs = 3'600'000'000'000;
const billing::Catalogue::Path kFibre{"fibre", "northfibre", "metro"};
const billing::Catalogue::Path kMobile{"mobile", "airmobile", "5g"};

json document(json more = json::object()) {
  json d{{"id", "month"}, {"uplink", "fibre"}, {"octets", "100 GB"}, {"at_limit", "stop"}};
  d.update(more);
  return json::parse(d.dump());  // as from a file: whole numbers are unsigned
}
Quota quota(json more = json::object()) {
  const auto parsed = parse_quota(document(std::move(more)));
  EXPECT_TRUE(parsed.has_value());
  return parsed.value();
}
std::string mistake(json more) {
  const auto parsed = parse_quota(document(std::move(more)));
  return parsed ? "" : parsed.error().front().pointer;
}
int64_t begin_of(const Quota& q, int year, unsigned month, unsigned day) {
  return q.cycle.zone.begin_ns(CivilDay{year, month, day});
}
// Used at one instant.
void use(QuotaAccount& account, uint64_t octets, int64_t at_ns,
         const billing::Catalogue::Path& path = kFibre, Direction d = Direction::sent) {
  account.add(path, d, octets, {at_ns, at_ns});
}

TEST(QuotaDocument, IsReadWithWhatIsUsualWhereItSaysNothing) {
  const Quota q = quota();
  EXPECT_EQ(q.octets, 100 * kGb);
  EXPECT_EQ(q.counts, Quota::Counts::both);
  EXPECT_EQ(q.cycle.day, 1u);
  EXPECT_EQ(q.rollover_cycles, 0u);
  EXPECT_EQ(q.alerts, (std::vector<unsigned>{75, 95, 100}));
  const Quota paid = quota({{"at_limit", "pay"}, {"overage_per_gb", "0.50"}});
  EXPECT_TRUE(paid.overage_attos_per_octet == 500'000'000u) << "10^-18 units an octet";
  EXPECT_EQ(quota({{"at_limit", "slow"}, {"slow_to", "1 Mbit/s"}}).slow_bps, 1'000'000u);
  EXPECT_EQ(quota({{"rollover", {{"cycles", 2}, {"max", "5 GB"}}}}).rollover_max, 5 * kGb);
}

TEST(QuotaDocument, SaysWhichFieldIsWrong) {
  EXPECT_EQ(mistake({{"octets", "100"}}), "/octets");
  EXPECT_EQ(mistake({{"octets", "0 GB"}}), "/octets");
  EXPECT_EQ(mistake({{"network", "metro"}}), "/uplink") << "one of the three";
  EXPECT_EQ(mistake({{"cycle_day", 32}}), "/cycle_day");
  EXPECT_EQ(mistake({{"zone", "Europe/Nowhere"}}), "/zone");
  EXPECT_EQ(mistake({{"at_limit", "slow"}}), "/slow_to");
  EXPECT_EQ(mistake({{"slow_to", "1 Mbit/s"}}), "/slow_to") << "where it stops";
  EXPECT_EQ(mistake({{"at_limit", "pay"}}), "/overage_per_gb");
  EXPECT_EQ(mistake({{"alerts", {95, 75}}}), "/alerts");
  EXPECT_EQ(mistake({{"alerts", {0}}}), "/alerts");
  EXPECT_EQ(mistake({{"rollover", {{"cycles", 13}}}}), "/rollover/cycles");
  EXPECT_EQ(mistake({{"rollover", {{"month", 1}}}}), "/rollover/month");
  EXPECT_EQ(mistake({{"colour", "red"}}), "/colour");
}

TEST(QuotaOctets, AreExact) {
  EXPECT_EQ(parse_octets("500 GB"), 500 * kGb);
  EXPECT_EQ(parse_octets("1.5TB"), 1500 * kGb);
  EXPECT_EQ(parse_octets("0.000000001 GB"), 1u);
  EXPECT_EQ(parse_octets("1000 PB"), 1'000'000'000 * kGb);
  for (const char* wrong : {"", "GB", "5", "-1 GB", "1..5 GB", ".5 GB", "5. GB", "0.5 B", "1 gb",
                            "1001 PB", "0 B", "99999999999999999999999 GB"})
    EXPECT_EQ(parse_octets(wrong), std::nullopt) << wrong;
}

TEST(QuotaCounts, WhatItIsOfAndNothingElse) {
  QuotaAccount up(quota({{"counts", "up"}}));
  const int64_t now = begin_of(up.quota(), 2026, 11, 10);
  use(up, 5, now);
  use(up, 7, now, kFibre, Direction::received);
  use(up, 11, now, kMobile);
  use(up, 13, now, {"fibre (no path)", "northfibre", "metro"});
  EXPECT_EQ(up.at(now).used, 18u);
  json d{{"id", "p"}, {"provider", "airmobile"}, {"octets", "1 GB"}, {"at_limit", "stop"}};
  QuotaAccount provider(parse_quota(d).value());
  use(provider, 5, now);
  use(provider, 7, now, kMobile, Direction::received);
  EXPECT_EQ(provider.at(now).used, 7u);
}

// The day of a cycle is the month's last where it has no such day.
TEST(QuotaCycle, OfDay31EndsWithShortMonths) {
  QuotaAccount account(quota({{"cycle_day", 31}, {"zone", "Europe/Berlin"}}));
  const Quota& q = account.quota();
  const auto cycle = account.at(begin_of(q, 2027, 2, 15)).cycle;
  EXPECT_EQ(cycle, (Period{begin_of(q, 2027, 1, 31), begin_of(q, 2027, 2, 28)}));
  EXPECT_EQ(account.at(cycle.to_ns).cycle.to_ns, begin_of(q, 2027, 3, 31));
  // Half-open: what is used at the instant of the change is the next one's.
  use(account, 1, cycle.to_ns - 1);
  use(account, 10, cycle.to_ns);
  EXPECT_EQ(account.at(cycle.to_ns - 1).used, 1u);
  EXPECT_EQ(account.at(cycle.to_ns).used, 10u);
}

TEST(QuotaCycle, OfAMonthInWhichTheClockChangesIsAnHourShorterOrLonger) {
  const QuotaAccount account(quota({{"zone", "Europe/Berlin"}}));
  const auto length = [&](unsigned month) {
    return account.at(begin_of(account.quota(), 2026, month, 10)).cycle.length_ns() / kHourNs;
  };
  EXPECT_EQ(length(3), 31 * 24 - 1);
  EXPECT_EQ(length(10), 31 * 24 + 1);
  EXPECT_EQ(length(11), 30 * 24);
}

// However usage is cut up in time, no octet is in two cycles, or in none.
TEST(QuotaCycle, LosesAndDoublesNothingAtItsEnd) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 200; ++round) {
    QuotaAccount account(quota({{"cycle_day", 1 + random() % 31}, {"zone", "Europe/Berlin"}}));
    const int64_t begin = begin_of(account.quota(), 2026, 1, 1);
    int64_t at = begin;
    uint64_t sum = 0;
    for (int i = 0; i < 50; ++i) {
      const auto until = at + static_cast<int64_t>(random() % (20 * 24 * kHourNs));
      const uint64_t octets = random() % 1000;
      account.add(kFibre, Direction::sent, octets, {at, until});
      sum += octets;
      at = until;
    }
    uint64_t found = 0;
    for (Period cycle = account.at(begin).cycle; cycle.from_ns <= at;
         cycle = account.at(cycle.to_ns).cycle)
      found += account.at(cycle.from_ns).used;
    ASSERT_EQ(found, sum);
  }
}

TEST(QuotaRollover, PassesOnWhatIsUnusedForAsLongAsItSays) {
  QuotaAccount account(quota({{"rollover", {{"cycles", 2}}}}));
  const Quota& q = account.quota();
  account.known_since(begin_of(q, 2026, 1, 1));
  use(account, 70 * kGb, begin_of(q, 2026, 1, 10));
  EXPECT_EQ(account.at(begin_of(q, 2026, 1, 20)).rolled_over, 0u) << "nothing is known before";
  EXPECT_EQ(account.at(begin_of(q, 2026, 2, 1)).rolled_over, 30 * kGb);
  // Of February's 130: the 30 of January first.
  use(account, 40 * kGb, begin_of(q, 2026, 2, 10));
  EXPECT_EQ(account.at(begin_of(q, 2026, 2, 20)).left(), 90 * kGb);
  EXPECT_EQ(account.at(begin_of(q, 2026, 3, 1)).rolled_over, 90 * kGb);
  EXPECT_EQ(account.at(begin_of(q, 2026, 4, 1)).rolled_over, 190 * kGb);
  EXPECT_EQ(account.at(begin_of(q, 2026, 5, 1)).rolled_over, 200 * kGb)
      << "February's have been kept for two cycles";
}

TEST(QuotaRollover, PassesOnNoMoreThanItsMaximum) {
  QuotaAccount account(quota({{"rollover", {{"cycles", 3}, {"max", "50 GB"}}}}));
  account.known_since(begin_of(account.quota(), 2026, 1, 1));
  EXPECT_EQ(account.at(begin_of(account.quota(), 2026, 6, 1)).allowed, 150 * kGb);
}

TEST(QuotaAlerts, AreToldOnceInACycle) {
  QuotaAccount account(quota());
  const int64_t january = begin_of(account.quota(), 2026, 1, 5);
  const int64_t february = begin_of(account.quota(), 2026, 2, 1);
  using Alerts = std::vector<unsigned>;
  use(account, 75 * kGb - 1, january);
  EXPECT_EQ(account.take_alerts(january), Alerts{});
  use(account, 1, january);
  EXPECT_EQ(account.take_alerts(january), Alerts{75});
  EXPECT_EQ(account.take_alerts(january), Alerts{});
  use(account, 25 * kGb - 100, january);
  EXPECT_EQ(account.take_alerts(january), (Alerts{95, 100})) << "less than a packet is left";
  EXPECT_EQ(account.take_alerts(february - 1), Alerts{});
  EXPECT_EQ(account.take_alerts(february), Alerts{});
  use(account, 80 * kGb, february);
  EXPECT_EQ(account.take_alerts(february), Alerts{75});
  QuotaAccount again(account.quota());
  use(again, 80 * kGb, february);
  again.told_as(account);
  EXPECT_EQ(again.take_alerts(february), Alerts{});
}

TEST(QuotaPace, MakesDearerWhatWillNotLast) {
  QuotaAccount account(quota());
  const Period cycle = account.at(begin_of(account.quota(), 2026, 1, 10)).cycle;
  const int64_t middle = cycle.from_ns + cycle.length_ns() / 2;
  use(account, 50 * kGb, middle);
  EXPECT_EQ(account.at(middle).projected, 100 * kGb);
  EXPECT_EQ(account.at(middle).scarcity_percent(), 0u);
  use(account, 8 * kGb, middle);
  EXPECT_EQ(account.at(middle).scarcity_percent(), 15u) << "116 % by the pace, in steps of 5";
  use(account, 41 * kGb, middle);
  EXPECT_EQ(account.at(middle).scarcity_percent(), 95u);
  use(account, kGb, middle);
  EXPECT_TRUE(account.at(middle).used_up());
  EXPECT_EQ(account.at(cycle.to_ns - 1).scarcity_percent(), 100u);
}

TEST(QuotaParts, AreNeverMoreThanIsLeft) {
  EXPECT_EQ(parts_of(1000, {0}), (std::vector<uint64_t>{1000}));
  EXPECT_EQ(parts_of(1000, {0, 0}), (std::vector<uint64_t>{500, 500}));
  EXPECT_EQ(parts_of(800, {3, 1}), (std::vector<uint64_t>{50 + 525, 50 + 175}));
  EXPECT_TRUE(parts_of(0, {}).empty());
  std::mt19937_64 random(3);
  for (int round = 0; round < 2000; ++round) {
    std::vector<double> lately(1 + random() % 12);
    for (double& l : lately) l = random() % 3 == 0 ? 0 : static_cast<double>(random() >> 20);
    const uint64_t left = random() >> random() % 64;
    const auto parts = parts_of(left, lately);
    uint64_t rest = left;
    for (const uint64_t part : parts) {
      ASSERT_LE(part, rest);
      rest -= part;
    }
  }
}

}  // namespace
}  // namespace anabranch::control
