// SPDX-License-Identifier: BSD-3-Clause
// Statements are paid once, whatever fails on the way.
#include <random>
#include <stdexcept>

#include "billing/card_number.h"
#include "tests/billing/payments_fixture.h"

namespace anabranch::billing {
namespace {

using nlohmann::json;
using Fault = FaultyStore::Fault;

TEST_P(Payments, AStatementIsChargedToTheCardWhenItIsIssued) {
  owe(10, 4);
  const auto report = run(day(11, 2));
  ASSERT_EQ(report.moved.size(), 1u);
  EXPECT_EQ(report.moved[0].now.state, PaymentState::succeeded);
  EXPECT_EQ(report.moved[0].statement, "2026-000001");
  expect_paid_once(money("4"));
  EXPECT_TRUE(run(day(11, 3)).moved.empty());
  expect_paid_once(money("4"));
}

// Each call of the processor fails, in each way; going on later, it is paid once.
TEST_P(Payments, WhateverTheProcessorDoesItIsPaidOnce) {
  using How = SimulatedProcessor::Fault;
  unsigned month = 9;
  Amount owed;
  for (const How how :
       {How::not_reached, How::lost_before, How::lost_after, How::crash_before, How::crash_after}) {
    for (uint64_t n = 1; n <= 4; ++n) {
      ++month;
      const int year = 2026 + static_cast<int>(month - 1) / 12;
      const unsigned m = (month - 1) % 12 + 1;
      gateway("site-a").used(day(m, 5, year), service_, 1, n * kGb);
      const int64_t end = kBerlin.begin_ns(kBerlin.day_of(day(m, 28, year) + 10 * kDay));
      close(end);
      owed += Amount::from_attos(Int128{n} * kAttosPerUnit);
      processor_.arm(how, n);
      int64_t now = end;
      for (int i = 0; i < 4; ++i, now += kHour) {
        try {
          run(now);
        } catch (const Crash&) {
        }
      }
      processor_.arm(How::none, UINT64_MAX);
      settle(now);
      run(now + 60 * kDay);
      ASSERT_NO_FATAL_FAILURE(expect_paid_once(owed)) << static_cast<int>(how) << " " << n;
    }
  }
}

// Each step of the store fails, in each way, with an answer that came.
TEST_P(Payments, WhateverTheLedgerDoesItIsPaidOnce) {
  unsigned month = 9;
  Amount owed;
  for (const Fault fault : {Fault::error, Fault::busy, Fault::lost_before, Fault::lost_after}) {
    auto store = std::make_unique<FaultyStore>(Store::open(where_).value(), fault, UINT64_MAX);
    FaultyStore* raw = store.get();
    Ledger faulty = Ledger::open(std::move(store), "site-a").value();
    bool failed = true;
    for (uint64_t n = 1; failed; n += 1 + n / 10) {
      ++month;
      const int year = 2026 + static_cast<int>(month - 1) / 12;
      const unsigned m = (month - 1) % 12 + 1;
      gateway("site-a").used(day(m, 5, year), service_, 1, kGb);
      const int64_t end = kBerlin.begin_ns(kBerlin.day_of(day(m, 28, year) + 10 * kDay));
      close(end);
      owed += money("1");
      raw->arm(n);
      (void)Payer(faulty, &processor_).run(end);
      failed = raw->failed();
      raw->arm(UINT64_MAX);
      run(end + kHour);
      settle(end + kHour);
      ASSERT_EQ(processor_.charged, owed) << "step " << n;
      ASSERT_EQ(balance("cash:cards"), owed) << "step " << n;
    }
  }
  expect_paid_once(owed);
}

// Killed at each step, with the real thing left behind.
TEST_P(Payments, KilledAtAnyStepItIsPaidOnce) {
  owe(10, 4);
  for (const auto how : {Fault::kill_before, Fault::kill_after}) {
    for (uint64_t n = 1; n <= 140; n += 1 + n / 12) {
      const pid_t child = fork();
      ASSERT_GE(child, 0);
      if (child == 0) {
        Ledger faulty =
            Ledger::open(std::make_unique<FaultyStore>(Store::open(where_).value(), how, n),
                         "site-a")
                .value();
        (void)Payer(faulty, nullptr)
            .received({.account = "client:acme",
                       .issuer = "co",
                       .statement = "2026-000001",
                       .currency = "EUR",
                       .amount = money("0.01")},
                      "ref-" + std::to_string(n) + (how == Fault::kill_before ? "b" : "a"),
                      day(11, 3));
        _exit(0);
      }
      int status = 0;
      waitpid(child, &status, 0);
    }
  }
  run(day(11, 4));
  settle(day(11, 4));
  Amount transferred;
  for (const Payment& p : payments()) {
    if (p.kind == PaymentKind::transfer) transferred += p.amount;
  }
  EXPECT_GT(transferred, money("0.1"));
  EXPECT_EQ(balance("cash:bank"), transferred);
  EXPECT_EQ(processor_.charged + transferred, money("4"));
  EXPECT_EQ(balance("client:acme"), Amount());
  expect_sound(*ledger_);
}

TEST_P(Payments, ADeclinedCardIsTriedAgainOnTheDaysOfTheProfile) {
  owe(10, 4);
  processor_.declines = {PaymentState::failed, PaymentState::failed, PaymentState::failed};
  const int64_t issued = day(11, 2);
  EXPECT_EQ(run(issued).moved.at(0).now.state, PaymentState::failed);
  EXPECT_TRUE(run(issued + 3 * kDay - 1).moved.empty());
  EXPECT_EQ(run(issued + 3 * kDay).moved.size(), 1u);
  EXPECT_TRUE(run(issued + 6 * kDay).moved.empty());
  EXPECT_EQ(run(issued + 7 * kDay).moved.size(), 1u);
  EXPECT_TRUE(run(issued + 13 * kDay).overdue.empty());
  const auto over = run(issued + 14 * kDay);
  EXPECT_TRUE(over.moved.empty()) << "three times, and never again by itself";
  ASSERT_EQ(over.overdue.size(), 1u);
  EXPECT_EQ(over.overdue[0].account, "client:acme");
  EXPECT_EQ(over.overdue[0].then, WhenOverdue::suspend);
  // By hand; or with another card.
  card("pm_2", issued + 15 * kDay);
  EXPECT_EQ(run(issued + 16 * kDay).moved.at(0).now.state, PaymentState::succeeded);
  EXPECT_TRUE(run(issued + 16 * kDay).overdue.empty());
  expect_paid_once(money("4"));
}

// Its card is charged for both, its terms say when the other's statement is overdue, and it is the
// other whose services suffer.
TEST_P(Payments, OneClientPaysForAnother) {
  put("clients", {{"id", "shop"}, {"tariff", "t"}, {"profile", "carded"}, {"paid_by", "acme"}},
      day(9, 2));
  const auto shop = open_service("site-a", "shop", day(10, 1));
  gateway("site-a").used(day(10, 6), shop, 1, 7 * kGb);
  owe(10, 4);
  processor_.declines = std::vector(3, PaymentState::failed);
  const int64_t issued = day(11, 2);
  const auto first = run(issued).moved;
  ASSERT_EQ(first.size(), 2u);
  for (const Payment& p : first) EXPECT_EQ(p.account, "client:acme");
  for (const int64_t at : {3 * kDay, 7 * kDay, 14 * kDay}) run(issued + at);
  EXPECT_EQ(balance("client:acme"), Amount()) << "one of both at the second try, the other later";
  EXPECT_EQ(balance("cash:cards"), money("11"));

  processor_.declines = std::vector(20, PaymentState::failed);
  gateway("site-a").used(day(11, 6), shop, 1, 2 * kGb);
  close(day(12, 2));
  for (const int64_t at : {0 * kDay, 3 * kDay, 7 * kDay}) run(day(12, 2) + at);
  const auto overdue = run(day(12, 2) + 15 * kDay).overdue;
  ASSERT_EQ(overdue.size(), 1u);
  EXPECT_EQ(overdue[0].account, "client:shop");
  EXPECT_EQ(overdue[0].then, WhenOverdue::suspend);
  // By a transfer of who pays; the client itself owes nothing that it could pay.
  Payer payer(*ledger_, &processor_);
  const std::string number = overdue[0].statement;
  const Payment paid{.account = "client:acme",
                     .issuer = "co",
                     .statement = number,
                     .currency = "EUR",
                     .amount = money("2")};
  ASSERT_TRUE(payer.received(paid, "T1", day(12, 20)).has_value());
  EXPECT_TRUE(run(day(12, 21)).overdue.empty());
  expect_paid_once(money("11"));
}

TEST_P(Payments, ACardWhoseOwnerMustActIsNotTriedAgain) {
  owe(10, 4);
  processor_.declines = {PaymentState::requires_customer};
  EXPECT_EQ(run(day(11, 2)).moved.at(0).now.state, PaymentState::requires_customer);
  EXPECT_TRUE(run(day(11, 12)).moved.empty());
  const auto paid = Payer(*ledger_, &processor_).pay("co", "2026-000001", day(11, 12));
  ASSERT_TRUE(paid.has_value()) << paid.error();
  EXPECT_EQ(paid->now.state, PaymentState::succeeded);
  expect_paid_once(money("4"));
}

TEST_P(Payments, WhatWasPaidOtherwiseIsNotChargedToTheCard) {
  owe(10, 4);
  Payer payer(*ledger_, &processor_);
  const Payment transfer{.account = "client:acme",
                         .issuer = "co",
                         .statement = "2026-000001",
                         .currency = "EUR",
                         .amount = money("1.50")};
  ASSERT_TRUE(payer.received(transfer, "bank-17", day(11, 2)));
  ASSERT_TRUE(payer.received(transfer, "bank-17", day(11, 3))) << "the same again is the same";
  EXPECT_EQ(balance("cash:bank"), money("1.50"));
  run(day(11, 3));
  EXPECT_EQ(processor_.charged, money("2.50"));
  EXPECT_EQ(balance("client:acme"), Amount());
  // More than is owed is a credit, of which the next statement is paid.
  ASSERT_TRUE(payer.received({.account = "client:acme", .currency = "EUR", .amount = money("3")},
                             "bank-18", day(11, 4)));
  owe(11, 4);
  run(day(12, 2));
  EXPECT_EQ(processor_.charged, money("3.50"));
  EXPECT_EQ(balance("client:acme"), Amount());
  expect_sound(*ledger_);
}

TEST_P(Payments, ARefundGoesBackOnceWhateverFailsAndIsNotChargedAgain) {
  using How = SimulatedProcessor::Fault;
  owe(10, 100);
  const std::string key = run(day(11, 2)).moved.at(0).key;
  Payer payer(*ledger_, &processor_);
  EXPECT_FALSE(payer.refund(key, money("100.01"), day(11, 3)));
  Amount back;
  int64_t now = day(11, 3);
  for (const How how : {How::none, How::not_reached, How::lost_before, How::lost_after,
                        How::crash_before, How::crash_after}) {
    for (uint64_t n = 1; n <= 2; ++n) {
      processor_.arm(how, n);
      back += money("2");
      for (int i = 0; i < 3; ++i, now += kDay) {
        try {
          i == 0 ? (void)payer.refund(key, money("2"), now) : (void)run(now);
        } catch (const Crash&) {
        }
      }
      processor_.arm(How::none, UINT64_MAX);
      settle(now);
      ASSERT_EQ(processor_.charged, money("100") + -back) << static_cast<int>(how) << " " << n;
      ASSERT_EQ(balance("cash:cards"), processor_.charged);
      ASSERT_EQ(balance("client:acme"), back);
    }
  }
  EXPECT_TRUE(run(now + 30 * kDay).moved.empty());
  EXPECT_EQ(processor_.charges, 1);
  expect_sound(*ledger_);
}

TEST_P(Payments, ALedgerOfBeforeThereWerePaymentsGetsThem) {
  ASSERT_TRUE(ledger_->store().script(
      "DROP TABLE disputes; DROP TABLE drawings; DROP TABLE payment_steps; DROP TABLE payments; "
      "UPDATE state SET value = 2 WHERE name = "
      "'version'"));
  EXPECT_FALSE(Ledger::open_existing(where_).has_value());
  *ledger_ = open("site-a");
  owe(10, 4);
  run(day(11, 2));
  expect_paid_once(money("4"));
  EXPECT_FALSE(ledger_->store().run("DELETE FROM payment_steps"));
  EXPECT_FALSE(ledger_->store().run("UPDATE payments SET amount = '1'"));
}

TEST_P(Payments, AskedForTwiceWithTheSameKeyItIsOnePayment) {
  owe(10, 4);
  Payer payer(*ledger_, &processor_);
  processor_.declines = {PaymentState::failed};
  const auto first = payer.intend("client:acme", "co", "2026-000001", "order-7", day(11, 2));
  ASSERT_TRUE(first) << first.error();
  EXPECT_EQ(first->now.state, PaymentState::pending);
  const auto paid = payer.go_on_with(first->key, day(11, 2));
  ASSERT_TRUE(paid) << paid.error();
  EXPECT_EQ(paid->now.state, PaymentState::failed);
  const auto again = payer.intend("client:acme", "co", "2026-000001", "order-7", day(11, 3));
  ASSERT_TRUE(again) << again.error();
  EXPECT_EQ(again->key, first->key);
  EXPECT_EQ(again->now.state, PaymentState::failed) << "it is not tried again";
  EXPECT_FALSE(payer.intend("client:other", "co", "2026-000001", "order-8", day(11, 3)));
  const auto second = payer.intend("client:acme", "co", "2026-000001", "order-8", day(11, 3));
  ASSERT_TRUE(second && payer.go_on_with(second->key, day(11, 3)));
  expect_paid_once(money("4"));
  for (int i = 0; i < 2; ++i) {
    const auto back = payer.intend_refund(second->key, money("1"), "order-8-back", day(11, 4));
    ASSERT_TRUE(back && payer.go_on_with(back->key, day(11, 4)));
  }
  EXPECT_EQ(processor_.charged, money("3"));
  EXPECT_FALSE(payer.intend_refund(second->key, money("2"), "order-8-back", day(11, 4)));
}

// Nothing was answered; the processor tells by itself, whatever and how often it likes.
TEST_P(Payments, WhatTheProcessorTellsOfIsAskedForAtOnce) {
  owe(10, 4);
  Payer payer(*ledger_, &processor_);
  const CardEvent stranger{
      .id = "evt_0", .kind = "payment_intent.succeeded", .key = "x", .ids = {"pi_x"}};
  EXPECT_TRUE(payer.heard(stranger, day(11, 2)).value().moved.empty());
  processor_.arm(SimulatedProcessor::Fault::lost_after, 2);
  const Payment pending = run(day(11, 2)).moved.at(0);
  EXPECT_EQ(pending.now.state, PaymentState::unknown);
  // It failed, it says, and it succeeded: it is asked, each time.
  for (const char* kind : {"payment_intent.payment_failed", "payment_intent.succeeded"}) {
    const CardEvent event{.id = "evt_1", .kind = kind, .key = pending.key, .ids = {"pi_1"}};
    for (int i = 0; i < 2; ++i) {
      const auto moved = payer.heard(event, day(11, 2) + i);
      ASSERT_TRUE(moved) << moved.error();
      expect_paid_once(money("4"));
    }
  }
  EXPECT_EQ(payments().size(), 1u);
}

// By its own id alone, where it has one: of charges that are under way.
TEST_P(Payments, AnEventMayNameThePaymentByTheProcessorsId) {
  owe(10, 4);
  processor_.is_slow = true;
  EXPECT_EQ(run(day(11, 2)).moved.at(0).now.state, PaymentState::pending);
  processor_.is_slow = false;
  const std::string id = payments().at(0).now.processor_id;
  ASSERT_FALSE(id.empty());
  const CardEvent event{.id = "evt_1", .kind = "charge.succeeded", .key = "", .ids = {"ch_1", id}};
  ASSERT_TRUE(Payer(*ledger_, &processor_).heard(event, day(11, 2)));
  expect_paid_once(money("4"));
}

// Two programs at once: one gateway's and one by hand.
// While one statement is charged, a transfer arrives that pays the other.
TEST_P(Payments, WhatIsPaidMeanwhileIsNotCharged) {
  gateway("site-a").used(day(10, 5), service_, 1, 4 * kGb).used(day(11, 5), service_, 1, 3 * kGb);
  close(day(12, 2));
  Ledger other = open("site-a");
  processor_.meanwhile = [&] {
    const Payment paid{.account = "client:acme", .currency = "EUR", .amount = money("3")};
    ASSERT_TRUE(Payer(other, nullptr).received(paid, "T1", day(12, 2)).has_value());
  };
  const auto report = run(day(12, 2));
  EXPECT_EQ(report.moved.size(), 1u);
  EXPECT_NE(report.problems.at("client:acme").find("has paid meanwhile"), std::string::npos);
  EXPECT_TRUE(run(day(12, 3)).moved.empty());
  EXPECT_EQ(processor_.charged, money("4"));
  EXPECT_EQ(balance("client:acme"), Amount());
  expect_sound(*ledger_);
}

TEST_P(Payments, TwoThatPayAtOnceChargeOnce) {
  owe(10, 4);
  Ledger other = open("site-a");
  Payer a(*ledger_, &processor_), b(other, &processor_);
  processor_.arm(SimulatedProcessor::Fault::lost_before, 2);
  ASSERT_TRUE(a.run(day(11, 2)));
  const auto again = b.pay("co", "2026-000001", day(11, 2));
  ASSERT_FALSE(again);
  EXPECT_NE(again.error().find("is being paid by"), std::string::npos) << again.error();
  settle(day(11, 2));
  expect_paid_once(money("4"));
}

ANABRANCH_BOTH_STORES(Payments);

TEST(CardNumbers, AreKnownAloneAndInGroups) {
  for (const char* text : {"4242424242424242", "card 4242 4242 4242 4242.", "3782-822463-10005",
                           "\"4222222222222\"", "6759649826438453000"}) {
    EXPECT_EQ(has_card_number(text), std::string(text) != "6759649826438453000") << text;
  }
  for (const char* text :
       {"4242424242424241", "424242424242", "a4242424242424242", "4242424242424242b",
        "4242 42424242424242", "2026-11-27 09:24", "pm_4242424242424242", "42424242424242424242"}) {
    EXPECT_FALSE(has_card_number(text)) << text;
  }
  EXPECT_EQ(without_card_numbers("pay 4242 4242 4242 4242 now"), "pay [card number] now");
}

}  // namespace
}  // namespace anabranch::billing
