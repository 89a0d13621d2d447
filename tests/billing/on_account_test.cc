// SPDX-License-Identifier: BSD-3-Clause
// Cards are charged on account at a threshold and ahead, once each time, whatever fails on the way;
// and statements come to what they would have come to without.
#include <sys/mman.h>

#include <array>
#include <cstring>

#include "billing/on_account.h"
#include "tests/billing/closing_fixture.h"
#include "tests/billing/faulty_processor.h"
#include "tests/billing/faulty_store.h"

namespace anabranch::billing {
namespace {

using nlohmann::json;
using StoreFault = FaultyStore::Fault;

constexpr uint64_t kOneGb = 1'000'000'000;

// A processor that outlives the processes that ask it: what it did is in memory that they share.
class SharedCards : public FaultyProcessor {
 public:
  SharedCards()
      : done_(static_cast<Done*>(mmap(nullptr, sizeof(Done), PROT_READ | PROT_WRITE,
                                      MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {}
  ~SharedCards() override { munmap(done_, sizeof(Done)); }
  SharedCards(const SharedCards&) = delete;
  SharedCards& operator=(const SharedCards&) = delete;

  void decline(bool all) { declines_ = all; }
  Amount charged() const {
    Int128 sum = 0;
    for (size_t i = 0; i < done_->count; ++i)
      if (done_->all[i].succeeded) sum += done_->all[i].cents;
    return Amount::from_attos(sum * (kAttosPerUnit / 100));
  }
  size_t charges() const { return done_->count; }

  CardAnswer charge(const CardCharge& c) override {
    return carried([&] {
      if (find_done(c.key) == nullptr) {
        One& one = done_->all.at(done_->count);
        strncpy(one.key, c.key.c_str(), sizeof(one.key) - 1);
        one.cents = static_cast<int64_t>(c.amount.attos() / (kAttosPerUnit / 100));
        one.succeeded = !declines_;
        ++done_->count;
      }
      return answer(*find_done(c.key));
    });
  }
  CardAnswer find(const CardCharge& c, const std::string&) override {
    return carried([&] {
      const One* one = find_done(c.key);
      return one == nullptr ? CardAnswer{.state = PaymentState::pending, .absent = true}
                            : answer(*one);
    });
  }
  CardAnswer refund(const std::string&, const std::string& key, Amount,
                    const std::string&) override {
    return {.state = PaymentState::succeeded, .id = "re_" + key};
  }
  // Nobody else does anything there.
  Told<std::vector<EarlierCharge>> earlier(const CardCharge&) override {
    return std::vector<EarlierCharge>();
  }
  Told<std::vector<CardRefund>> refunds(const std::string&, const std::string&) override {
    return std::vector<CardRefund>();
  }
  Told<std::vector<CardDispute>> disputes(const std::string&) override {
    return std::vector<CardDispute>();
  }
  Told<std::set<std::string>> followed_since(int64_t) override { return std::set<std::string>(); }

 private:
  struct One {
    char key[100];
    int64_t cents;
    bool succeeded;
  };
  struct Done {
    size_t count;
    std::array<One, 4000> all;
  };
  static CardAnswer answer(const One& one) {
    return {.state = one.succeeded ? PaymentState::succeeded : PaymentState::failed,
            .id = std::string("pi_") + one.key,
            .later = !one.succeeded};
  }
  const One* find_done(const std::string& key) const {
    for (size_t i = 0; i < done_->count; ++i)
      if (key == done_->all[i].key) return &done_->all[i];
    return nullptr;
  }
  Done* done_;
  bool declines_ = false;
};

class PaidOnAccount : public ClosingTest {
 protected:
  void SetUp() override {
    ClosingTest::SetUp();
    put("tariffs", {{"id", "t"}, {"currency", "EUR"}, {"items", {{{"id", "x"}, {"per_gb", "1"}}}}});
    put("clients", {{"id", "acme"},
                    {"tariff", "t"},
                    {"profile", "carded"},
                    {"card", {{"customer", "cus_1"}, {"method", "pm_1"}}}});
    service_ = open_service("site-a", "acme", day(10, 1));
  }
  void terms(json payment) {
    payment["by"] = "card";
    put("profiles", {{"id", "carded"}, {"billing", {{"payment", payment}}}});
  }
  void used(int64_t at_ns, uint64_t gb) {
    gateway("site-a").used(at_ns, service_, 1, gb * kOneGb);
    used_ += Amount::from_attos(Int128{gb} * kAttosPerUnit);
  }

  // As the closing service does.
  std::vector<Payment> pay(Ledger& ledger, int64_t now_ns) {
    Payer payer(ledger, &cards_);
    auto report = payer.run(now_ns);
    if (!report) return {};
    auto moved = report->moved;
    const auto find = [&](const std::set<std::string>& names) {
      return closer({}, &ledger).unbilled(names, now_ns);
    };
    auto more = OnAccount(ledger, payer).run(find, now_ns);
    if (!more) return moved;
    for (const auto& [account, problem] : more->problems) problems_.push_back(problem);
    moved.insert(moved.end(), more->moved.begin(), more->moved.end());
    return moved;
  }
  std::vector<Payment> pay(int64_t now_ns) { return pay(*ledger_, now_ns); }
  // Until nothing is open any more. The last time that it looked.
  int64_t settle(int64_t now_ns) {
    const auto open = [&] {
      return !ledger_->payments({.account = "client:acme", .open_only = true}).value().empty();
    };
    for (int i = 0; i < 30 && open(); ++i) pay(now_ns += kHour);
    EXPECT_FALSE(open());
    return now_ns;
  }
  Amount balance(const std::string& account) { return ledger_->balance(account)["EUR"]; }
  Amount unbilled(int64_t now_ns) {
    const auto report = closer().unbilled({"client:acme"}, now_ns).value();
    const auto found = report.accounts.find("client:acme");
    return found == report.accounts.end() ? Amount() : found->second.amount;
  }
  // What was charged is what is posted, and together with what is not stated it is what was used.
  void expect_charged(Amount amount, int64_t now_ns) {
    EXPECT_EQ(cards_.charged(), amount);
    EXPECT_EQ(balance("cash:cards"), amount);
    EXPECT_EQ(balance("client:acme") + unbilled(now_ns), used_ + -amount);
  }

  SharedCards cards_;
  uint64_t service_ = 0;
  Amount used_;  // by the price of a euro a gigabyte
  std::vector<std::string> problems_;
};

TEST_P(PaidOnAccount, EachTimeAThresholdIsReachedTheCardIsChargedOnce) {
  terms({{"charge", "threshold"}, {"threshold", "10"}});
  used(day(10, 5), 9);
  EXPECT_TRUE(pay(day(10, 6)).empty());
  used(day(10, 6), 2);
  const auto paid = pay(day(10, 7));
  ASSERT_EQ(paid.size(), 1u);
  EXPECT_EQ(paid[0].key, "acme-account-1");
  EXPECT_EQ(paid[0].statement, "");
  expect_charged(money("11"), day(10, 7));
  EXPECT_TRUE(pay(day(10, 7)).empty());
  used(day(10, 8), 9);
  EXPECT_TRUE(pay(day(10, 9)).empty());
  used(day(10, 9), 1);
  EXPECT_EQ(pay(day(10, 10)).size(), 1u);
  expect_charged(money("21"), day(10, 10));
  used(day(10, 11), 3);
  close(day(11, 2));
  ASSERT_EQ(statements("client:acme").size(), 1u);
  EXPECT_EQ(statements("client:acme")[0].at("gross"), "24.00");
  EXPECT_EQ(octets_stated(), octets_used());
  // What is left of it is charged when it is issued, as that of anybody.
  const auto rest = pay(day(11, 2));
  ASSERT_EQ(rest.size(), 1u);
  EXPECT_EQ(rest[0].statement, "2026-000001");
  EXPECT_EQ(rest[0].amount, money("3"));
  EXPECT_EQ(balance("client:acme"), Amount());
  expect_sound(*ledger_);
}

TEST_P(PaidOnAccount, TiersAreOfTheWholePeriodHoweverOftenItWasCharged) {
  put("tariffs",
      {{"id", "t"},
       {"currency", "EUR"},
       {"tax", {{"category", "S"}, {"percent", "19"}}},
       {"items",
        {{{"id", "x"},
          {"graduated", {{{"up_to_gb", "5"}, {"per_gb", "1.00"}}, {{"per_gb", "0.37"}}}}}}}});
  terms({{"charge", "threshold"}, {"threshold", "2"}});
  Amount charged;
  for (unsigned d = 2; d < 12; ++d) {
    used(day(10, d), 2);
    for (const Payment& p : pay(day(10, d) + kHour)) charged += p.amount;
  }
  EXPECT_GT(cards_.charges(), 3u);
  close(day(11, 2));
  pay(day(11, 2));
  // (5 × 1.00 + 15 × 0.37) × 1.19
  EXPECT_EQ(gross("client:acme"), money("12.55"));
  EXPECT_EQ(cards_.charged(), money("12.55"));
  EXPECT_EQ(balance("client:acme"), Amount());
}

TEST_P(PaidOnAccount, WhatIsUsedWhileAPeriodWaitsToBeClosedCounts) {
  terms({{"charge", "threshold"}, {"threshold", "10"}});
  used(day(10, 20), 5);
  // Half of it is of October.
  gateway("site-a").used(day(11, 1) + kHour, service_, 1, 6 * kOneGb, 2 * kHour);
  used_ += money("6");
  EXPECT_EQ(pay(day(11, 1) + 2 * kHour).size(), 1u);
  expect_charged(money("11"), day(11, 1) + 2 * kHour);
  close(day(11, 2));
  EXPECT_EQ(gross("client:acme"), money("8"));
  EXPECT_TRUE(pay(day(11, 2)).empty());
  expect_charged(money("11"), day(11, 2));
  used(day(11, 2) + kHour, 9);
  EXPECT_TRUE(pay(day(11, 2) + 2 * kHour).empty());
  used(day(11, 2) + 3 * kHour, 1);
  EXPECT_EQ(pay(day(11, 2) + 4 * kHour).size(), 1u);
  expect_charged(money("21"), day(11, 2) + 4 * kHour);
}

// Each call of the processor goes wrong in each way; the next crossing is another one.
TEST_P(PaidOnAccount, WhateverTheProcessorDoesACrossingIsChargedOnce) {
  using How = SharedCards::Fault;
  terms({{"charge", "threshold"}, {"threshold", "10"}});
  int64_t now = day(10, 1);
  Amount charged;
  for (const How how :
       {How::not_reached, How::lost_before, How::lost_after, How::crash_before, How::crash_after}) {
    for (uint64_t n = 1; n <= 3; ++n) {
      used(now += kHour, 10 + n);
      charged += Amount::from_attos(Int128{10 + n} * kAttosPerUnit);
      cards_.arm(how, n);
      for (int i = 0; i < 4; ++i) {
        try {
          pay(now += kHour);
        } catch (const Crash&) {
        }
      }
      cards_.arm(How::none, UINT64_MAX);
      now = settle(now);
      pay(now);
      ASSERT_NO_FATAL_FAILURE(expect_charged(charged, now)) << static_cast<int>(how) << " " << n;
    }
  }
  expect_sound(*ledger_);
}

// Each step of the store fails, in each way; and a process is killed at it, for good.
TEST_P(PaidOnAccount, WhateverTheLedgerDoesACrossingIsChargedOnce) {
  terms({{"charge", "threshold"}, {"threshold", "10"}});
  int64_t now = day(10, 1);
  Amount charged;
  for (const StoreFault fault :
       {StoreFault::error, StoreFault::busy, StoreFault::lost_before, StoreFault::lost_after}) {
    auto store = std::make_unique<FaultyStore>(Store::open(where_).value(), fault, UINT64_MAX);
    FaultyStore* raw = store.get();
    Ledger faulty = Ledger::open(std::move(store), "site-a").value();
    bool failed = true;
    for (uint64_t n = 1; failed; n += 1 + n / 6) {
      used(now += kHour / 60, 10);
      charged += money("10");
      raw->arm(n);
      pay(faulty, now += kHour / 60);
      failed = raw->failed();
      raw->arm(UINT64_MAX);
      pay(now += kHour / 60);
      now = settle(now);
      ASSERT_NO_FATAL_FAILURE(expect_charged(charged, now)) << "step " << n;
    }
  }
}

TEST_P(PaidOnAccount, KilledAtAnyStepACrossingIsChargedOnce) {
  terms({{"charge", "threshold"}, {"threshold", "10"}});
  int64_t now = day(10, 1);
  Amount charged;
  for (const auto how : {StoreFault::kill_before, StoreFault::kill_after}) {
    bool killed = true;
    for (uint64_t n = 1; killed; n += 1 + n / 6) {
      used(now += kHour / 60, 10);
      charged += money("10");
      now += kHour / 60;
      const pid_t child = fork();
      ASSERT_GE(child, 0);
      if (child == 0) {
        Ledger faulty =
            Ledger::open(std::make_unique<FaultyStore>(Store::open(where_).value(), how, n),
                         "site-a")
                .value();
        pay(faulty, now);
        _exit(0);
      }
      int status = 0;
      waitpid(child, &status, 0);
      killed = !WIFEXITED(status) || WEXITSTATUS(status) != 0;
      pay(now += kHour / 60);
      now = settle(now);
      ASSERT_NO_FATAL_FAILURE(expect_charged(charged, now)) << "step " << n;
    }
  }
  expect_sound(*ledger_);
}

// Two programs that see the same, and one that has seen less than there is.
TEST_P(PaidOnAccount, WhoeverLooksAtTheSameTimeChargesOnce) {
  terms({{"charge", "threshold"}, {"threshold", "10"}});
  used(day(10, 5), 12);
  Ledger other = open("site-a");
  Payer a(*ledger_, &cards_), b(other, &cards_);
  const auto of_other = [&](const std::set<std::string>& names) {
    return closer({}, &other).unbilled(names, day(10, 6));
  };
  // While the one asks what was used, the other does all of it.
  const auto report =
      OnAccount(*ledger_, a)
          .run(
              [&](const std::set<std::string>& names) {
                EXPECT_EQ(OnAccount(other, b).run(of_other, day(10, 6)).value().moved.size(), 1u);
                return closer().unbilled(names, day(10, 6));
              },
              day(10, 6));
  ASSERT_TRUE(report.has_value()) << report.error();
  expect_charged(money("12"), day(10, 6));
  // A transfer arrives in between: it is not charged on top of it.
  used(day(10, 7), 12);
  const auto late =
      OnAccount(*ledger_, a)
          .run(
              [&](const std::set<std::string>& names) {
                EXPECT_TRUE(
                    b.received({.account = "client:acme", .currency = "EUR", .amount = money("12")},
                               "T1", day(10, 8)));
                return closer().unbilled(names, day(10, 8));
              },
              day(10, 8));
  ASSERT_TRUE(late.has_value()) << late.error();
  EXPECT_NE(late->problems.at("client:acme").find("has paid meanwhile"), std::string::npos);
  EXPECT_EQ(cards_.charged(), money("12"));
  EXPECT_TRUE(pay(day(10, 9)).empty());
}

TEST_P(PaidOnAccount, ADeclinedCardIsTriedAgainOnTheDaysOfTheProfile) {
  terms({{"charge", "threshold"}, {"threshold", "10"}, {"retry_days", {2, 4}}});
  used(day(10, 5), 12);
  cards_.decline(true);
  const int64_t first = day(10, 6);
  EXPECT_EQ(pay(first).size(), 1u);
  EXPECT_TRUE(pay(first + kDay).empty());
  EXPECT_EQ(pay(first + 2 * kDay).size(), 1u);
  EXPECT_EQ(pay(first + 4 * kDay).size(), 1u);
  EXPECT_TRUE(pay(first + 9 * kDay).empty());
  // By hand it is, and from there on by itself again.
  cards_.decline(false);
  Payer payer(*ledger_, &cards_);
  ASSERT_TRUE(OnAccount(*ledger_, payer).pay("client:acme", "EUR", money("5"), first + 9 * kDay));
  used(day(10, 16), 3);
  EXPECT_EQ(pay(day(10, 17)).size(), 1u);
  expect_charged(money("15"), day(10, 17));
}

TEST_P(PaidOnAccount, AheadTheCardIsChargedBelowTheFloorAndStatementsAreSettledFromIt) {
  terms({{"charge", "ahead"}, {"top_up", "20"}, {"floor", "5"}});
  gateway("site-a").used(day(10, 1), kHouse, 2, 1000);  // there is a journal
  EXPECT_EQ(pay(day(10, 1)).size(), 1u) << "nothing is there to begin with";
  EXPECT_EQ(balance("client:acme"), money("-20"));
  used(day(10, 5), 15);
  EXPECT_TRUE(pay(day(10, 6)).empty());
  used(day(10, 6), 1);
  EXPECT_EQ(pay(day(10, 7)).size(), 1u);
  expect_charged(money("40"), day(10, 7));
  // More than a sum is missing: as many as it takes.
  used(day(10, 8), 70);
  const auto paid = pay(day(10, 9));
  ASSERT_EQ(paid.size(), 1u);
  EXPECT_EQ(paid[0].amount, money("60"));
  close(day(11, 2));
  EXPECT_TRUE(pay(day(11, 2)).empty()) << "the statement is paid already";
  EXPECT_EQ(gross("client:acme"), money("86"));
  EXPECT_EQ(balance("client:acme"), money("-14"));
  expect_charged(money("100"), day(11, 2));
  expect_sound(*ledger_);
}

TEST_P(PaidOnAccount, WhoPaysForAnotherIsChargedForWhatThatOneUses) {
  terms({{"charge", "threshold"}, {"threshold", "10"}});
  put("clients", {{"id", "shop"},
                  {"tariff", "t"},
                  {"profile", "carded"},
                  {"paid_by", "acme"},
                  {"card", {{"customer", "cus_2"}, {"method", "pm_2"}}}});
  const auto shop = open_service("site-a", "shop", day(10, 1));
  used(day(10, 5), 4);
  gateway("site-a").used(day(10, 5), shop, 1, 7 * kOneGb);
  const auto paid = pay(day(10, 6));
  ASSERT_EQ(paid.size(), 1u);
  EXPECT_EQ(paid[0].account, "client:acme");
  EXPECT_EQ(paid[0].amount, money("11"));
  close(day(11, 2));
  EXPECT_TRUE(pay(day(11, 2)).empty());
  EXPECT_EQ(balance("client:acme"), Amount());
  EXPECT_EQ(balance("client:shop"), Amount());
}

TEST_P(PaidOnAccount, WhatWasGivenBackIsNotTakenAgainByItself) {
  terms({{"charge", "ahead"}, {"top_up", "20"}, {"floor", "5"}});
  used(day(10, 1), 1);
  const auto paid = pay(day(10, 1));
  ASSERT_EQ(paid.size(), 1u);
  Payer payer(*ledger_, &cards_);
  ASSERT_TRUE(payer.refund(paid[0].key, money("18"), day(10, 2)));
  EXPECT_EQ(balance("client:acme"), money("-2"));
  EXPECT_TRUE(pay(day(10, 3)).empty());
  // Who pays by hand goes on so.
  ASSERT_TRUE(OnAccount(*ledger_, payer).pay("client:acme", "EUR", money("5"), day(10, 4)));
  used(day(10, 5), 3);
  EXPECT_EQ(pay(day(10, 5)).size(), 1u);
}

ANABRANCH_BOTH_STORES(PaidOnAccount);

TEST(PaymentTerms, SayWhenTheyCharge) {
  const auto mistakes = [](json document) {
    DocumentErrors errors;
    const PaymentTerms terms = read_payment_terms(document, "", errors);
    if (errors.empty()) {
      DocumentErrors again;
      EXPECT_EQ(read_payment_terms(to_json(terms), "", again), terms);
      EXPECT_TRUE(again.empty());
    }
    std::string all;
    for (const auto& e : errors) all += e.pointer + " ";
    return all;
  };
  EXPECT_EQ(mistakes({{"by", "card"}, {"charge", "threshold"}, {"threshold", "10"}}), "");
  EXPECT_EQ(mistakes({{"by", "card"}, {"charge", "ahead"}, {"top_up", "10"}, {"floor", "2.50"}}),
            "");
  EXPECT_EQ(
      mistakes({{"by", "invoice"}, {"charge", "ahead"}, {"used_up", "slow"}, {"slow_kbps", 128}}),
      "");
  EXPECT_EQ(mistakes({{"by", "invoice"}, {"charge", "threshold"}, {"threshold", "10"}}),
            "/charge ");
  EXPECT_EQ(mistakes({{"by", "card"}, {"charge", "threshold"}}), "/threshold ");
  EXPECT_EQ(mistakes({{"by", "card"}, {"charge", "ahead"}}), "/top_up ");
  EXPECT_EQ(mistakes({{"by", "card"}, {"charge", "ahead"}, {"top_up", "0"}}), "/top_up ");
  EXPECT_EQ(mistakes({{"by", "invoice"}, {"charge", "ahead"}, {"top_up", "5"}}), "/top_up ");
  EXPECT_EQ(mistakes({{"by", "card"}, {"threshold", "10"}, {"used_up", "stop"}, {"slow_kbps", 64}}),
            "/threshold /used_up /slow_kbps ");
}

}  // namespace
}  // namespace anabranch::billing
