// SPDX-License-Identifier: BSD-3-Clause
// What is paid ahead is reserved for gateways, used, and settled by statements; never twice.
#include <random>

#include "billing/credit.h"
#include "billing/payer.h"
#include "tests/billing/closing_fixture.h"
#include "tests/billing/faulty_store.h"

namespace anabranch::billing {
namespace {

using nlohmann::json;

constexpr uint64_t kGigabyte = 1'000'000'000;

class PaidAhead : public ClosingTest {
 protected:
  void SetUp() override {
    ClosingTest::SetUp();
    put("tariffs", {{"id", "t"}, {"currency", "EUR"}, {"items", {{{"id", "x"}, {"per_gb", "1"}}}}});
    put("profiles",
        {{"id", "ahead"}, {"billing", {{"payment", {{"by", "invoice"}, {"charge", "ahead"}}}}}});
    put("clients", {{"id", "acme"}, {"tariff", "t"}, {"profile", "ahead"}});
    service_ = open_service("site-a", "acme", day(10, 1));
  }

  void top_up(const char* amount, int64_t now_ns) {
    const auto paid =
        Payer(*ledger_, nullptr)
            .received({.account = "client:acme", .currency = "EUR", .amount = money(amount)},
                      "T" + std::to_string(++transfers_), now_ns);
    ASSERT_TRUE(paid.has_value()) << paid.error();
  }
  void used(int64_t at_ns, uint64_t gb) {
    gateway("site-a").used(at_ns, service_, 1, gb * kGigabyte);
  }
  Credit look(int64_t now_ns, CreditAsked asked = {}, const std::string& of = "acme") {
    Closer own = closer();
    const std::string account = "client:" + of;
    auto report = look_at_credit(*ledger_, own, "site-a", {{account, std::move(asked)}}, now_ns);
    if (!report) throw std::runtime_error(report.error());
    for (const auto& [name, problem] : report->problems) throw std::runtime_error(problem);
    return report->accounts.at(account);
  }
  Balance balance(int64_t now_ns) {
    Closer own = closer();
    return balances_of(*ledger_, &own, "", "client:acme", now_ns).value().at(0);
  }
  Reservation reserve(const std::string& gateway, Amount used, int64_t now_ns,
                      bool release = false) {
    return ledger_
        ->reserve({.account = "client:acme",
                   .gateway = gateway,
                   .currency = "EUR",
                   .from_ns = day(10, 1),
                   .used = used,
                   .reserved = {},
                   .until_ns = now_ns + kHour},
                  now_ns, release)
        .value();
  }

