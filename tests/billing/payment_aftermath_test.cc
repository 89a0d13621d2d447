// SPDX-License-Identifier: BSD-3-Clause
// What becomes of payments later: refunds and disputes that are made at the processor, and a ledger
// that has forgotten them.
#include "tests/billing/payments_fixture.h"

namespace anabranch::billing {
namespace {

using Fault = FaultyStore::Fault;

class Aftermath : public Payments {};

TEST_P(Aftermath, ARefundMadeAtTheProcessorIsPostedOnce) {
  const Payment paid = paid_month(10, 4);
  const int64_t now = issued_ + kDay;
  processor_.refund_by_hand(paid.key, money("1.50"), now);
  const CardEvent event{.id = "evt_1",
                        .kind = "charge.refunded",
                        .key = paid.key,
                        .ids = {},
                        .is_of_aftermath = true};
  const auto report = Payer(*ledger_, &processor_).heard(event, now);
  ASSERT_TRUE(report) << report.error();
  ASSERT_EQ(report->moved.size(), 1u);
  EXPECT_EQ(report->moved[0].of, paid.key);
  EXPECT_EQ(report->moved[0].amount, money("1.50"));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(run(now + i * kDay).moved.empty());
  EXPECT_EQ(balance("client:acme"), money("1.50"));
  expect_cash_is_right();
  // Without an event it is found within the hour; and is not charged to the card again.
  processor_.refund_by_hand(paid.key, money("0.50"), now + 4 * kDay);
  EXPECT_EQ(run(now + 4 * kDay).moved.size(), 1u);
  EXPECT_TRUE(run(now + 5 * kDay).moved.empty());
  EXPECT_EQ(processor_.charges, 1);
  expect_cash_is_right();
}

// Ours was never made, and somebody made one like it: both are, once.
TEST_P(Aftermath, ARefundOfOursIsNotTakenForAnother) {
  const Payment paid = paid_month(10, 4);
  processor_.arm(SimulatedProcessor::Fault::lost_before, 1);
  Payer payer(*ledger_, &processor_);
  const auto ours = payer.refund(paid.key, money("1"), issued_ + kDay);
  ASSERT_TRUE(ours) << ours.error();
  EXPECT_EQ(ours->now.state, PaymentState::unknown);
  processor_.refund_by_hand(paid.key, money("1"), issued_ + kDay);
  run(issued_ + 2 * kDay);
  settle(issued_ + 2 * kDay);
  EXPECT_EQ(processor_.charged, money("2"));
  EXPECT_EQ(balance("client:acme"), money("2"));
  expect_cash_is_right();
}

TEST_P(Aftermath, ARefundThatCameBackIsTakenBack) {
  const Payment paid = paid_month(10, 4);
  Payer payer(*ledger_, &processor_);
  ASSERT_TRUE(payer.refund(paid.key, money("1"), issued_ + kDay));
  processor_.give_back_refund(paid.key);
  const CardEvent event{.id = "evt_1",
                        .kind = "refund.failed",
                        .key = paid.key + "-refund-1",
                        .ids = {},
                        .is_of_aftermath = true};
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(payer.heard(event, issued_ + 2 * kDay));
  EXPECT_EQ(payments().back().now.state, PaymentState::failed);
  EXPECT_EQ(balance("client:acme"), Amount());
  expect_cash_is_right();
  ASSERT_TRUE(payer.refund(paid.key, money("4"), issued_ + 3 * kDay)) << "all of it is left";
}

TEST_P(Aftermath, WhatIsDisputedIsHeldAndNotAskedForUntilItIsDecided) {
  const Payment paid = paid_month(10, 4);
  processor_.refund_by_hand(paid.key, money("1"), issued_ + kHour);
  run(issued_ + 2 * kHour);
  EXPECT_EQ(run(issued_ + 20 * kDay).overdue.size(), 1u) << "what was refunded is owed";
  processor_.dispute(paid.key, money("3"), money("15"), issued_ + 20 * kDay);
  const auto report = run(issued_ + 20 * kDay + 2 * kHour);
  ASSERT_EQ(report.notes.size(), 1u);
  EXPECT_NE(report.notes[0].find("is disputed, 3.00 EUR: fraudulent (dp_"), std::string::npos)
      << report.notes[0];
  EXPECT_TRUE(report.overdue.empty()) << "nothing of a disputed statement is";
  EXPECT_EQ(balance("dispute:cards"), money("3"));
  EXPECT_EQ(balance("fee:cards"), money("15"));
  EXPECT_EQ(balance("client:acme"), money("1"));
  EXPECT_TRUE(payments().front().is_disputed);
  expect_cash_is_right();
  EXPECT_FALSE(Payer(*ledger_, &processor_).refund(paid.key, money("1"), issued_ + 21 * kDay));
  EXPECT_TRUE(run(issued_ + 40 * kDay).notes.empty()) << "told once";

  processor_.decide(paid.key, DisputeState::won);
  EXPECT_EQ(run(issued_ + 41 * kDay).notes.size(), 1u) << "nobody has to tell of it";
  EXPECT_EQ(balance("dispute:cards"), Amount());
  EXPECT_EQ(balance("fee:cards"), Amount());
  EXPECT_EQ(balance("client:acme"), money("1"));
  EXPECT_EQ(run(issued_ + 42 * kDay).overdue.size(), 1u);
  expect_cash_is_right();
}

TEST_P(Aftermath, WhatIsLostInADisputeIsOwedAgainAndNotChargedToTheCard) {
  const Payment paid = paid_month(10, 4);
  processor_.dispute(paid.key, money("3"), money("15"), issued_ + kDay);
  run(issued_ + 2 * kDay);
  EXPECT_EQ(balance("client:acme"), Amount());
  processor_.decide(paid.key, DisputeState::lost);
  const CardEvent event{.id = "evt_1",
                        .kind = "charge.dispute.closed",
                        .key = "",
                        .ids = {"dp_1", paid.now.processor_id},
                        .is_of_aftermath = true};
  for (int i = 0; i < 2; ++i) {
    const auto heard = Payer(*ledger_, &processor_).heard(event, issued_ + 3 * kDay);
    ASSERT_TRUE(heard) << heard.error();
  }
  EXPECT_EQ(balance("client:acme"), money("3"));
  EXPECT_EQ(balance("dispute:cards"), Amount());
  EXPECT_EQ(balance("fee:cards"), money("15"));
  expect_cash_is_right();
  const auto later = run(issued_ + 30 * kDay);
  EXPECT_TRUE(later.moved.empty());
  ASSERT_EQ(later.overdue.size(), 1u);
  EXPECT_EQ(processor_.charges, 1);
  const Payment lost = payments().front();
  EXPECT_FALSE(lost.is_disputed);
  EXPECT_EQ(lost.lost, money("3"));
  EXPECT_FALSE(ledger_->store().run("UPDATE disputes SET state = 'won'"));
  // By hand; and all of it is paid then.
  ASSERT_TRUE(Payer(*ledger_, &processor_).pay("co", "2026-000001", issued_ + 31 * kDay));
  EXPECT_EQ(balance("client:acme"), Amount());
  EXPECT_TRUE(run(issued_ + 60 * kDay).overdue.empty());
  expect_cash_is_right();
}

// Each call of the processor fails, and each step of the ledger, in each way, while refunds by hand
// and disputes come to the ledger: each is posted once.
TEST_P(Aftermath, WhateverFailsWhatFollowsIsPostedOnce) {
  using How = SimulatedProcessor::Fault;
  unsigned month = 9;
  Amount owed;
  const auto follow = [&](const Payment& paid, int n, const std::function<void(int64_t)>& fail) {
    int64_t now = issued_ + 2 * kHour;
    processor_.refund_by_hand(paid.key, money("0.25"), now);
    processor_.dispute(paid.key, money("1"), money("0.10"), now);
    fail(now);
    run(now += 2 * kHour);
    const bool is_won = n % 2 == 0;
    processor_.decide(paid.key, is_won ? DisputeState::won : DisputeState::lost);
    fail(now += 2 * kHour);
    run(now += 2 * kHour);
    owed += money(is_won ? "0.25" : "1.25");
    ASSERT_EQ(balance("client:acme"), owed);
    ASSERT_EQ(balance("dispute:cards"), Amount());
    ASSERT_EQ(balance("cash:cards"), processor_.charged);
  };
  for (const How how : {How::not_reached, How::lost_after, How::crash_before, How::crash_after}) {
    for (int n = 1; n <= 4; ++n) {
      const Payment paid = paid_month(++month, 2);
      ASSERT_NO_FATAL_FAILURE(follow(paid, n,
                                     [&](int64_t now) {
                                       processor_.arm(how, n);
                                       try {
                                         run(now);
                                       } catch (const Crash&) {
                                       }
                                       processor_.arm(How::none, UINT64_MAX);
                                     }))
          << static_cast<int>(how) << " " << n;
    }
  }
  for (const Fault fault : {Fault::error, Fault::lost_before, Fault::lost_after}) {
    auto store = std::make_unique<FaultyStore>(Store::open(where_).value(), fault, UINT64_MAX);
    FaultyStore* raw = store.get();
    Ledger faulty = Ledger::open(std::move(store), "site-a").value();
    bool failed = true;
    for (int n = 1; failed; n += 1 + n / 3) {
      const Payment paid = paid_month(++month, 2);
      ASSERT_NO_FATAL_FAILURE(follow(paid, n,
                                     [&](int64_t now) {
                                       raw->arm(static_cast<uint64_t>(n));
                                       (void)Payer(faulty, &processor_).run(now);
                                       failed = raw->failed();
                                       raw->arm(UINT64_MAX);
                                     }))
          << "step " << n;
    }
  }
  expect_cash_is_right();
}

// A ledger restored from a backup forgot the payment; its statement has another key since.
class Forgotten : public Payments {
 protected:
  // As it was made before, of so much.
  CardCharge before(const char* amount, const std::string& key = "2026-000001-0123456789ab-1") {
    return {.key = key,
            .customer = "cus_1",
            .method = "pm_1",
            .currency = "EUR",
            .amount = money(amount),
            .account = "client:acme",
            .statement = "co/2026-000001"};
  }
};

TEST_P(Forgotten, APaymentIsFoundAndNotMadeAgain) {
  ASSERT_EQ(processor_.charge(before("4")).state, PaymentState::succeeded);
  owe(10, 4);
  const auto report = run(day(11, 2));
  ASSERT_EQ(report.moved.size(), 1u);
  EXPECT_EQ(report.moved[0].key, "2026-000001-0123456789ab-1");
  EXPECT_EQ(report.moved[0].now.state, PaymentState::succeeded);
  const auto all = payments();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].now.state == PaymentState::failed, all[1].now.state == PaymentState::succeeded);
  for (int i = 1; i < 10; ++i) EXPECT_TRUE(run(day(11, 2) + i * kDay).moved.empty());
  EXPECT_EQ(processor_.charges, 1);
  expect_paid_once(money("4"));
}

