// SPDX-License-Identifier: BSD-3-Clause
// Statements are paid once, whatever fails on the way.
#include <functional>
#include <random>
#include <stdexcept>
#include <utility>

#include "billing/card_number.h"
#include "billing/payer.h"
#include "tests/billing/closing_fixture.h"
#include "tests/billing/faulty_processor.h"
#include "tests/billing/faulty_store.h"

namespace anabranch::billing {
namespace {

using nlohmann::json;
using Fault = FaultyStore::Fault;

constexpr uint64_t kGb = 1'000'000'000;

// As a processor is: it knows keys, and does each once. Its n-th call goes wrong in some way.
class SimulatedProcessor : public FaultyProcessor {
 public:
  CardAnswer charge(const CardCharge& c) override {
    if (meanwhile) std::exchange(meanwhile, {})();
    return carried([&] {
      if (!done_.contains(c.key)) {
        const PaymentState state = declines.empty() ? PaymentState::succeeded : declines.front();
        if (!declines.empty()) declines.erase(declines.begin());
        done_[c.key] = {
            .charge = c,
            .answer = {
                .state = state, .id = "pi_" + c.key, .later = state == PaymentState::failed}};
        if (state == PaymentState::succeeded) {
          charged += c.amount;
          ++charges;
        }
      }
      return is_slow ? CardAnswer{.state = PaymentState::pending, .id = "pi_" + c.key}
                     : done_.at(c.key).answer;
    });
  }
  CardAnswer find(const CardCharge& c, const std::string&) override {
    return carried([&] {
      const auto found = done_.find(c.key);
      return found == done_.end() ? CardAnswer{.state = PaymentState::pending, .absent = true}
                                  : found->second.answer;
    });
  }
  Told<std::vector<EarlierCharge>> earlier(const CardCharge& c) override {
    return carried([&]() -> Told<std::vector<EarlierCharge>> {
      std::vector<EarlierCharge> all;
      for (const auto& [key, made] : done_) {
        if (key != c.key && made.charge.account == c.account &&
            made.charge.statement == c.statement && made.answer.state == PaymentState::succeeded)
          all.push_back({.key = key, .amount = made.charge.amount, .answer = made.answer});
      }
      return all;
    });
  }
  CardAnswer refund(const std::string& id, const std::string& key, Amount amount,
                    const std::string&) override {
    return carried([&] {
      auto& refunds = made(id).refunds;
      if (std::none_of(refunds.begin(), refunds.end(),
                       [&](const CardRefund& r) { return r.key == key; })) {
        refunds.push_back({.id = "re_" + key, .key = key, .amount = amount});
        charged += -amount;
      }
      return CardAnswer{.state = PaymentState::succeeded, .id = "re_" + key};
    });
  }
  Told<std::vector<CardRefund>> refunds(const std::string& id, const std::string&) override {
    return carried([&]() -> Told<std::vector<CardRefund>> { return made(id).refunds; });
  }
  Told<std::vector<CardDispute>> disputes(const std::string& id) override {
    return carried([&]() -> Told<std::vector<CardDispute>> { return made(id).disputes; });
  }
  Told<std::set<std::string>> followed_since(int64_t since_ns) override {
    return carried([&]() -> Told<std::set<std::string>> {
      std::set<std::string> ids;
      for (const auto& [key, made] : done_) {
        if (made.touched_ns >= since_ns) ids.insert(made.answer.id);
      }
      return ids;
    });
  }

  // What others do there.
  void refund_by_hand(const std::string& key, Amount amount, int64_t now_ns) {
    Made& m = done_.at(key);
    m.touched_ns = now_ns;
    m.refunds.push_back({.id = "re_hand_" + std::to_string(++by_hand_), .amount = amount});
    charged += -amount;
  }
  void give_back_refund(const std::string& key) {
    CardRefund& r = done_.at(key).refunds.back();
    r.is_void = true;
    charged += r.amount;
  }
  void dispute(const std::string& key, Amount amount, Amount fee, int64_t now_ns) {
    Made& m = done_.at(key);
    m.touched_ns = now_ns;
    const std::string id = "dp_" + std::to_string(++by_hand_);
    m.disputes.push_back({.id = id,
                          .reason = "fraudulent",
                          .currency = "EUR",
                          .amount = amount,
                          .moves = {{"txn_" + id + "_out", "EUR", -amount, fee}}});
    charged += -amount + -fee;
  }
  // Won, it comes back with the fee.
  void decide(const std::string& key, DisputeState state) {
    CardDispute& d = done_.at(key).disputes.back();
    d.state = state;
    if (state != DisputeState::won) return;
    d.moves.push_back({"txn_" + d.id + "_in", "EUR", d.amount, -d.moves[0].fee});
    charged += d.amount + d.moves[0].fee;
  }

