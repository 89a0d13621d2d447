// SPDX-License-Identifier: BSD-3-Clause
// What a month comes to, by each way of charging. (Random months: price_property_test.cc, and
// price_oracle.py.)
#include "billing/price.h"

#include <gtest/gtest.h>

#include "billing/exact.h"
#include "tests/billing/month.h"

namespace anabranch::billing {
namespace {

using nlohmann::json;

json per_gb(const char* id, const char* price) {
  return {{"id", id}, {"per_gb", price}};
}

TEST(Prices, AnOctetIsChargedByTheFirstItemThatMatches) {
  Month month(tariff_of({{{"id", "cheap"}, {"providers", {"northfibre"}}, {"per_gb", "0.50"}},
                         {{"id", "copies"}, {"kinds", {"copy", "overhead"}}, {"free", true}},
                         per_gb("rest", "2.00")}));
  month.used("northfibre", 3 * kGb).used("airmobile", kGb).used("airmobile", kGb, 0, Kind::copy);
  month.used("northfibre", kGb, 0, Kind::copy);
  EXPECT_EQ(told(month.charges()),
            "airmobile copies 0.00, airmobile rest 2.00, northfibre cheap 2.00");
}

TEST(Prices, AShortFormChargesWhatItNamesAndNothingElse) {
  const json document{{"id", "standard"},
                      {"currency", "EUR"},
                      {"prices", {{{"provider", "a"}, {"per_gb", "0.123456789"}}}},
                      {"charged", {"first", "copy"}}};
  Month month(document);
  Amount expected;
  for (size_t kind = 0; kind < kKindNames.size(); ++kind) {
    month.used("a", 12'345'678 * (kind + 1), 0, static_cast<Kind>(kind));
    const auto k = static_cast<Kind>(kind);
    if (k == Kind::first || k == Kind::copy)
      expected += Amount::from_attos(123'456'789).times(12'345'678 * (kind + 1));
  }
  Amount exact;
  for (const ChargeLine& line : month.charges().lines) exact += line.exact;
  EXPECT_EQ(exact, expected);
  EXPECT_NE(
      month.used("b", 1).refusal().find("no item charges 1 octets (first, sent) of provider b"),
      std::string::npos);
}

// A thousand records of which each costs half a thousandth of a cent.
TEST(Prices, ALineIsRoundedOnceAndNotEachRecord) {
  Month month(tariff_of({per_gb("traffic", "0.498")}));
  for (int i = 0; i < 1000; ++i) month.used("a", 1'000'000, i * kSecondNs);
  const ChargeLine line = month.charges().lines.at(0);
  EXPECT_EQ(to_text(line.exact), "0.498");
  EXPECT_EQ(to_text(line.amount), "0.50");
}

TEST(Prices, GraduatedTiersChargeEachOctetAtItsTier) {
  const json tariff = tariff_of(
      {{{"id", "traffic"},
        {"graduated", {{{"up_to_gb", "100"}, {"per_gb", "0.50"}}, {{"per_gb", "0.30"}}}}}});
  EXPECT_EQ(Month(tariff).used("a", 100 * kGb).net(), "50.00");
  EXPECT_EQ(Month(tariff).used("a", 150 * kGb).net(), "65.00");
  EXPECT_EQ(Month(tariff).used("a", 0).net(), "0.00");
  const ChargeLine line = Month(tariff).used("a", 150 * kGb).charges().lines.at(0);
  ASSERT_EQ(line.at.size(), 2u);
  EXPECT_EQ(to_text(line.at[1].quantity, 0) + " at " + to_text(line.at[1].price), "50 at 0.30");
}

TEST(Prices, VolumeTiersChargeAllAtTheTierReached) {
  const json tariff =
      tariff_of({{{"id", "traffic"},
                  {"volume", {{{"up_to_gb", "100"}, {"per_gb", "0.50"}}, {{"per_gb", "0.30"}}}}}});
  EXPECT_EQ(Month(tariff).used("a", 100 * kGb).net(), "50.00");
  EXPECT_EQ(Month(tariff).used("a", 100 * kGb + 1).net(), "30.00");
}

// Tiers are reached by all that the item charges; each provider has its part of each tier.
TEST(Prices, AnItemCountsAllItsProvidersTogetherAndDividesWhatItComesTo) {
  Month month(tariff_of(
      {{{"id", "traffic"},
        {"graduated", {{{"up_to_gb", "100"}, {"per_gb", "1.00"}}, {{"per_gb", "0.10"}}}}}}));
  month.used("alpha", 150 * kGb).used("beta", 50 * kGb);
  EXPECT_EQ(told(month.charges()), "alpha traffic 82.50, beta traffic 27.50");
  month.used("beta", 1);  // no octet is lost where it does not divide evenly
  const auto charges = month.charges();
  Int128 octets = 0;
  for (const ChargeLine& line : charges.lines) {
    for (const ChargedAt& at : line.at) octets += at.quantity.attos() / 1'000'000'000;
  }
  EXPECT_EQ(octets, static_cast<Int128>(200 * kGb + 1));
  EXPECT_EQ(charges.lines[0].exact + charges.lines[1].exact,
            Amount::from_attos(110 * kAttosPerUnit + 100'000'000));
}

TEST(Prices, AnAllowanceIsFreeAndWhatIsBeyondIsNot) {
  const json tariff =
      tariff_of({{{"id", "traffic"}, {"allowance", {{"gb", "100"}, {"per_gb", "0.40"}}}}});
  EXPECT_EQ(Month(tariff).used("a", 60 * kGb).used("b", 40 * kGb).net(), "0.00");
  EXPECT_EQ(told(Month(tariff).used("a", 75 * kGb).used("b", 75 * kGb).charges()),
            "a traffic 10.00, b traffic 10.00");
}

TEST(Prices, FeesCommitsAndAllowancesOfAPartAreByItsExactTime) {
  BilledPeriod half = june();
  half.part.to_ns = half.part.from_ns + half.part.length_ns() / 2;
  const auto net = [&](json item, bool prorated) {
    if (!prorated) item["prorated"] = false;
    return Month(tariff_of({item, per_gb("traffic", "0.00")}), {}, half).used("a", 80 * kGb).net();
  };
  const json fee{{"id", "line"}, {"flat", "49.00"}}, commit{{"id", "least"}, {"commit", "30.00"}};
  const json free{{"id", "free"}, {"allowance", {{"gb", "100"}, {"per_gb", "1.00"}}}};
  EXPECT_EQ(net(fee, true) + " " + net(fee, false), "24.50 49.00");
  EXPECT_EQ(net(commit, true) + " " + net(commit, false), "15.00 30.00");
  EXPECT_EQ(net(free, true) + " " + net(free, false), "30.00 0.00");
}

// 30 March 2026 begins 743 hours before that month's end less the 29 days that have passed.
TEST(Prices, ADayOfAMonthWithAChangeOfTheClockCostsItsHours) {
  BilledPeriod march = month_of(2026, 3);
  march.part = {Zone::find("Europe/Berlin")->begin_ns({2026, 3, 29}),
                Zone::find("Europe/Berlin")->begin_ns({2026, 3, 30})};
  EXPECT_EQ(Month(tariff_of({{{"id", "line"}, {"flat", "743.00"}}}), {}, march).net(), "23.00");
}

TEST(Prices, PartsOfACycleCostTheWholeFee) {
  const BilledPeriod whole = june();
  Amount exact;
  for (const auto& [from, to] : {std::pair(0, 7), {7, 11}, {11, 30}}) {
    BilledPeriod part = whole;
    part.part = {whole.part.from_ns + from * 24 * kHourNs, whole.part.from_ns + to * 24 * kHourNs};
    exact += Month(tariff_of({{{"id", "line"}, {"flat", "30.00"}}}), {}, part)
                 .charges()
                 .lines.at(0)
                 .exact;
  }
  EXPECT_EQ(to_text(exact), "30.00");
}

// --- 95th percentile

// `busy` slots of the month with so many octets, each way.
Month burst(const json& item, int busy, uint64_t sent, uint64_t received,
            const BilledPeriod& period = june()) {
  Month month(tariff_of({item}), {}, period);
  for (int i = 0; i < busy; ++i) {
    const int64_t at = i * 300 * kSecondNs;
    month.used("a", sent, at);
    month.used("b", received, at + kSecondNs, Kind::first, Direction::received);
  }
  return month;
}
json percentile(const char* of) {
  return {{"id", "burst"}, {"percentile", {{"of", of}, {"per_mbps", "10.00"}}}};
}
constexpr uint64_t kMbpsSlot = 300 * 1'000'000 / 8;  // octets of a slot at 1 Mbit/s

TEST(Prices, APercentileLeavesOutTheBusiestTwentiethOfAllSlots) {
  // 30 days: 8640 slots, of which 432 are left out. 31 days: 8928, 446.
  EXPECT_EQ(burst(percentile("higher"), 432, kMbpsSlot, 0).net(), "0.00");
  EXPECT_EQ(burst(percentile("higher"), 433, kMbpsSlot, 0).net(), "10.00");
  EXPECT_EQ(burst(percentile("higher"), 446, kMbpsSlot, 0, month_of(2026, 7)).net(), "0.00");
  EXPECT_EQ(burst(percentile("higher"), 447, kMbpsSlot, 0, month_of(2026, 7)).net(), "10.00");
}

TEST(Prices, APercentileIsOfTheHigherDirectionOrOfTheirSum) {
  EXPECT_EQ(burst(percentile("higher"), 500, kMbpsSlot, 3 * kMbpsSlot).net(), "30.00");
  EXPECT_EQ(burst(percentile("sum"), 500, kMbpsSlot, 3 * kMbpsSlot).net(), "40.00");
}

// Adding up percentiles of paths that are busy at different times would charge nothing.
TEST(Prices, PathsAreAddedUpInEachSlotBeforeThePercentileIsTaken) {
  Month month(tariff_of({percentile("higher")}));
  for (int i = 0; i < 600; ++i) month.used(i < 300 ? "a" : "b", kMbpsSlot, i * 300 * kSecondNs);
  EXPECT_EQ(told(month.charges()), "a burst 5.00, b burst 5.00");
}

TEST(Prices, ACommittedRateIsChargedWhateverIsUsed) {
  const json item{
      {"id", "burst"},
      {"percentile", {{"per_mbps", "2.00"}, {"commit_mbps", "100"}, {"overage_per_mbps", "3.00"}}}};
  EXPECT_EQ(Month(tariff_of({item})).net(), "200.00");
  EXPECT_EQ(burst(item, 500, 50 * kMbpsSlot, 0).net(), "200.00");
  EXPECT_EQ(burst(item, 500, 110 * kMbpsSlot, 0).net(), "230.00");
}

TEST(Prices, APercentileIsTheNearestRankRoundedUp) {
  json item = percentile("higher");
  item["percentile"]["percent"] = 99;
  BilledPeriod part = june();
  part.part.to_ns = part.part.from_ns + 99 * 300 * kSecondNs;  // 99 slots: the 98.01th is the last
  part.cycle = part.part;
  EXPECT_EQ(burst(item, 1, kMbpsSlot, 0, part).net(), "10.00");
}

TEST(Prices, APartThatBeginsWithinASlotHasThatSlot) {
  json item = percentile("higher");
  item["percentile"]["percent"] = 50;
  BilledPeriod part = june();
  part.part = {part.part.from_ns + 60 * kSecondNs, part.part.from_ns + 600 * kSecondNs};
  part.cycle = part.part;
  Month month(tariff_of({item}), {}, part);
  EXPECT_EQ(month.used("a", kMbpsSlot, 0).net(), "0.00") << "one of two slots is busy";
  EXPECT_EQ(month.used("a", kMbpsSlot, 300 * kSecondNs).net(), "10.00");
}

TEST(Prices, APercentileOfWorkingHoursIsOfTheSlotsInThem) {
  json item = percentile("higher");
  item["times"] = {{{"days", {"mon"}}, {"from", "08:00"}, {"to", "09:00"}}};
  Month month(tariff_of({item}));  // June 2026 has five Mondays: 60 slots, of which 3 are left out
  const auto monday = [&](int slot) { return 8 * kHourNs + slot * 300 * kSecondNs; };
  for (int slot = 0; slot < 3; ++slot) month.used("a", kMbpsSlot, monday(slot));
  EXPECT_EQ(month.net(), "0.00");
  month.used("a", kMbpsSlot, monday(3));
  EXPECT_EQ(month.net(), "10.00");
}

// --- passed through

TEST(Prices, AProvidersOwnTariffIsPassedThroughWithAMargin) {
  const json tariff =
      tariff_of({{{"id", "carriers"},
                  {"pass_through", {{"margin_percent", "7.5"}, {"margin_per_gb", "0.01"}}}}});
  const Documents providers{
      {"northfibre", tariff_of({{{"id", "port"}, {"flat", "100.00"}}, per_gb("transit", "0.40")})},
      {"airmobile", tariff_of({per_gb("data", "2.00")})}};
  EXPECT_EQ(told(Month(tariff, providers).used("northfibre", 100 * kGb).charges()),
            "northfibre carriers/port 107.50, northfibre carriers/transit 43.00, "
            "northfibre carriers 1.00");
  EXPECT_EQ(Month(tariff, providers).net(), "0.00") << "nothing used, no fees passed on";
}

TEST(Prices, AProvidersFeesArePassedOnOnceHoweverManyItemsPassItThrough) {
  const json tariff =
      tariff_of({{{"id", "copies"}, {"kinds", {"copy"}}, {"pass_through", json::object()}},
                 {{"id", "rest"}, {"pass_through", {{"margin_percent", "10"}}}}});
  const Documents providers{
      {"a", tariff_of({{{"id", "port"}, {"flat", "100.00"}}, per_gb("transit", "1.00")})}};
  EXPECT_EQ(told(Month(tariff, providers).used("a", kGb).used("a", kGb, 0, Kind::copy).charges()),
            "a copies/port 100.00, a copies/transit 1.00, a rest/transit 1.10");
  EXPECT_EQ(told(Month(tariff, providers).used("a", kGb).charges()),
            "a rest/port 110.00, a rest/transit 1.10");
}

TEST(Prices, AnotherCurrencyIsConvertedByTheRatesOfTheLastDay) {
  const json tariff = tariff_of({{{"id", "carriers"}, {"pass_through", json::object()}}});
  const Documents providers{{"us", tariff_of({per_gb("data", "1.00")}, "USD")}};
  ExchangeRates rates;
  for (const auto& [day, usd] :
       {std::pair("2026-06-29", "2.0"), {"2026-06-30", "1.25"}, {"2026-07-01", "4.0"}}) {
    rates.add(parse_rates({{"id", day}, {"date", day}, {"base", "EUR"}, {"rates", {{"USD", usd}}}})
                  .value());
  }
  Month month(tariff, providers);
  month.used("us", kGb);
  const auto charges = month.charges(rates);
  EXPECT_EQ(told(charges), "us carriers/data 0.80");
  EXPECT_EQ(charges.lines[0].conversion->sheet, "2026-06-30");
  EXPECT_EQ(month.refusal(),
            "tariff t passes t through: no exchange rate from USD to EUR of 2026-06-30 or before; "
            "store a document of rates that has both");
}

TEST(Prices, WhatCannotBePassedThroughIsRefused) {
  const json tariff = tariff_of({{{"id", "carriers"}, {"pass_through", json::object()}}});
  EXPECT_NE(Month(tariff).used("a", 5).refusal().find("provider a has no tariff"),
            std::string::npos);
  EXPECT_NE(Month(tariff, {{"a", tariff_of({{{"id", "x"}, {"kinds", {"copy"}}, {"per_gb", "1"}}})}})
                .used("a", 5)
                .refusal()
                .find("no item charges 5 octets"),
            std::string::npos);
  const auto again = PriceList::make(june(), Zone::utc(), parsed(tariff), {{"a", parsed(tariff)}});
  ASSERT_FALSE(again.has_value());
  EXPECT_NE(again.error().find("passes through again"), std::string::npos);
}

TEST(Prices, WhatWeOweAProviderIsByATariffOfTheSameKind) {
  const json own =
      tariff_of({{{"id", "transit"},
                  {"graduated", {{{"up_to_gb", "10"}, {"per_gb", "1.00"}}, {{"per_gb", "0.50"}}}}},
                 {{"id", "port"}, {"flat", "100.00"}, {"providers", {"northfibre"}}}});
  const auto owed = Month(own).used("northfibre", 30 * kGb).charges();
  EXPECT_EQ(told(owed), "northfibre transit 20.00, northfibre port 100.00");
  const json through = tariff_of({{{"id", "carriers"}, {"pass_through", json::object()}}});
  const auto charged = Month(through, {{"northfibre", own}}).used("northfibre", 30 * kGb).charges();
  EXPECT_EQ(charged.net, owed.net);
  EXPECT_EQ(charged.passed.at("northfibre").second, parsed(own).version);
}

// --- commits

TEST(Prices, WhatIsMissingToACommitIsChargedAndNoMore) {
  const json tariff = tariff_of({per_gb("traffic", "1.00"),
                                 {{"id", "line"}, {"flat", "5.00"}},
                                 {{"id", "least"}, {"commit", "100.00"}}});
  EXPECT_EQ(told(Month(tariff).used("a", 30 * kGb).charges()),
            "line 5.00, least 70.00, a traffic 30.00");
  EXPECT_EQ(told(Month(tariff).used("a", 101 * kGb).charges()), "line 5.00, a traffic 101.00");
}

// Three lines of a third each are 33.33: their sum is 99.99, and the commit 100.00 all the same.
TEST(Prices, LinesAndWhatIsMissingComeToTheCommitToTheCent) {
  Month month(tariff_of({per_gb("traffic", "1.00"), {{"id", "least"}, {"commit", "100.00"}}}));
  for (const char* provider : {"a", "b", "c"}) month.used(provider, 33 * kGb + kGb / 3);
  const auto charges = month.charges();
  EXPECT_EQ(told(charges), "least 0.01, a traffic 33.33, b traffic 33.33, c traffic 33.33");
  EXPECT_EQ(to_text(charges.net), "100.00");
}

TEST(Prices, ACommitMayBeToOneProviderOrToSomeItems) {
  Month month(tariff_of({{{"id", "day"}, {"kinds", {"first"}}, {"per_gb", "1.00"}},
                         per_gb("rest", "1.00"),
                         {{"id", "to-a"}, {"commit", "10.00"}, {"providers", {"a"}}},
                         {{"id", "to-day"}, {"commit", "10.00"}, {"items", {"day"}}}}));
  month.used("a", 4 * kGb).used("b", 3 * kGb).used("b", kGb, 0, Kind::copy);
  EXPECT_EQ(told(month.charges()), "to-day 3.00, a day 4.00, a to-a 6.00, b day 3.00, b rest 1.00");
}

// --- times of day

// An octet a second all month: octets are seconds, and the clock on the wall says of which.
TEST(Prices, ANightIsShorterWhenTheClockIsPutForward) {
  for (const auto& [month, nights] : {std::pair(2u, 28 * 8), {3u, 31 * 8 - 1}, {10u, 31 * 8 + 1}}) {
    const BilledPeriod period = month_of(2026, month);
    PeriodUsage usage(
        price_list(period, tariff_of({{{"id", "night"},
                                       {"times", {{{"from", "22:00"}, {"to", "06:00"}}}},
                                       {"per_octet", "1"}},
                                      {{"id", "day"}, {"per_octet", "0.01"}}})));
    const auto seconds = static_cast<uint64_t>(period.part.length_ns() / kSecondNs);
    usage.add(usage.place({"a", "n", "p", "g"}), 1, Direction::sent, Kind::first, {seconds, 0},
              period.part);
    const auto charges = price(usage).value();
    EXPECT_EQ(charges.lines.at(0).count.octets, nights * 3600u) << "month " << month;
    EXPECT_EQ(charges.lines.at(1).count.octets, seconds - nights * 3600u) << "month " << month;
  }
}

TEST(Prices, ATariffMayHaveAZoneOfItsOwn) {
  json tariff = tariff_of(
      {{{"id", "morning"}, {"times", {{{"from", "06:00"}, {"to", "07:00"}}}}, {"per_gb", "1"}},
       per_gb("rest", "0")});
  EXPECT_EQ(told(Month(tariff).used("a", kGb, 6 * kHourNs).charges()), "a morning 1.00");
  tariff["zone"] = "America/New_York";
  EXPECT_EQ(told(Month(tariff).used("a", kGb, 6 * kHourNs).charges()), "a rest 0.00");
  EXPECT_EQ(told(Month(tariff).used("a", kGb, 12 * kHourNs).charges()), "a morning 1.00");
}

// --- taxes

TEST(Prices, TaxIsOfTheSumOfItsCategoryAndPercentage) {
  json tariff = tariff_of({per_gb("traffic", "0.10"),
                           {{"id", "line"}, {"flat", "10.03"}},
                           {{"id", "abroad"},
                            {"flat", "5.00"},
                            {"tax", {{"category", "AE"}, {"reason", "Reverse charge"}}}}});
  tariff["tax"] = {{"category", "S"}, {"percent", "19"}};
  const auto charges = Month(tariff).used("a", kGb).charges();
  ASSERT_EQ(charges.taxes.size(), 2u);
  EXPECT_EQ(to_text(charges.taxes[0].net) + " " + to_text(charges.taxes[0].due), "10.13 1.92");
  EXPECT_EQ(std::string(charges.taxes[1].tax.code()) + " " + to_text(charges.taxes[1].due),
            "AE 0.00");
  EXPECT_EQ(to_text(charges.net) + " " + to_text(charges.tax) + " " + to_text(charges.gross),
            "15.13 1.92 17.05");
}

TEST(Prices, CoinsAreThoseOfTheCurrency) {
  for (const auto& [currency, amount] : {std::pair("JPY", "1"), {"EUR", "1.23"}, {"KWD", "1.235"}})
    EXPECT_EQ(
        to_text(Month(tariff_of({per_gb("x", "1.2345")}, currency)).used("a", kGb).charges().net,
                0),
        amount);
}

// --- beyond what can be counted

TEST(Prices, WhatIsBeyondReckoningIsAnErrorInWords) {
  EXPECT_EQ(
      Month(tariff_of({{{"id", "x"}, {"per_octet", "1000000"}}})).used("a", UINT64_MAX).refusal(),
      "tariff t, item x, provider a: comes to more than 10^20 EUR; a price must be wrong");
  EXPECT_NE(Month(tariff_of({per_gb("x", "0")}))
                .used("a", UINT64_MAX)
                .used("b", 1)
                .refusal()
                .find("more than 2^64 octets"),
            std::string::npos);
  EXPECT_NE(Month(tariff_of({per_gb("x", "0")}))
                .used("a", UINT64_MAX)
                .used("a", 1)
                .refusal()
                .find("more than 2^64 octets"),
            std::string::npos);
  EXPECT_EQ(Month(tariff_of({{{"id", "x"}, {"per_octet", "8"}}}))
                .used("a", UINT64_MAX / 2)
                .used("b", UINT64_MAX / 2)
                .refusal(),
            "tariff t: the sum is beyond 10^20 EUR; a price must be wrong");
}

TEST(ExactAmounts, ThirdsAreExactUntilTheyAreCutOff) {
  const Exact third = Exact(Amount::from_attos(1)).times(1, 3);
  EXPECT_EQ(third.cut_off(), Amount());
  EXPECT_EQ((third + third + third).cut_off(), Amount::from_attos(1));
  EXPECT_EQ(third.times(300).cut_off(), Amount::from_attos(100));
  EXPECT_EQ((third + Exact(Amount::from_attos(7)).times(2, 7)).times(3).cut_off(),
            Amount::from_attos(7));
}

TEST(ExactAmounts, OverflowIsRememberedAndNeverWrapsAround) {
  const Amount most = Amount::from_attos(kAttosPerUnit * 10'000'000'000 * 10'000'000'000);
  EXPECT_EQ(Exact(most).cut_off(), most);
  EXPECT_FALSE(Exact(most + Amount::from_attos(1)).cut_off());
  const Uint128 huge = ~Uint128{0};
  EXPECT_EQ(Exact(most).times(huge).times(huge).times(1, huge).times(1, huge).cut_off(), most);
  Exact beyond(most);
  for (int i = 0; i < 5; ++i) beyond = beyond.times(huge);
  for (int i = 0; i < 5; ++i) beyond = beyond.times(1, huge);
  EXPECT_FALSE(beyond.cut_off());
  EXPECT_FALSE((beyond + Exact()).cut_off());
}

TEST(ExchangeRateDocuments, MistakesAreNamedByTheirField) {
  const auto pointers = [](const json& document) {
    const auto sheet = parse_rates(document);
    std::string all;
    for (const auto& e : sheet ? DocumentErrors{} : sheet.error()) all += e.pointer + " ";
    return all;
  };
  EXPECT_EQ(pointers({{"id", "x"},
                      {"date", "2026-02-30"},
                      {"base", "EUR"},
                      {"rates", {{"EUR", "1"}, {"USD", "0"}, {"XXX", "1.0"}, {"JPY", 1.5}}},
                      {"source", "ECB"}}),
            "/source /date /rates/EUR /rates/JPY /rates/USD /rates/XXX ");
}

}  // namespace
}  // namespace anabranch::billing
