// SPDX-License-Identifier: BSD-3-Clause
// From journals to statements: every octet on exactly one of them, whenever it comes.
#include "billing/closing.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "billing/delivery.h"
#include "billing/reconcile.h"
#include "tests/billing/closing_fixture.h"

namespace anabranch::billing {
namespace {

using nlohmann::json;

// 1.00 a GB of alpha, 3.00 of beta, and a fee.
json business(const char* alpha = "1.00") {
  return {{"id", "business"},
          {"currency", "EUR"},
          {"tax", {{"category", "S"}, {"percent", "19"}}},
          {"items",
           {{{"id", "a"}, {"providers", {"alpha"}}, {"per_gb", alpha}},
            {{"id", "b"}, {"providers", {"beta"}}, {"per_gb", "3.00"}},
            {{"id", "line"}, {"flat", "10.00"}}}}};
}
// The first 10 GB of a month at 1.00, those beyond at 0.50.
json tiers() {
  return {{"id", "tiers"},
          {"currency", "EUR"},
          {"items",
           {{{"id", "t"},
             {"graduated", {{{"up_to_gb", "10"}, {"per_gb", "1.00"}}, {{"per_gb", "0.50"}}}}}}}};
}
json client(const char* id, const char* tariff = "business", const char* profile = "plain") {
  return {{"id", id}, {"name", std::string(id) + " Ltd"}, {"tariff", tariff}, {"profile", profile}};
}

class Closings : public ClosingTest {
 protected:
  void SetUp() override {
    ClosingTest::SetUp();
    put("tariffs", business());
    put("tariffs", tiers());
    put("clients", client("acme"));
  }
  // acme at site-a since 1 October.
  uint64_t acme(const char* tariff = "business", const char* profile = "plain") {
    put("clients", client("acme", tariff, profile), day(9, 2));
    return open_service("site-a", "acme", day(10, 1) + kHour);
  }
};

TEST_P(Closings, AMonthIsStatedWhenItsGraceIsOver) {
  const auto service = acme();
  gateway("site-a").used(day(10, 5), service, 1, 4 * kGb).used(day(10, 6), service, 2, 2 * kGb);
  close(day(11, 2) - 1);
  EXPECT_TRUE(statements("client:acme").empty());
  ASSERT_EQ(close(day(11, 2)).closed.size(), 2u) << "acme and the house";
  const json statement = statements("client:acme").at(0);
  EXPECT_EQ(told(statement), "line 10.00, alpha a 4.00, beta b 6.00");
  EXPECT_EQ(statement.at("number"), "2026-000001");
  EXPECT_EQ(statement.at("net"), "20.00");
  EXPECT_EQ(statement.at("gross"), "23.80");
  EXPECT_EQ(statement.at("from"), "2026-10-01T00:00:00+02:00");
  EXPECT_EQ(statement.at("to"), "2026-11-01T00:00:00+01:00");
  EXPECT_EQ(statement.at("customer").at("name"), "acme Ltd");
  const auto balances = ledger_->balances().value();
  EXPECT_EQ(balances.at("client:acme").at("EUR"), money("23.80"));
  EXPECT_EQ(balances.at("revenue:alpha").at("EUR"), money("-4"));
  EXPECT_EQ(balances.at("revenue:co").at("EUR"), money("-10"));
  EXPECT_EQ(balances.at("tax:S").at("EUR"), money("-3.80"));
  EXPECT_TRUE(close(day(11, 3)).closed.empty()) << "a period is closed once";
  expect_sound(*ledger_);
}

// "before 0.00, payment -3.80, now 20.00"
std::string balance_told(const json& statement) {
  const json& balance = statement.at("balance");
  std::string all = "before " + balance.at("before").get<std::string>();
  for (const json& m : balance.at("moved"))
    all += ", " + m.at("what").get<std::string>() + " " + m.at("amount").get<std::string>();
  return all + ", now " + balance.at("now").get<std::string>();
}

TEST_P(Closings, AStatementSaysHowTheAccountStands) {
  const auto service = acme();
  const auto pays = [&](const char* id, const char* amount, int64_t at_ns) {
    const Transaction paid{
        .id = id,
        .wall_ns = at_ns,
        .purpose = "payment",
        .party = "client:acme",
        .corrects = "",
        .entries = {{"cash:bank", "EUR", money(amount)}, {"client:acme", "EUR", -money(amount)}}};
    ASSERT_TRUE(ledger_->post(paid).has_value());
  };
  pays("ahead", "3.80", day(10, 3));
  gateway("site-a").used(day(10, 5), service, 1, 4 * kGb).used(day(10, 6), service, 2, 2 * kGb);
  close(day(11, 2));
  EXPECT_EQ(balance_told(statements("client:acme").at(0)), "before 0.00, payment -3.80, now 20.00");
  pays("all", "20.00", day(11, 5));
  pays("more", "0.01", day(11, 6) + kHour);
  close(day(12, 2));
  const json november = statements("client:acme").at(1);
  EXPECT_EQ(balance_told(november), "before 20.00, payment -20.00, payment -0.01, now 11.89");
  EXPECT_EQ(november.at("balance").at("moved").at(1).at("at"), "2026-11-06T01:00:00+01:00");
  EXPECT_EQ(ledger_->balance("client:acme").at("EUR"), money("11.89"));
  expect_sound(*ledger_);
}

TEST_P(Closings, StatementsByProviderSayHowTheAccountStandsOneAfterTheOther) {
  put("profiles", json{{"id", "apart"}, {"billing", {{"statements", "by-provider"}}}});
  const auto service = acme("business", "apart");
  gateway("site-a").used(day(10, 5), service, 1, 4 * kGb).used(day(10, 6), service, 2, 2 * kGb);
  close(day(11, 2));
  std::map<std::string, std::string> told;
  for (const json& s : statements("client:acme")) told[s.at("issuer").at("id")] = balance_told(s);
  EXPECT_EQ(told, (std::map<std::string, std::string>{{"co", "before 0.00, now 11.90"},
                                                      {"alpha", "before 11.90, now 16.66"},
                                                      {"beta", "before 16.66, now 23.80"}}));
  expect_sound(*ledger_);
}

// Each client of a reseller's has its own margin, of whatever its tariff comes to.
TEST_P(Closings, AResellerIsOwedItsMarginOfEachClient) {
  put("clients", client("acme"));
  const auto under = [&](const char* id, const char* percent) {
    json document = client(id);
    document["reseller"] = {{"id", "shopnet"}, {"margin_percent", percent}};
    put("clients", document, day(9, 2));
    return open_service("site-a", id, day(10, 1) + kHour);
  };
  const auto shop = under("shop", "12.5"), cafe = under("cafe", "50"), own = acme();
  for (const auto service : {shop, cafe, own})
    gateway("site-a")
        .used(day(10, 5), service, 1, 4'040'000'000)
        .used(day(10, 6), service, 2, 2 * kGb);
  close(day(11, 2));
  auto balances = ledger_->balances().value();
  EXPECT_EQ(statements("client:shop").at(0).at("net"), "20.04");
  EXPECT_EQ(balances.at("payable:shopnet").at("EUR"), money("-12.53")) << "2.505, and 10.02";
  EXPECT_EQ(ledger_->balance("cost:shopnet").at("EUR"), money("12.53"));
  const auto cheaper = parse_tariff(business("0.00")).value();
  ASSERT_TRUE(closer().rerate("client:cafe", day(10, 15), cheaper, day(11, 20)).has_value());
  EXPECT_EQ(ledger_->balance("payable:shopnet").at("EUR"), money("-10.51")) << "half of 4.04 less";
  std::map<std::string, Amount> cost;
  const auto lines = ledger_->margin(day(11, 1), day(12, 1)).value();
  for (const MarginLine& m : lines) cost[m.party] += m.cost;
  EXPECT_EQ(cost.at("client:shop"), money("2.51"));
  EXPECT_EQ(cost.at("client:cafe"), money("8"));
  expect_sound(*ledger_);
}

TEST_P(Closings, AStatementIsOnTheAccountOfWhoPaysIt) {
  json shop = client("shop");
  shop["paid_by"] = "acme";
  put("clients", shop, day(9, 2));
  const auto service = open_service("site-a", "shop", day(10, 1) + kHour);
  gateway("site-a").used(day(10, 5), service, 1, 4 * kGb).used(day(10, 5), acme(), 2, 2 * kGb);
  close(day(11, 2));
  const json theirs = statements("client:shop").at(0);
  EXPECT_EQ(theirs.at("gross"), "16.66");
  EXPECT_EQ(theirs.at("payer"), (json{{"id", "acme"}, {"name", "acme Ltd"}}));
  EXPECT_FALSE(theirs.contains("balance")) << "it is owed by another account";
  EXPECT_TRUE(ledger_->balance("client:shop").empty());
  EXPECT_EQ(ledger_->balance("client:acme").at("EUR"), money("35.70"));
  gateway("site-a").used(day(11, 5), service, 1, 1 * kGb);
  close(day(12, 2));
  EXPECT_EQ(statements("client:acme").size(), 2u);
  EXPECT_EQ(ledger_->balance("client:acme").at("EUR"), money("60.69"));
  const std::string stands = balance_told(statements("client:acme").at(1));
  EXPECT_NE(stands.find("statement of shop "), std::string::npos) << stands;
  expect_sound(*ledger_);
}

TEST_P(Closings, WhoPaysForAnotherPaysForItself) {
  json shop = client("shop"), holding = client("holding");
  shop["paid_by"] = "holding";
  holding["paid_by"] = "acme";
  put("clients", shop, day(9, 2));
  put("clients", holding, day(9, 2));
  gateway("site-a").used(day(10, 5), open_service("site-a", "shop", day(10, 1)), 1, kGb);
  const auto report = closer().run(day(11, 2));
  ASSERT_TRUE(report.has_value()) << report.error();
  EXPECT_NE(report->problems.at("client:shop").find("holding is paid for by acme itself"),
            std::string::npos);
  EXPECT_TRUE(statements("client:shop").empty());
}

// The house pays nobody.
TEST_P(Closings, TheHouseHasNoBalance) {
  gateway("site-a").used(day(10, 5), acme(), 1, kGb).used(day(10, 5), kHouse, 1, kGb);
  close(day(11, 2));
  ASSERT_FALSE(statements("house:site-a").empty());
  for (const json& s : statements("house:site-a")) EXPECT_FALSE(s.contains("balance"));
}

TEST_P(Closings, AnOctetAtMidnightIsOfTheDayThatBegins) {
  const auto service = acme();
  const int64_t midnight = day(11, 1);
  gateway("site-a").used(midnight, service, 1, kGb).used(midnight + kHour, service, 2, kGb, kHour);
  close(day(12, 2));
  EXPECT_EQ(told(statements("client:acme").at(0)), "line 10.00, alpha a 1.00");
  EXPECT_EQ(told(statements("client:acme").at(1)), "line 10.00, beta b 3.00");
}

// A record across the end of a month is cut there, and nothing of it is lost or charged twice.
TEST_P(Closings, UsageAcrossTheEndOfAMonthIsDivided) {
  const auto service = acme();
  const int64_t midnight = day(11, 1);
  gateway("site-a").used(midnight - 3 * kHour, service, 1, 1000);
  gateway("site-a").used(midnight + kHour, service, 1, 4001, 4 * kHour);
  close(day(12, 2));
  const auto all = statements("client:acme");
  EXPECT_EQ(all.at(0).at("usage").at(0).at("octets"), 1000 + 3000);
  EXPECT_EQ(all.at(1).at("usage").at(0).at("octets"), 1001);
  EXPECT_EQ(octets_stated(), octets_used());
}

TEST_P(Closings, WhatComesLateIsChargedByThePricesOfItsOwnPeriod) {
  put("clients", client("acme", "tiers"), day(9, 2));
  add_gateway("site-b");
  const auto a = open_service("site-a", "acme", day(10, 1)),
             b = open_service("site-b", "acme", day(10, 1));
  gateway("site-a").used(day(10, 9), a, 1, 8 * kGb);
  gateway("site-b").used(day(10, 9), b, 1, 6 * kGb).used(day(11, 9), b, 1, 2 * kGb);
  // October is closed while nobody has the journal of site-b.
  const auto october = closer({gateway("site-a").folder()}).run(day(11, 2));
  ASSERT_TRUE(october.has_value()) << october.error();
  EXPECT_EQ(told(statements("client:acme").at(0)), "alpha t 8.00");
  close(day(12, 2));
  const json november = statements("client:acme").at(1);
  EXPECT_EQ(told(november),
            "alpha t 2.00, alpha t 4.00");  // 2 GB at 1.00; then 2 at 1.00, 4 at 0.50
  EXPECT_EQ(november.at("sections").at(0).at("lines").at(1).at("period").at("from"),
            "2026-10-01T00:00:00+02:00");
  EXPECT_EQ(octets_stated(), octets_used());
  expect_sound(*ledger_);
}

TEST_P(Closings, AGatewayWhoseJournalIsMissingIsAskedFor) {
  add_gateway("site-b");
  const auto service = acme();
  gateway("site-a").used(day(10, 9), service, 1, kGb);
  Closer without(*ledger_, {.journals = {gateway("site-a").folder()}, .without = {}});
  const auto refused = without.run(day(11, 2));
  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().find("site-b"), std::string::npos) << refused.error();
  EXPECT_TRUE(statements("client:acme").empty());
}

TEST_P(Closings, RatingAgainPostsTheDifferenceAndChangesNothing) {
  const auto service = acme();
  gateway("site-a").used(day(10, 5), service, 1, 4 * kGb).used(day(10, 6), service, 2, 2 * kGb);
  close(day(11, 2));
  const auto original = ledger_->statements("client:acme").value().at(0);
  const auto cheaper = parse_tariff(business("0.25")).value();
  const auto issued = closer().rerate("client:acme", day(10, 15), cheaper, day(11, 20));
  ASSERT_TRUE(issued.has_value()) << issued.error();
  const json adjustment = json::parse(issued->at(0).document);
  EXPECT_EQ(told(adjustment), "alpha a -3.00");
  EXPECT_EQ(adjustment.at("gross"), "-3.57");
  EXPECT_EQ(adjustment.at("kind"), "adjustment");
  EXPECT_EQ(adjustment.at("corrects"), json({original.name()}));
  EXPECT_EQ(ledger_->balance("client:acme").at("EUR"), money("20.23"));
  EXPECT_EQ(ledger_->statements("client:acme").value().at(0).hash, original.hash);
  // Again it comes to the same; and back, to what was.
  EXPECT_TRUE(closer().rerate("client:acme", day(10, 15), cheaper, day(11, 21))->empty());
  const auto back = parse_tariff(business()).value();
  EXPECT_EQ(closer().rerate("client:acme", day(10, 15), back, day(11, 21))->size(), 1u);
  EXPECT_EQ(ledger_->balance("client:acme").at("EUR"), money("23.80"));
  expect_sound(*ledger_);
}

TEST_P(Closings, ATariffThatChangesWithinAMonthPricesWhatComesBehindIt) {
  const auto service = acme();
  put("tariffs", business("2.00"), day(10, 11));
  gateway("site-a").used(day(10, 5), service, 1, 4 * kGb);
  gateway("site-a").used(day(10, 20), service, 2, kGb).used(day(10, 20) + 1, service, 1, 3 * kGb);
  close(day(11, 2));
  const json statement = statements("client:acme").at(0);
  // From 1 to 11 October are 240 of 745 hours: summer time ends on the 25th.
  EXPECT_EQ(told(statement), "line 3.22, line 6.78, alpha a 4.00, alpha a 6.00, beta b 3.00");
}

TEST_P(Closings, AnAccountWithoutAPriceHoldsUpNobodyElse) {
  put("clients", client("lost", "nowhere"));
  const auto service = acme(), lost = open_service("site-a", "lost", day(10, 1));
  gateway("site-a").used(day(10, 5), service, 1, kGb).used(day(10, 6), lost, 1, kGb);
  const auto report = closer().run(day(11, 2)).value();
  EXPECT_EQ(report.problems.size(), 1u);
  EXPECT_EQ(report.problems.at("client:lost"), "the ledger has no tariff \"nowhere\"");
  EXPECT_EQ(statements("client:acme").size(), 1u);
  EXPECT_EQ(ledger_->charged_sequences()->count("site-a"), 0u) << "its usage must be kept";
  put("tariffs",
      {{"id", "nowhere"}, {"currency", "EUR"}, {"items", {{{"id", "x"}, {"per_gb", "7"}}}}});
  close(day(11, 3));
  EXPECT_EQ(told(statements("client:lost").at(0)), "alpha x 7.00");
  EXPECT_EQ(octets_stated(), octets_used());
}

TEST_P(Closings, ClocksThatAreSetLoseNothing) {
  const auto service = acme();
  MeteringGateway& a = gateway("site-a");
  a.used(day(10, 5), service, 1, kGb);
  a.used(day(12, 24), service, 1, kGb);  // two months ahead, for a while
  a.used(day(10, 6), service, 1, kGb);
  a.used(day(11, 5), service, 1, kGb);
  close(day(11, 10));
  EXPECT_EQ(told(statements("client:acme").at(0)), "line 10.00, alpha a 3.00");
  a.used(day(10, 30), service, 1, kGb);  // back in October, which is closed
  a.used(day(11, 20), service, 1, kGb);
  close(day(12, 10));
  EXPECT_EQ(told(statements("client:acme").at(1)), "line 10.00, alpha a 2.00, alpha a 1.00");
  EXPECT_EQ(octets_stated(), octets_used());
}

TEST_P(Closings, WhatWeOweAProviderIsDividedAmongThoseWhoUsedIt) {
  const auto service = acme();
  put("tariffs",
      {{"id", "wholesale"},
       {"currency", "USD"},
       {"items", {{{"id", "w"}, {"per_gb", "0.30"}}, {{"id", "port"}, {"flat", "100"}}}}});
  put("providers", {{"id", "alpha"}, {"name", "Alpha AG"}, {"tariff", "wholesale"}}, day(10, 1));
  gateway("site-a").used(day(10, 5), service, 1, 3 * kGb).used(day(10, 7), kHouse, 1, kGb);
  gateway("site-a").used(day(10, 8), service, 2, kGb);
  close(day(11, 2));
  const auto balances = ledger_->balances().value();
  EXPECT_EQ(balances.at("payable:alpha").at("USD"), money("-101.20"));
  const auto margin = ledger_->margin(day(9, 1), day(12, 1)).value();
  for (const MarginLine& m : margin) {
    if (m.currency == "USD") {
      EXPECT_EQ(m.cost, m.party == "client:acme" ? money("75.90") : money("25.30")) << m.party;
    }
  }
  const auto settlement = ledger_->settle("alpha", day(10, 1), day(11, 1), {}).value();
  ASSERT_EQ(settlement.lines.size(), 1u);
  EXPECT_EQ(settlement.lines[0].metered_octets, 4 * kGb);
  EXPECT_EQ(settlement.lines[0].cost, money("101.20"));
  expect_sound(*ledger_);
}

TEST_P(Closings, APreviewStoresNothing) {
  const auto service = acme();
  gateway("site-a").used(day(10, 5), service, 1, 4 * kGb).used(day(10, 20), service, 2, kGb);
  const auto preview = closer().preview("client:acme", day(10, 11));
  ASSERT_TRUE(preview.has_value()) << preview.error();
  EXPECT_EQ(told(preview->at(0)), "line 3.22, alpha a 4.00");
  EXPECT_TRUE(statements("client:acme").empty());
  EXPECT_TRUE(ledger_->balances()->empty());
}

// --- Presentation ---

TEST_P(Closings, Claim10SeveralStatementsOfSeveralProvidersAddUpToTheOne) {
  put("profiles", {{"id", "each"}, {"billing", {{"statements", "by-provider"}}}});
  put("clients", client("bolt", "business", "each"));
  const auto one = acme(), each = open_service("site-a", "bolt", day(10, 1));
  for (const auto service : {one, each})
    gateway("site-a")
        .used(day(10, 5), service, 1, 4'555'555'555)
        .used(day(10, 6), service, 2, 77'777);
  close(day(11, 2));
  const auto several = statements("client:bolt");
  ASSERT_EQ(several.size(), 3u);
  Amount net;
  std::vector<std::string> issuers;
  for (const json& s : several) {
    net += money(s.at("net").get<std::string>().c_str());
    issuers.push_back(s.at("issuer").at("id"));
    EXPECT_EQ(s.at("number"), s.at("issuer").at("id") == "co" ? "2026-000002" : "2026-000001");
  }
  EXPECT_EQ(issuers, (std::vector<std::string>{"alpha", "beta", "co"}));
  EXPECT_EQ(to_text(net), statements("client:acme").at(0).at("net").get<std::string>());
  EXPECT_EQ(octets_stated(), octets_used());
}

TEST_P(Closings, Claim13TheProfileSaysHowOtherProvidersChargesArePresented) {
  const auto present = [&](const char* id, const char* how) {
    put("profiles", {{"id", id}, {"billing", {{"provider_charges", how}}}});
    put("clients", client(id, "business", id));
    const auto service = open_service("site-a", id, day(10, 1));
    gateway("site-a").used(day(10, 5), service, 1, 4 * kGb).used(day(10, 6), service, 2, kGb);
  };
  present("itemised", "itemised");
  present("summarised", "summarised");
  present("separate", "separate");
  close(day(11, 2));
  EXPECT_EQ(told(statements("client:itemised").at(0)), "line 10.00, alpha a 4.00, beta b 3.00");
  EXPECT_EQ(told(statements("client:summarised").at(0)),
            "line 10.00, alpha sum 4.00, beta sum 3.00");
  ASSERT_EQ(statements("client:separate").size(), 2u);
  EXPECT_EQ(told(statements("client:separate").at(0)), "line 10.00");
  EXPECT_EQ(told(statements("client:separate").at(1)), "alpha a 4.00, beta b 3.00");
  for (const char* c : {"client:itemised", "client:summarised", "client:separate"})
    EXPECT_EQ(gross(c), money("20.23")) << c;
}

TEST_P(Closings, Claim12TheProfileHoldsPreferencesForBilling) {
  put("profiles",
      {{"id", "own"},
       {"billing", {{"currency", "USD"}, {"cycle_day", 15}, {"zone", "America/New_York"}}}});
  put("rates",
      {{"id", "r"}, {"date", "2026-10-01"}, {"base", "EUR"}, {"rates", {{"USD", "1.25"}}}});
  const auto service = acme("business", "own");
  gateway("site-a").used(day(10, 5), service, 1, 4 * kGb).used(day(10, 20), service, 2, kGb);
  close(day(11, 20));
  const auto all = statements("client:acme");
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].at("from"), "2026-09-30T00:00:00-04:00");  // where it was still September
  EXPECT_EQ(all[0].at("to"), "2026-10-15T00:00:00-04:00");
  EXPECT_EQ(all[1].at("from"), all[0].at("to"));
  EXPECT_EQ(all[1].at("to"), "2026-11-15T00:00:00-05:00");
  EXPECT_EQ(all[1].at("currency"), "USD");
  EXPECT_EQ(told(all[1]), "line 12.50, beta b 3.75");
}

TEST_P(Closings, ARequestAsksForWhatProfileAndAgreementLeaveOpen) {
  put("profiles", {{"id", "mine"}, {"billing", {{"provider_charges", "itemised"}}}});
  put("clients", client("acme", "business", "mine"));
  const json several{{"billing", {{"statements", "by-provider"}}}};
  const auto service = open_service("site-a", "acme", day(10, 1), several);
  // Asked later, or against the profile: it changes nothing.
  open_service("site-a", "acme", day(10, 2),
               {{"billing", {{"statements", "aggregated"}, {"provider_charges", "summarised"}}}});
  gateway("site-a").used(day(10, 5), service, 1, 4 * kGb).used(day(10, 6), service, 2, kGb);
  close(day(11, 2));
  ASSERT_EQ(statements("client:acme").size(), 3u);
  EXPECT_EQ(told(statements("client:acme").at(0)), "alpha a 4.00");
  // Where there is no service of that request any more, it counts no more.
  ASSERT_TRUE(open("site-a").close_service(service, day(10, 20)));
  gateway("site-a").used(day(11, 5), service, 1, 4 * kGb).used(day(11, 6), service, 2, kGb);
  close(day(12, 2));
  ASSERT_EQ(statements("client:acme").size(), 4u);
  EXPECT_EQ(told(statements("client:acme").at(3)), "line 10.00, alpha a 4.00, beta b 3.00");
  EXPECT_EQ(octets_stated(), octets_used());
}

TEST_P(Closings, Claim14TheAgreementOverridesTheProfileAndCreditsAMiss) {
  put("profiles", {{"id", "mine"},
                   {"billing", {{"statements", "by-provider"}, {"provider_charges", "itemised"}}}});
  put("slas",
      {{"id", "gold"},
       {"billing", {{"statements", "aggregated"}, {"provider_charges", "summarised"}}},
       {"promises",
        {{{"of", "availability"},
          {"credits",
           {{{"below", "99.9"}, {"percent", "10"}}, {{"below", "99"}, {"percent", "25"}}}}},
         {{"of", "latency"}, {"ms", "60"}, {"credits", {{{"below", "95"}, {"percent", "5"}}}}}}}});
  json acme = client("acme", "business", "mine");
  acme["sla"] = "gold";
  put("clients", acme, day(9, 2));
  const auto service = open_service("site-a", "acme", day(10, 1));
  gateway("site-a").used(day(10, 5), service, 1, 4 * kGb);
  std::vector<Measurement> minutes;
  // The last thousand minutes of the month; of five of them, when the gateway was down, there is
  // nothing.
  for (int i = 0; i < 1000; ++i) {
    if (i >= 500 && i < 505) continue;
    minutes.push_back({.subject = "service:site-a:" + std::to_string(service),
                       .minute_ns = day(11, 1) - (1000 - i) * kHour / 60,
                       .rtt_us = i < 40 ? 130'000u : 50'000u,  // 96 % within 60 ms one way
                       .loss_ppm = 0,
                       .available_ppm = 1'000'000u});
  }
  ASSERT_TRUE(ledger_->put_measurements(minutes));
  close(day(11, 2));
  const auto all = statements("client:acme");
  ASSERT_EQ(all.size(), 1u) << "the agreement wins";
  EXPECT_EQ(told(all[0]), "line 10.00, alpha sum 4.00");
  const json credit = all[0].at("credits").at(0);
  EXPECT_EQ(all[0].at("credits").size(), 1u) << "latency was as promised";
  EXPECT_EQ(credit.at("amount"), "-1.40");
  EXPECT_EQ(credit.at("measured"), "99.5");
  EXPECT_EQ(credit.at("promised"), "99.9");
  EXPECT_EQ(credit.at("samples"), 1000);
  EXPECT_EQ(credit.at("missed"), 5);
  EXPECT_EQ(all[0].at("net"), "12.60");
  EXPECT_EQ(ledger_->balance("client:acme").at("EUR"), money("14.99"));
  expect_sound(*ledger_);
}

// --- What leaves the house ---

TEST_P(Closings, StatementsAreDeliveredAsThePreferencesSayAndOnlyOnce) {
  put("profiles", {{"id", "mail"}, {"billing", {{"delivery", {"html", "csv", "json", "text"}}}}});
  const auto service = acme("business", "mail");
  gateway("site-a").used(day(10, 5), service, 1, 4 * kGb);
  close(day(11, 2));
  const std::string to = folder_ + "/statements";
  EXPECT_EQ(deliver(*ledger_, to, 0).value(), 4u);
  for (const char* file : {"html", "csv", "json", "txt"})
    EXPECT_TRUE(std::filesystem::exists(to + "/acme/co-2026-000001." + file)) << file;
  EXPECT_EQ(deliver(*ledger_, to, 0).value(), 0u) << "what is there is left alone";
  std::filesystem::remove(to + "/acme/co-2026-000001.csv");
  EXPECT_EQ(deliver(*ledger_, to, 0).value(), 1u);
  std::filesystem::remove_all(to);
  std::ofstream(to) << "no folder";
  EXPECT_NE(deliver(*ledger_, to, 0).error().find(to), std::string::npos);
}

TEST_P(Closings, TwoGatewaysCountsOfAPathAreHeldAgainstEachOther) {
  add_gateway("site-b");
  const auto both = [&](int64_t at, uint64_t sent, uint64_t received) {
    gateway("site-a").used(at, kPathTotal, 1, sent);
    gateway("site-b").used(at, kPathTotal, 1, received, kHour / 60, Direction::received);
  };
  both(day(10, 5), 1'000'000, 990'000);
  both(day(11, 5), 500'000, 500'000);
  gateway("site-b").used(day(10, 6), kPathTotal, 1, 7000);
  gateway("site-a").used(day(10, 6), kPathTotal, 1, 7100, kHour / 60, Direction::received);
  const auto paths =
      reconcile(gateway("site-a").folder(), gateway("site-b").folder(), {day(10, 1), day(11, 1)})
          .value();
  const auto of = [&](const std::string& from) {
    return *std::find_if(paths.begin(), paths.end(), [&](const ReconciledPath& p) {
      return p.from == from && p.path == "alpha-link";
    });
  };
  EXPECT_EQ(of("site-a").lost_octets(), 10'000);
  EXPECT_EQ(of("site-a").lost_ppm(), 10'000);
  EXPECT_EQ(of("site-b").lost_octets(), -100) << "more came than was sent: a meter is wrong";
  // Evidence is charged to nobody.
  close(day(12, 2));
  EXPECT_EQ(octets_stated(), 0u);
}

TEST_P(Closings, HowFarAClientIsIntoItsTariffIsKnownWhileThePeriodIsOpen) {
  const auto service = acme("tiers");
  gateway("site-a").used(day(10, 5), service, 1, 4 * kGb).used(day(10, 6), service, 2, 2 * kGb);
  const auto uses = closer().tariff_uses({"client:acme", "client:nobody"}, day(10, 11)).value();
  ASSERT_EQ(uses.size(), 1u);
  const TariffUse& use = uses.at("client:acme");
  EXPECT_EQ(use.cycle.from_ns, day(10, 1));
  EXPECT_EQ(use.cycle.to_ns, day(11, 1));
  EXPECT_EQ(use.from_ns, day(10, 1));
  uint64_t octets = 0;
  Amount charged;
  for (const auto& [item, count] : use.octets) octets += count;
  for (const auto& [by, amount] : use.charged.value()) charged += amount;
  EXPECT_EQ(octets, 6 * kGb);
  EXPECT_EQ(
      charged,
      closer().unbilled({"client:acme"}, day(10, 11)).value().accounts.at("client:acme").amount);
  EXPECT_TRUE(closer().tariff_uses({"client:acme"}, day(11, 2)).value().empty())
      << "a period that waits to be closed says nothing of the next";
}

ANABRANCH_BOTH_STORES(Closings);

}  // namespace
}  // namespace anabranch::billing