  std::vector<PaymentState> declines;  // of the next charges
  std::function<void()> meanwhile;     // happens once, when a card is charged
  Amount charged;                      // and not gone again: what is with the processor
  int charges = 0;
  bool is_slow = false;  // it answers before it knows

 private:
  struct Made {
    CardCharge charge;
    CardAnswer answer;
    std::vector<CardRefund> refunds;
    std::vector<CardDispute> disputes;
    int64_t touched_ns = 0;
  };
  Made& made(const std::string& id) {
    for (auto& [key, made] : done_) {
      if (made.answer.id == id) return made;
    }
    throw std::logic_error("it was asked for " + id);
  }

  std::map<std::string, Made> done_;  // by key
  int by_hand_ = 0;
};

class Payments : public ClosingTest {
 protected:
  void SetUp() override {
    ClosingTest::SetUp();
    put("tariffs", {{"id", "t"}, {"currency", "EUR"}, {"items", {{{"id", "x"}, {"per_gb", "1"}}}}});
    profile({{"by", "card"}, {"retry_days", {3, 7}}, {"then", "suspend"}});
    card("pm_1");
    service_ = open_service("site-a", "acme", day(10, 1));
  }

  void profile(const json& payment) {
    put("profiles", {{"id", "carded"}, {"billing", {{"payment", payment}}}}, day(9, 2));
  }
  void card(const char* method, int64_t from_ns = day(9, 2)) {
    put("clients",
        {{"id", "acme"},
         {"tariff", "t"},
         {"profile", "carded"},
         {"card", {{"customer", "cus_1"}, {"method", method}}}},
        from_ns);
  }
  // A statement of so many GB of a month, which is so many EUR.
  void owe(unsigned month, uint64_t gb) {
    gateway("site-a").used(day(month, 5), service_, 1, gb * kGb);
    close(day(month + 1, 2));
  }

  PayingReport run(int64_t now_ns, Ledger* ledger = nullptr) {
    auto report = Payer(ledger != nullptr ? *ledger : *ledger_, &processor_).run(now_ns);
    EXPECT_TRUE(report.has_value()) << report.error();
    return report.value_or(PayingReport());
  }
  // Until nothing is open any more.
  void settle(int64_t now_ns) {
    for (int i = 0; i < 50 && !open_payments().empty(); ++i) run(now_ns += kDay);
    EXPECT_TRUE(open_payments().empty());
  }
  std::vector<Payment> payments(bool open_only = false) {
    return ledger_
        ->payments({.account = "client:acme",
                    .issuer = "",
                    .statement = "",
                    .key = "",
                    .processor_id = "",
                    .open_only = open_only})
        .value();
  }
  std::vector<Payment> open_payments() { return payments(true); }
  Amount balance(const std::string& account) { return ledger_->balance(account)["EUR"]; }
  // A month's statement of so many EUR, paid when it is issued: the payment. Months are numbered
  // on.
  Payment paid_month(unsigned number, uint64_t gb) {
    const int year = 2026 + static_cast<int>(number - 1) / 12;
    const unsigned m = (number - 1) % 12 + 1;
    gateway("site-a").used(day(m, 5, year), service_, 1, gb * kGb);
    issued_ = kBerlin.begin_ns(kBerlin.day_of(day(m, 28, year) + 10 * kDay));
    close(issued_);
    const auto moved = run(issued_).moved;
    EXPECT_EQ(moved.size(), 1u);
    return moved.empty() ? Payment() : moved.front();
  }
  void expect_cash_is_right() {
    EXPECT_EQ(balance("cash:cards"), processor_.charged);
    expect_sound(*ledger_);
  }
  void expect_paid_once(Amount amount) {
    EXPECT_EQ(processor_.charged, amount);
    EXPECT_EQ(balance("cash:cards"), amount);
    EXPECT_EQ(balance("client:acme"), Amount());
    expect_sound(*ledger_);
  }

  SimulatedProcessor processor_;
  uint64_t service_ = 0;
  int64_t issued_ = 0;
};

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

TEST_P(Payments, ARefundMadeAtTheProcessorIsPostedOnce) {
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
TEST_P(Payments, ARefundOfOursIsNotTakenForAnother) {
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

TEST_P(Payments, ARefundThatCameBackIsTakenBack) {
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

TEST_P(Payments, WhatIsDisputedIsHeldAndNotAskedForUntilItIsDecided) {
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

TEST_P(Payments, WhatIsLostInADisputeIsOwedAgainAndNotChargedToTheCard) {
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
TEST_P(Payments, WhateverFailsWhatFollowsIsPostedOnce) {
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
ANABRANCH_BOTH_STORES(Forgotten);

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
