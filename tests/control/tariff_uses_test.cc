// SPDX-License-Identifier: BSD-3-Clause
// Who is asked for how far it is into its tariff, and when.
#include "control/tariff_uses.h"

#include <gtest/gtest.h>

#include <vector>

namespace anabranch::control {
namespace {

class TariffUsesTest : public testing::Test {
 protected:
  // With the look that is due, if any.
  void tick(TariffUses::Clock::duration later) {
    now_ += later;
    for (int begins_and_takes = 0; begins_and_takes < 2; ++begins_and_takes)
      uses_.tick([this] { return clients_; }, now_);
  }

  TariffUses::Clients clients_{"acme"};
  std::vector<TariffUses::Clients> asked_;
  bool is_away_ = false;
  int changes_ = 0;
  TariffUses::Clock::time_point now_{std::chrono::hours(1)};
  TariffUses uses_{
      [this](
          const TariffUses::Clients& clients) -> tl::expected<TariffUses::ByClient, std::string> {
        asked_.push_back(clients);
        if (is_away_) return tl::unexpected(std::string("the ledger is away"));
        return TariffUses::ByClient{{"acme", {}}};
      },
      [this](const TariffUses::ByClient& found) {
        EXPECT_EQ(found.size(), 1u);
        ++changes_;
      },
      std::launch::deferred};
};

TEST_F(TariffUsesTest, AreLookedUpNowAndThen) {
  tick(std::chrono::seconds(1));
  EXPECT_EQ(changes_, 1) << "at once";
  tick(TariffUses::kLookEvery - std::chrono::seconds(1));
  EXPECT_EQ(asked_.size(), 1u);
  tick(std::chrono::seconds(1));
  EXPECT_EQ(changes_, 2);
  EXPECT_EQ(asked_.back(), clients_);
}

TEST_F(TariffUsesTest, OfNobodyNothingIsLookedUp) {
  clients_.clear();
  tick(std::chrono::seconds(1));
  EXPECT_TRUE(asked_.empty());
}

TEST_F(TariffUsesTest, WhatWasKnownStaysWhileTheLedgerIsAway) {
  tick(std::chrono::seconds(1));
  is_away_ = true;
  tick(TariffUses::kLookEvery);
  EXPECT_EQ(asked_.size(), 2u);
  EXPECT_EQ(changes_, 1);
}

}  // namespace
}  // namespace anabranch::control
