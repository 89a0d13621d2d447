// SPDX-License-Identifier: BSD-3-Clause
// Who has used up what is reserved for them, between one look at the ledger and the next.
#include "control/credits.h"

#include <gtest/gtest.h>

#include <vector>

namespace anabranch::control {
namespace {

using billing::Amount;
using std::chrono::seconds;

Amount euros(int count) {
  return Amount::from_attos(count * billing::kAttosPerUnit);
}

class CreditsTest : public testing::Test {
 protected:
  // With the look that is due, if any.
  void tick(const Credits::Spent& spent, Credits::Clock::duration later = seconds(1)) {
    now_ += later;
    for (int begins_and_takes = 0; begins_and_takes < 2; ++begins_and_takes)
      credits_.tick(spent, now_);
  }
  tl::expected<billing::CreditReport, std::string> look(const Credits::Asked& asked) {
    asked_.push_back(asked);
    if (is_away_) return tl::unexpected(std::string("the ledger is away"));
    billing::CreditReport report;
    for (const auto& [account, one] : asked) {
      if (account != "client:acme") continue;
      billing::Credit& credit = report.accounts[account];
      credit.terms.charge = billing::ChargeWhen::ahead;
      credit.terms.used_up = billing::WhenUsedUp::slow;
      credit.terms.slow_kbps = 128;
      credit.is_priced = !one.used;
      credit.used.amount = one.used ? one.used->amount : used_;
      const Amount left = paid_ + -credit.used.amount + -one.since;
      credit.reservation.reserved = std::max(left, Amount());
    }
    return report;
  }
  bool is_used_up() const { return used_up_.contains("acme"); }

  std::vector<Credits::Asked> asked_;
  bool is_away_ = false;
  Amount paid_, used_;
  Credits::ByClient used_up_;
  int changes_ = 0;
  Credits::Clock::time_point now_ = Credits::Clock::now();
  Credits credits_{[this](const Credits::Asked& asked) { return look(asked); },
                   [this](const Credits::ByClient& all) {
                     used_up_ = all;
                     ++changes_;
                   },
                   std::launch::deferred};
};

TEST_F(CreditsTest, NobodyIsAskedForWhereNobodyIs) {
  tick({});
  tick({});
  EXPECT_EQ(asked_.size(), 0u);
  EXPECT_EQ(changes_, 0);
}

TEST_F(CreditsTest, WhoHasPaidNothingIsSlowAtOnceAndWhoDoesNotPayAheadIsNot) {
  tick({{"acme", {}}, {"bolt", {}}});
  ASSERT_TRUE(is_used_up());
  EXPECT_EQ(used_up_.size(), 1u);
  EXPECT_EQ(used_up_.at("acme").then, billing::WhenOverdue::restrict);
  EXPECT_EQ(used_up_.at("acme").restrict_kbps, 128u);
  EXPECT_TRUE(credits_.pays_ahead("acme"));
  EXPECT_FALSE(credits_.pays_ahead("bolt"));
  paid_ = euros(1);
  tick({{"acme", {}}, {"bolt", {}}}, seconds(2));
  EXPECT_FALSE(is_used_up()) << "it is looked for soon, where somebody waits";
}

TEST_F(CreditsTest, WhatIsReservedIsUsedUpBetweenLooks) {
  paid_ = euros(10);
  tick({{"acme", euros(100)}});  // spent before it is known counts for nothing
  EXPECT_FALSE(is_used_up());
  tick({{"acme", euros(109)}});
  EXPECT_FALSE(is_used_up());
  tick({{"acme", euros(110)}});
  EXPECT_TRUE(is_used_up());
  EXPECT_EQ(asked_.size(), 1u);
  // The next look knows of what was spent since, and prices it when it is time to.
  tick({{"acme", euros(110)}});
  EXPECT_TRUE(is_used_up());
  EXPECT_EQ(asked_.back().at("client:acme").since, euros(10));
  used_ = euros(4);  // it was cheaper than was thought
  tick({{"acme", euros(110)}}, seconds(6));
  EXPECT_FALSE(asked_.back().at("client:acme").used.has_value());
  EXPECT_FALSE(is_used_up());
  tick({{"acme", euros(115)}});
  EXPECT_FALSE(is_used_up());
  tick({{"acme", euros(116)}});
  EXPECT_TRUE(is_used_up());
}

TEST_F(CreditsTest, WhoeverComesIsLookedAtSoon) {
  paid_ = euros(10);
  tick({{"bolt", {}}});
  EXPECT_EQ(asked_.size(), 1u);
  tick({{"bolt", {}}}, seconds(2));
  EXPECT_EQ(asked_.size(), 1u);
  tick({{"bolt", {}}, {"acme", {}}});
  EXPECT_EQ(asked_.size(), 2u);
  // Who has gone releases what it held, and is forgotten.
  tick({{"bolt", {}}}, seconds(6));
  EXPECT_FALSE(asked_.back().at("client:acme").has_services);
  EXPECT_FALSE(credits_.pays_ahead("acme"));
}

TEST_F(CreditsTest, WhileTheLedgerIsAwayWhatIsReservedGoesOnForTenMinutes) {
  paid_ = euros(10);
  tick({{"acme", {}}});
  is_away_ = true;
  for (int minute = 0; minute < 9; ++minute) tick({{"acme", {}}}, std::chrono::minutes(1));
  EXPECT_FALSE(is_used_up());
  tick({{"acme", {}}}, std::chrono::minutes(1));
  EXPECT_TRUE(is_used_up());
  is_away_ = false;
  tick({{"acme", {}}}, seconds(2));
  EXPECT_FALSE(is_used_up());
}

TEST(CreditsOfArrears, TheStricterOfBothHolds) {
  const auto standing = [](const char* statement, billing::WhenOverdue then, uint32_t kbps) {
    billing::Standing s;
    s.statement = statement;
    s.then = then;
    s.restrict_kbps = kbps;
    return s;
  };
  using enum billing::WhenOverdue;
  const Credits::ByClient a{{"acme", standing("1", nothing, 64)},
                            {"bolt", standing("2", restrict, 64)},
                            {"crane", standing("3", suspend, 64)}};
  const Credits::ByClient b{{"acme", standing("", restrict, 512)},
                            {"bolt", standing("", restrict, 128)},
                            {"crane", standing("", restrict, 32)},
                            {"dune", standing("", suspend, 64)}};
  const auto both = stricter(a, b);
  EXPECT_EQ(both.at("acme").statement, "");
  EXPECT_EQ(both.at("bolt").statement, "2");
  EXPECT_EQ(both.at("crane").statement, "3");
  EXPECT_EQ(both.at("dune").statement, "");
}

}  // namespace
}  // namespace anabranch::control