  uint64_t service_ = 0;
  int transfers_ = 0;
};

TEST_P(PaidAhead, IsReservedUsedAndSettled) {
  gateway("site-a").used(day(10, 1), kHouse, 2, 1000);  // there is a journal
  EXPECT_EQ(look(day(10, 2)).reservation.reserved, Amount());
  top_up("20", day(10, 3));
  EXPECT_EQ(look(day(10, 3)).reservation.reserved, money("20"));
  used(day(10, 4), 15);
  Credit now = look(day(10, 5));
  EXPECT_TRUE(now.is_priced);
  EXPECT_EQ(now.used.amount, money("15"));
  EXPECT_EQ(now.reservation.reserved, money("5"));
  // What is known, and an estimate of what came since.
  now = look(day(10, 5), {.used = now.used, .since = money("3")});
  EXPECT_FALSE(now.is_priced);
  EXPECT_EQ(now.reservation.reserved, money("2"));
  EXPECT_EQ(balance(day(10, 5)).reserved, money("2"));
  used(day(10, 6), 7);
  EXPECT_EQ(look(day(10, 7)).reservation.reserved, Amount());
  EXPECT_EQ(to_json(balance(day(10, 7))), json({{"currency", "EUR"},
                                                {"credit", "20.00"},
                                                {"used", "22.00"},
                                                {"left", "-2.00"},
                                                {"reserved", "0.00"}}));
  top_up("10", day(10, 8));
  const Credit before = look(day(10, 8));
  EXPECT_EQ(before.reservation.reserved, money("8"));
  close(day(11, 2));
  EXPECT_EQ(ledger_->balance("client:acme")["EUR"], money("-8"));
  // Who knows of what was used before says so in vain: it is priced again.
  const Credit after = look(day(11, 2), {.used = before.used});
  EXPECT_TRUE(after.is_priced);
  EXPECT_EQ(after.used.amount, Amount());
  EXPECT_EQ(after.reservation.reserved, money("8"));
  expect_sound(*ledger_);
}

TEST_P(PaidAhead, WhoHasNoServicesHereAnyMoreHoldsNothing) {
  used(day(10, 2), 1);
  top_up("20", day(10, 3));
  EXPECT_EQ(look(day(10, 3)).reservation.reserved, money("19"));
  EXPECT_EQ(look(day(10, 3), {.used = {}, .since = {}, .has_services = false}).reservation.reserved,
            Amount());
  EXPECT_EQ(balance(day(10, 3)).reserved, Amount());
  EXPECT_EQ(balance(day(10, 3)).used, money("1"));
}

TEST_P(PaidAhead, WhatAGatewayDoesNotComeBackForIsFreeAgain) {
  add_gateway("site-b");
  open_service("site-b", "acme", day(10, 1));
  top_up("20", day(10, 1));
  const int64_t now = day(10, 2);
  EXPECT_EQ(reserve("site-a", {}, now).reserved, money("10"));
  EXPECT_EQ(reserve("site-b", {}, now).reserved, money("5"));
  const Reservation b = reserve("site-b", money("1"), now + 2 * kHour);
  EXPECT_EQ(b.held, Amount());
  EXPECT_EQ(b.reserved, money("9.5"));
}

// Three gateways, of which each uses at most what it has reserved: together never more than was
// paid, whatever comes in between.
TEST_P(PaidAhead, GatewaysTogetherNeverUseMoreThanWasPaid) {
  const std::vector<std::string> sites{"site-a", "site-b", "site-c"};
  for (size_t i = 1; i < sites.size(); ++i) {
    add_gateway(sites[i]);
    open_service(sites[i], "acme", day(10, 1));
  }
  std::mt19937_64 random(11);
  std::map<std::string, Amount> used, reserved;
  Amount paid;
  int64_t now = day(10, 1);
  const auto sum = [](const std::map<std::string, Amount>& all) {
    Amount total;
    for (const auto& [name, amount] : all) total += amount;
    return total;
  };
  for (int step = 0; step < 300; ++step) {
    now += 1'000'000'000;
    const std::string& site = sites[random() % sites.size()];
    if (random() % 10 == 0) {
      top_up("3", now);
      paid += money("3");
    }
    const Amount use =
        Amount::from_attos(reserved[site].attos() * static_cast<Int128>(random() % 101) / 100);
    used[site] += use;
    const bool release = random() % 12 == 0;
    const Reservation r = reserve(site, used[site], now, release);
    reserved[site] = r.reserved;
    ASSERT_EQ(r.credit, paid);
    ASSERT_LE(sum(used) + sum(reserved), paid);
    ASSERT_EQ(release ? Amount() : r.reserved, r.reserved);
  }
  EXPECT_GT(sum(used), Amount::from_attos(paid.attos() / 2)) << "it is used, too";
}

// Said again after an error, it is as if it had been said once.
TEST_P(PaidAhead, WhateverTheLedgerDoesItIsReservedOnce) {
  using Fault = FaultyStore::Fault;
  used(day(10, 2), 4);
  top_up("20", day(10, 3));
  for (const Fault fault : {Fault::error, Fault::busy, Fault::lost_before, Fault::lost_after}) {
    auto store = std::make_unique<FaultyStore>(Store::open(where_).value(), fault, UINT64_MAX);
    FaultyStore* raw = store.get();
    Ledger faulty = Ledger::open(std::move(store), "site-a").value();
    Closer own = closer({}, &faulty);
    bool failed = true;
    for (uint64_t n = 1; failed; ++n) {
      raw->arm(n);
      (void)look_at_credit(faulty, own, "site-a", {{"client:acme", {}}}, day(10, 4));
      failed = raw->failed();
      raw->arm(UINT64_MAX);
      const auto all = ledger_->drawings("client:acme", day(10, 4)).value();
      ASSERT_LE(all.size(), 1u);
      if (!all.empty()) {
        ASSERT_EQ(all[0].used + all[0].reserved, money("20")) << "step " << n;
      }
      ASSERT_EQ(look(day(10, 4)).reservation.reserved, money("16")) << "step " << n;
    }
  }
  expect_sound(*ledger_);
}

TEST_P(PaidAhead, WhoDoesNotPayAheadIsNoneOfThese) {
  put("clients", {{"id", "bolt"}, {"tariff", "t"}, {"profile", "plain"}});
  Closer own = closer();
  const auto report = look_at_credit(*ledger_, own, "site-a",
                                     {{"client:bolt", {}}, {"client:nobody", {}}}, day(10, 2));
  ASSERT_TRUE(report.has_value()) << report.error();
  EXPECT_TRUE(report->accounts.empty());
  EXPECT_EQ(report->problems.count("client:nobody"), 1u);
}

ANABRANCH_BOTH_STORES(PaidAhead);

}  // namespace
}  // namespace anabranch::billing