TEST_P(Forgotten, WhatItDidNotPayIsAskedForLater) {
  processor_.charge(before("3"));
  owe(10, 4);
  run(day(11, 2));
  EXPECT_EQ(balance("client:acme"), money("1"));
  for (int i = 1; i < 10; ++i) run(day(11, 2) + i * kDay);
  EXPECT_EQ(processor_.charges, 2);
  expect_paid_once(money("4"));
}

TEST_P(Forgotten, WhatWasGivenBackOfItIsFoundToo) {
  processor_.charge(before("4"));
  processor_.refund_by_hand("2026-000001-0123456789ab-1", money("4"), day(11, 1));
  owe(10, 4);
  for (int i = 0; i < 20; ++i) run(day(11, 2) + i * kDay);
  EXPECT_EQ(processor_.charges, 1) << "what was refunded is not charged again by itself";
  EXPECT_EQ(balance("client:acme"), money("4"));
  expect_cash_is_right();
}

TEST_P(Forgotten, OnlyOfTheSameStatementAndAccount) {
  CardCharge other = before("4", "other-1");
  other.account = "client:other";
  processor_.charge(other);
  CardCharge next = before("4", "other-2");
  next.statement = "co/2026-000002";
  processor_.charge(next);
  owe(10, 4);
  run(day(11, 2));
  EXPECT_EQ(processor_.charges, 3);
  EXPECT_EQ(payments().size(), 1u);
}

