// SPDX-License-Identifier: BSD-3-Clause
// Double entry, what is never changed, and what closing stores.
#include "billing/ledger.h"

#include <random>

#include "tests/billing/ledger_fixture.h"

namespace anabranch::billing {
namespace {

Transaction sale(const std::string& id, const char* amount, const char* credit) {
  return {
      .id = id,
      .wall_ns = kJanuary,
      .purpose = "test",
      .party = "client:acme",
      .corrects = "",
      .entries = {{"client:acme", "EUR", money(amount)}, {"revenue:alpha", "EUR", money(credit)}}};
}

TEST_P(LedgerTest, ATransactionMustAddUpToZeroInEachCurrency) {
  Ledger ledger = open();
  EXPECT_EQ(ledger.post(sale("a", "1", "-0.999999999999999999")).error().kind, Failure::refused);
  Transaction mixed = sale("b", "1", "-1");
  mixed.entries[1].currency = "USD";
  EXPECT_NE(ledger.post(mixed).error().text.find("add up to 1.00"), std::string::npos);
  for (const char* account : {"acme", "client:", "bank:x", "client:a\nb"}) {
    Transaction t = sale("c", "1", "-1");
    t.entries[0].account = account;
    EXPECT_FALSE(ledger.post(t)) << account;
  }
  EXPECT_FALSE(ledger.post({.id = "d", .entries = {}}));
  EXPECT_TRUE(ledger.balances()->empty());
  // The database looks for itself.
  Store& store = ledger.store();
  ASSERT_TRUE(ledger.post(sale("e", "1", "-1")));
  const auto unbalanced = store.transact(Store::Mode::write, [&] {
    return store.run("INSERT INTO postings VALUES(9, 1, 'client:acme', 'EUR', $1, 0)", money("5"))
        .and_then(
            [&] { return store.run("INSERT INTO transactions VALUES(9, 'x', 0, '', '', NULL)"); });
  });
  EXPECT_EQ(unbalanced.error().kind, Failure::refused) << unbalanced.error().text;
  const auto unsealed = store.transact(Store::Mode::write, [&] {
    return store.run("INSERT INTO postings VALUES(9, 1, 'client:acme', 'EUR', $1, 0)", money("5"));
  });
  EXPECT_EQ(unsealed.error().kind, Failure::refused) << unsealed.error().text;
  EXPECT_FALSE(store.run("INSERT INTO transactions VALUES(9, 'x', 0, '', '', NULL)"));
  EXPECT_FALSE(store.transact(Store::Mode::write, [&] {
    return store.run("INSERT INTO postings VALUES(1, 3, 'client:acme', 'EUR', $1, 0)", money("5"));
  }));
  EXPECT_EQ(ledger.balance("client:acme").at("EUR"), money("1"));
  expect_sound(ledger);
}

TEST_P(LedgerTest, TheSameTransactionIsPostedOnce) {
  Ledger ledger = open();
  const auto first = ledger.post(sale("a", "1.5", "-1.5")).value();
  EXPECT_FALSE(first.repeated);
  const auto again = ledger.post(sale("a", "1.50", "-1.50")).value();
  EXPECT_TRUE(again.repeated);
  EXPECT_EQ(again.number, first.number);
  EXPECT_EQ(ledger.post(sale("a", "2", "-2")).error().kind, Failure::refused);
  EXPECT_EQ(ledger.balance("client:acme").at("EUR"), money("1.5"));
  const auto found = ledger.transaction("a").value().value();
  EXPECT_EQ(found.entries, sale("a", "1.5", "-1.5").entries);
  EXPECT_FALSE(ledger.transaction("b").value().has_value());
}

TEST_P(LedgerTest, ACorrectionIsANewTransactionThatRefersToTheOld) {
  Ledger ledger = open();
  ASSERT_TRUE(ledger.post(sale("a", "1.5", "-1.5")));
  Transaction correction = sale("a:corrected", "-0.5", "0.5");
  correction.corrects = "nothing";
  EXPECT_EQ(ledger.post(correction).error().kind, Failure::refused);
  correction.corrects = "a";
  ASSERT_TRUE(ledger.post(correction));
  EXPECT_EQ(ledger.transaction("a:corrected").value()->corrects, "a");
  EXPECT_EQ(ledger.balance("client:acme").at("EUR"), money("1"));
}

TEST_P(LedgerTest, TheDatabaseItselfKeepsWhatWasPostedAndIssued) {
  Ledger ledger = open();
  ASSERT_TRUE(ledger.close(month("acme", 0)));
  ASSERT_TRUE(ledger.put_tariff(tariff("std", "1")));
  ASSERT_TRUE(ledger.put_document("profiles", "x", "{}", 1));
  ASSERT_TRUE(ledger.path_id("fibre", "alpha", "net"));
  ASSERT_TRUE(ledger.open_service("acme", tariff("std", "1"), "{}", 1));
  const ProviderClaim claim{"here", "fibre", 0, 1, 1, "EUR", money("1")};
  ASSERT_TRUE(ledger.put_claims("alpha", "bill 1", std::span(&claim, 1), 1));
  Store& store = ledger.store();
  const std::pair<const char*, const char*> columns[] = {
      {"postings", "line = 7"},      {"transactions", "purpose = 'x'"}, {"accounts", "kind = 'x'"},
      {"statements", "hash = 'x'"},  {"documents", "text = 'x'"},       {"tariffs", "text = 'x'"},
      {"paths", "name = 'x'"},       {"provider_usage", "octets = 7"},  {"claims", "octets = 7"},
      {"periods", "state = 'open'"}, {"meters", "octets_from = 7"}};
  for (const auto& [table, change] : columns) {
    ASSERT_NE(store.read("SELECT count(*) FROM " + std::string(table))->front().integer(0), 0);
    const auto update = store.run("UPDATE " + std::string(table) + " SET " + change);
    ASSERT_FALSE(update.has_value()) << table;
    EXPECT_EQ(update.error().kind, Failure::refused) << update.error().text;
    const auto removal = store.run("DELETE FROM " + std::string(table));
    ASSERT_FALSE(removal.has_value()) << table;
    EXPECT_EQ(removal.error().kind, Failure::refused) << removal.error().text;
    if (!lite()) {
      EXPECT_FALSE(store.run("TRUNCATE " + std::string(table) + " CASCADE")) << table;
      continue;
    }
    if (std::string(table) != "periods" && std::string(table) != "meters") {
      EXPECT_FALSE(
          store.run("INSERT OR REPLACE INTO " + std::string(table) + " SELECT * FROM " + table))
          << table;
    }
  }
  expect_sound(ledger);
}

TEST_P(LedgerTest, AmountsAreExactTo128Bits) {
  Ledger ledger = open();
  const char* large = "999999999999999.999999999999999999";
  const char* least = "0.000000000000000001";
  for (int i = 0; i < 1000; ++i) {
    Transaction t = sale(std::to_string(i), large, (std::string("-") + large).c_str());
    t.entries.push_back({"client:small", "EUR", money(least)});
    t.entries.push_back({"revenue:beta", "EUR", -money(least)});
    ASSERT_TRUE(ledger.post(t));
  }
  EXPECT_EQ(to_text(ledger.balance("client:acme").at("EUR")), "999999999999999999.999999999999999");
  EXPECT_EQ(to_text(ledger.balance("client:small").at("EUR")), "0.000000000000001");
  Transaction more = sale("more", "1", "-1");
  more.entries[0].amount = Amount::from_attos(Int128{1'000'000'000'000'000} * kAttosPerUnit);
  more.entries[1].amount = -more.entries[0].amount;
  EXPECT_EQ(ledger.post(more).error().kind, Failure::refused);
  expect_sound(ledger);
}

TEST_P(LedgerTest, BalancesAndMarginsByAccountCurrencyAndTime) {
  Ledger ledger = open();
  ASSERT_TRUE(ledger.close(month("acme", 0)));
  ASSERT_TRUE(ledger.close(month("acme", 1)));
  ASSERT_TRUE(ledger.close(month("zeta", 1, /*meters=*/0)));
  EXPECT_EQ(ledger.balance("client:acme", kJanuary + 30 * kDay)->size(), 0u);
  EXPECT_EQ(ledger.balance("client:acme", kJanuary + 30 * kDay + 1)->at("EUR"), money("11.90"));
  EXPECT_EQ(ledger.balance("client:acme").at("EUR"), money("23.80"));
  const auto all = ledger.balances().value();
  EXPECT_EQ(all.at("payable:alpha").at("EUR"), money("-9.000000000000000003"));
  EXPECT_EQ(all.at("payable:beta").at("USD"), money("-3"));
  EXPECT_EQ(all.at("tax:vat").at("EUR"), money("-5.70"));
  const auto margin = ledger.margin(kJanuary, kJanuary + 45 * kDay).value();  // one month of acme
  ASSERT_EQ(margin.size(), 3u);  // acme with alpha in EUR; with beta in EUR and in USD
  EXPECT_EQ(margin[0].party, "client:acme");
  EXPECT_EQ(margin[0].provider, "alpha");
  EXPECT_EQ(margin[0].margin(), money("2.999999999999999999"));
  EXPECT_EQ(margin[1].currency, "EUR");
  EXPECT_EQ(margin[1].margin(), money("4"));
  EXPECT_EQ(margin[2].margin(), money("-1"));
  expect_sound(ledger);
}

TEST_P(LedgerTest, APeriodIsClosedOnce) {
  Ledger ledger = open();
  ASSERT_TRUE(ledger.set_period("client:acme", kJanuary, kJanuary + 30 * kDay, PeriodState::open));
  ASSERT_TRUE(
      ledger.set_period("client:acme", kJanuary, kJanuary + 30 * kDay, PeriodState::closing));
  EXPECT_FALSE(ledger.set_period("client:acme", kJanuary, kJanuary + 30 * kDay, PeriodState::open));
  const Closing first = ledger.close(month("acme", 0)).value();
  EXPECT_FALSE(first.repeated);
  ASSERT_EQ(first.statements.size(), 1u);
  EXPECT_EQ(first.statements[0].name(), "2026-000001");
  const Closing again = ledger.close(month("acme", 0)).value();
  EXPECT_TRUE(again.repeated);
  EXPECT_TRUE(again.same);
  ASSERT_EQ(again.statements.size(), 1u);
  EXPECT_EQ(again.statements[0].hash, first.statements[0].hash);
  EXPECT_EQ(again.statements[0].document, first.statements[0].document);
  ClosedPeriod other = month("acme", 0);
  other.statements[0].document["total"] = "1.00";
  EXPECT_FALSE(ledger.close(other)->same);
  EXPECT_EQ(ledger.documents("usage")->size(), 1u);
  EXPECT_FALSE(
      ledger.set_period("client:acme", kJanuary, kJanuary + 30 * kDay, PeriodState::closing));
  EXPECT_EQ(ledger.balance("client:acme").at("EUR"), money("11.90"));
  const auto periods = ledger.periods("client:acme").value();
  ASSERT_EQ(periods.size(), 1u);
  EXPECT_EQ(periods[0].state, PeriodState::closed);
  EXPECT_EQ(periods[0].tariffs, (std::vector<std::pair<std::string, std::string>>{{"std", "1"}}));
}

TEST_P(LedgerTest, PeriodsOfAnAccountDoNotOverlap) {
  Ledger ledger = open();
  ASSERT_TRUE(ledger.close(month("acme", 0)));
  ClosedPeriod late = month("acme", 1);
  late.from_ns -= 1;
  const auto overlapping = ledger.close(late);
  ASSERT_FALSE(overlapping.has_value());
  EXPECT_NE(overlapping.error().text.find("overlap"), std::string::npos);
  EXPECT_EQ(ledger.statements("client:acme")->size(), 1u);
  ASSERT_TRUE(ledger.close(month("acme", 1)));
  expect_sound(ledger);
}

TEST_P(LedgerTest, NoOctetIsChargedTwiceOrLeftOut) {
  Ledger ledger = open();
  ASSERT_TRUE(ledger.close(month("acme", 0)));
  for (const int64_t shift : {-1, 1}) {
    ClosedPeriod wrong = month("acme", 1);
    wrong.watermarks[1].octets_from += static_cast<uint64_t>(shift);
    const auto closed = ledger.close(wrong);
    ASSERT_FALSE(closed.has_value());
    EXPECT_EQ(closed.error().kind, Failure::refused);
    EXPECT_NE(closed.error().text.find("path 1, sent first at here is charged up to octet 1000"),
              std::string::npos)
        << closed.error().text;
  }
  ClosedPeriod begins = month("new", 1);  // its meters begin at 1000 instead of at zero
  EXPECT_FALSE(ledger.close(begins));
  EXPECT_EQ(ledger.balances()->at("revenue:alpha").at("EUR"), money("-6"));
  EXPECT_EQ(ledger.statements("client:acme")->size(), 1u);
  ASSERT_TRUE(ledger.close(month("acme", 1)));
  const auto marks = ledger.watermarks("here").value();
  ASSERT_EQ(marks.size(), 2u);
  for (const Watermark& w : marks) {
    EXPECT_EQ(w.octets_to, 2000u);
    EXPECT_EQ(w.packets_to, 20u);
    EXPECT_EQ(w.key.region, 0xffff'ffff'ffff'fff0u);
  }
  EXPECT_TRUE(ledger.watermarks("elsewhere")->empty());
}

// Several months of one account, and so of one meter, in one transaction.
TEST_P(LedgerTest, ABatchIsAllOrNothing) {
  Ledger ledger = open();
  std::vector<ClosedPeriod> batch;
  for (int i = 0; i < 5; ++i) batch.push_back(month("acme", i));
  for (int i = 0; i < 200; ++i) batch.push_back(month("client" + std::to_string(i), 0));
  auto broken = batch;
  broken.back().transactions[0].entries[0].amount += money("0.01");
  ASSERT_FALSE(ledger.close(broken));
  EXPECT_TRUE(ledger.balances()->empty());
  EXPECT_TRUE(ledger.statements("client:acme")->empty());
  const auto closed = ledger.close(batch).value();
  ASSERT_EQ(closed.size(), batch.size());
  for (size_t i = 0; i < closed.size(); ++i)
    EXPECT_EQ(closed[i].statements[0].number, static_cast<int64_t>(i) + 1);
  batch.push_back(month("later", 0));
  const auto again = ledger.close(batch).value();
  for (size_t i = 0; i < again.size(); ++i) EXPECT_EQ(again[i].repeated, i < closed.size());
  EXPECT_EQ(again.back().statements[0].name(), "2026-000206");
  EXPECT_FALSE(ledger.close(std::vector{month("twice", 0), month("twice", 0)}));
  expect_sound(ledger);
}

TEST_P(LedgerTest, StatementsAreNumberedByIssuerAndSeriesAndChained) {
  Ledger ledger = open();
  ClosedPeriod p = month("acme", 0);
  p.statements.push_back({"alpha", "2026", {{"total", "6"}}});
  p.statements.push_back({"anabranch", "2026", {{"total", "1"}}});
  p.statements.push_back({"anabranch", "2027", {{"total", "2"}}});
  const auto s = ledger.close(p).value().statements;
  ASSERT_EQ(s.size(), 4u);
  EXPECT_EQ(s[1].name(), "2026-000001");
  EXPECT_EQ(s[2].name(), "2026-000002");
  EXPECT_EQ(s[3].name(), "2027-000001");
  EXPECT_EQ(s[0].previous_hash, "");
  EXPECT_EQ(s[2].previous_hash, s[0].hash);
  EXPECT_EQ(s[2].hash, statement_hash(s[0].hash, s[2].document));
  EXPECT_EQ(nlohmann::json::parse(s[2].document).at("number"), "2026-000002");
  const auto read = ledger.statement("anabranch", "2026", 2).value().value();
  EXPECT_EQ(read.document, s[2].document);
  EXPECT_FALSE(ledger.statement("anabranch", "2026", 3).value().has_value());
  // A number cannot be left out, and a statement cannot follow on another one than the last.
  Store& store = ledger.store();
  const auto insert = [&](int number, int previous, const std::string& hash) {
    return store.run(
        "INSERT INTO statements VALUES('anabranch', '2026', $1, $2, $3, 'x', "
        "'client:acme', $4, $5, 0, '{}')",
        number, previous, hash, p.from_ns, p.to_ns);
  };
  EXPECT_FALSE(insert(4, 3, "x"));
  EXPECT_FALSE(insert(4, 2, s[2].hash));
  EXPECT_FALSE(insert(3, 2, "another"));
  expect_sound(ledger);
}

TEST_P(LedgerTest, WhatWasChangedBehindItsBackIsFound) {
  Ledger ledger = open();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(ledger.close(month("acme", i)));
  Store& store = ledger.store();
  const auto unlock = [&](const std::string& table) {
    if (!lite()) {
      ASSERT_TRUE(store.script("ALTER TABLE " + table + " DISABLE TRIGGER ALL"));
      return;
    }
    const auto triggers = store.read(
        "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = $1", table);
    for (const Row& r : *triggers) ASSERT_TRUE(store.script("DROP TRIGGER " + r.text(0)));
  };
  unlock("statements");
  unlock("postings");
  ASSERT_TRUE(store.run(
      "UPDATE statements SET document = replace(document, '11.90', '11.80') WHERE number = 2"));
  const auto wrong = ledger.verify().value();
  ASSERT_EQ(wrong.size(), 1u);
  EXPECT_NE(wrong[0].find("2026-2 is not as it was issued"), std::string::npos) << wrong[0];
  ASSERT_TRUE(store.run("UPDATE postings SET amount = $1 WHERE transaction_number = 1 AND line = 1",
                        money("12")));
  EXPECT_EQ(ledger.verify()->size(), 3u);
}

TEST_P(LedgerTest, DocumentsStayAsVersionsInForceFromATimeOn) {
  Ledger ledger = open();
  ASSERT_TRUE(ledger.put_document("rates", "EUR", "1", 100));
  ASSERT_TRUE(ledger.put_document("rates", "EUR", "1", 150));  // in force already
  ASSERT_TRUE(ledger.put_document("rates", "EUR", "2", 200));
  ASSERT_TRUE(ledger.put_document("rates", "EUR", "3", 120));  // stored later, for before
  ASSERT_TRUE(ledger.put_document("rates", "\"; DROP TABLE rates; -- ü", "'", 1));
  EXPECT_FALSE(ledger.document("rates", "EUR", 99).value().has_value());
  EXPECT_EQ(ledger.document("rates", "EUR", 100).value()->text, "1");
  EXPECT_EQ(ledger.document("rates", "EUR", 199).value()->text, "3");
  EXPECT_EQ(ledger.document("rates", "EUR", 200).value()->text, "2");
  EXPECT_EQ(ledger.document_versions("rates", "EUR")->size(), 3u);
  const auto newest = ledger.documents("rates").value();
  ASSERT_EQ(newest.size(), 2u);
  EXPECT_EQ(newest[0], (std::pair<std::string, std::string>{"\"; DROP TABLE rates; -- ü", "'"}));
  EXPECT_EQ(newest[1].second, "3");
}

TEST_P(LedgerTest, MeasurementsAreKeptByMinute) {
  Ledger ledger = open();
  std::vector<Measurement> minutes;
  for (int i = 0; i < 300; ++i)
    minutes.push_back(
        {"path:here:fibre", i * 60'000'000'000, 20'000u + static_cast<uint32_t>(i), 5, 1'000'000});
  ASSERT_TRUE(ledger.put_measurements(minutes));
  ASSERT_TRUE(ledger.put_measurements(minutes));
  const auto hour = ledger.measurements("path:here:fibre", 0, 3'600'000'000'000).value();
  ASSERT_EQ(hour.size(), 60u);
  EXPECT_EQ(hour[59].rtt_us, 20'059u);
}

TEST_P(LedgerTest, SettlementComparesClaimsWithWhatWasMetered) {
  Ledger ledger = open();
  ClosedPeriod p = month("acme", 0);
  const auto day = [&](int d, const char* path, uint64_t octets, const char* cost) {
    return ProviderUsage{
        "alpha", "here", path,       kJanuary + d * kDay, kJanuary + (d + 1) * kDay,
        octets,  "EUR",  money(cost)};
  };
  p.provider_usage = {day(0, "fibre", 600'000, "0.6"), day(1, "fibre", 400'000, "0.4"),
                      day(0, "dsl", 1000, "1"), day(0, "unclaimed", 5, "5"),
                      day(10, "fibre", 77, "77")};
  ASSERT_TRUE(ledger.close(p));
  const auto claim = [&](const char* path, uint64_t octets, const char* amount, int days = 2) {
    return ProviderClaim{"here", path,  kJanuary,     kJanuary + days * kDay,
                         octets, "EUR", money(amount)};
  };
  const std::vector bill{claim("fibre", 1'001'000, "1.001"), claim("dsl", 1002, "1"),
                         claim("unknown", 1, "3")};
  ASSERT_TRUE(ledger.put_claims("alpha", "2026/01", bill, 1));
  ASSERT_TRUE(ledger.put_claims("alpha", "2026/01", bill, 2));
  EXPECT_FALSE(ledger.put_claims("alpha", "2026/01", std::span(bill).first(1), 3));
  const auto s = ledger.settle("alpha", kJanuary, kJanuary + 2 * kDay, {}).value();
  ASSERT_EQ(s.lines.size(), 4u);                           // dsl, fibre, unclaimed, unknown
  EXPECT_EQ(s.lines[0].state, SettlementState::disputed);  // 2 in 1000
  EXPECT_EQ(s.lines[1].state, SettlementState::agreed);    // 1 in 1000
  EXPECT_EQ(s.lines[1].metered_octets, 1'000'000u);
  EXPECT_EQ(s.lines[1].cost, money("1"));
  EXPECT_EQ(s.lines[2].state, SettlementState::not_claimed);
  EXPECT_EQ(s.lines[3].state, SettlementState::not_metered);
  EXPECT_EQ(s.straddling, 0u);
  EXPECT_FALSE(s.agreed());
  const auto strict = ledger.settle("alpha", kJanuary, kJanuary + 2 * kDay,
                                    {.octets_ppm = 999, .amount_ppm = 1000});
  EXPECT_EQ(strict->lines[1].state, SettlementState::disputed);
  EXPECT_EQ(ledger.settle("alpha", kJanuary, kJanuary + kDay, {})->straddling, 3u);
  EXPECT_NE(to_text(s).find("not metered"), std::string::npos);
  EXPECT_EQ(to_json(s).at("lines").at(1).at("claimed"), "1.001");
}

TEST_P(LedgerTest, GatewaysShareALedgerAndKeepTheirOwnNames) {
  Ledger a = open("a"), b = open("b");
  EXPECT_EQ(a.path_id("fibre", "alpha", "net").value(), 1);
  EXPECT_EQ(b.path_id("dsl", "beta", "net").value(), 1);
  EXPECT_EQ(a.path_id("dsl", "beta", "net").value(), 2);
  EXPECT_EQ(b.path(1)->name, "dsl");
  EXPECT_EQ(b.paths()->size(), 1u);
  const Tariff std_tariff = tariff("std", "0.50");
  EXPECT_EQ(a.open_service("acme", std_tariff, "{}", 1).value(), 1u);
  EXPECT_EQ(a.open_service("acme", std_tariff, "{}", 1).value(), 2u);
  EXPECT_EQ(b.open_service("acme", std_tariff, "{}", 1).value(), 1u);
  ASSERT_TRUE(a.close_service(1, 5));
  ASSERT_TRUE(a.close_service(1, 6));
  EXPECT_EQ(a.service(1)->closed_ns, 5);
  EXPECT_FALSE(b.service(1)->closed());
  // The same readings of either are two meters: each is charged once.
  for (const char* gateway : {"a", "b"}) {
    ClosedPeriod p = month(gateway, 0, 0);
    p.watermarks = {{.gateway = gateway,
                     .key = {.region = 7, .service = 1, .path = 1},
                     .octets_from = 0,
                     .packets_from = 0,
                     .octets_to = 1000,
                     .packets_to = 1}};
    ASSERT_TRUE(a.close(p)) << gateway;
  }
  EXPECT_EQ(a.watermarks("")->size(), 2u);
  EXPECT_EQ(b.watermarks("b")->size(), 1u);
  expect_sound(b);
}

// Random postings beside a map.
TEST_P(LedgerTest, RandomTransactionsAgreeWithAnOracle) {
  Ledger ledger = open();
  std::mt19937_64 random(3);
  const std::vector<std::string> accounts{"client:a", "client:b",  "revenue:x", "cost:x",
                                          "tax:vat",  "payable:x", "house:here"};
  const std::vector<std::string> currencies{"EUR", "USD", "JPY"};
  std::map<std::string, std::map<std::string, Amount>> oracle;
  for (int i = 0; i < 300; ++i) {
    Transaction t{.id = std::to_string(i), .wall_ns = i, .purpose = "p", .party = "client:a"};
    for (const std::string& currency : currencies) {
      Amount rest;
      for (uint64_t n = random() % 4; n-- > 0;) {
        const Amount amount = Amount::from_attos(static_cast<Int128>(random()) *
                                                 static_cast<int64_t>(random() % 2000 - 1000));
        t.entries.push_back({accounts[random() % accounts.size()], currency, amount});
        rest += -amount;
      }
      t.entries.push_back({accounts[random() % accounts.size()], currency, rest});
    }
    const auto posted = ledger.post(t);
    ASSERT_TRUE(posted) << posted.error().text;
    if (random() % 4 == 0) {
      ASSERT_TRUE(ledger.post(t)->repeated);
    }
    for (const Entry& e : t.entries) oracle[e.account][e.currency] += e.amount;
  }
  EXPECT_EQ(ledger.balances().value(), oracle);
  expect_sound(ledger);
}

ANABRANCH_BOTH_STORES(LedgerTest);

}  // namespace
}  // namespace anabranch::billing