TEST_P(Forgotten, WhateverFailsItIsPaidOnce) {
  using How = SimulatedProcessor::Fault;
  unsigned month = 9;
  Amount owed;
  int number = 0;
  const auto forget = [&]() -> int64_t {
    ++month;
    CardCharge charge = before("2", "forgotten-" + std::to_string(++number));
    const int year = 2026 + static_cast<int>(month - 1) / 12;
    const unsigned m = (month - 1) % 12 + 1;
    gateway("site-a").used(day(m, 5, year), service_, 1, 2 * kGb);
    const int64_t now = kBerlin.begin_ns(kBerlin.day_of(day(m, 28, year) + 10 * kDay));
    close(now);
    charge.statement = "co/" + ledger_->statements("client:acme").value().back().name();
    processor_.charge(charge);
    owed += money("2");
    return now;
  };
  const auto expect_once = [&](int64_t now) {
    run(now + kHour);
    settle(now + kHour);
    ASSERT_EQ(processor_.charged, owed);
    ASSERT_EQ(balance("cash:cards"), owed);
    ASSERT_EQ(balance("client:acme"), Amount());
  };
  for (const How how : {How::not_reached, How::lost_after, How::crash_before, How::crash_after}) {
    for (uint64_t n = 1; n <= 4; ++n) {
      const int64_t now = forget();
      processor_.arm(how, n);
      try {
        run(now);
      } catch (const Crash&) {
      }
      processor_.arm(How::none, UINT64_MAX);
      ASSERT_NO_FATAL_FAILURE(expect_once(now)) << static_cast<int>(how) << " " << n;
    }
  }
  for (const Fault fault : {Fault::error, Fault::lost_before, Fault::lost_after}) {
    auto store = std::make_unique<FaultyStore>(Store::open(where_).value(), fault, UINT64_MAX);
    FaultyStore* raw = store.get();
    Ledger faulty = Ledger::open(std::move(store), "site-a").value();
    bool failed = true;
    for (uint64_t n = 1; failed; n += 1 + n / 3) {
      const int64_t now = forget();
      raw->arm(n);
      (void)Payer(faulty, &processor_).run(now);
      failed = raw->failed();
      raw->arm(UINT64_MAX);
      ASSERT_NO_FATAL_FAILURE(expect_once(now)) << "step " << n;
    }
  }
  expect_paid_once(owed);
}

ANABRANCH_BOTH_STORES(Aftermath);
ANABRANCH_BOTH_STORES(Forgotten);

}  // namespace
}  // namespace anabranch::billing
