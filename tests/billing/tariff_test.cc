// SPDX-License-Identifier: BSD-3-Clause
// Tariff documents: what is understood, and what is refused with all of its mistakes.
#include "billing/tariff.h"

#include <gtest/gtest.h>

#include "billing/guide_price.h"

#include <random>
#include <vector>

#include "tests/billing/month.h"

namespace anabranch::billing {
namespace {

using nlohmann::json;

std::string pointers(const json& document) {
  const auto parsed = parse_tariff(document);
  if (parsed) return "none";
  std::string all;
  for (const DocumentError& e : parsed.error()) all += (all.empty() ? "" : " ") + e.pointer;
  return all;
}

// A tariff of one item, which has an id and what is given.
json with_item(const json& fields) {
  json item{{"id", "traffic"}};
  item.update(fields);
  return {{"id", "t"}, {"currency", "EUR"}, {"items", {item}}};
}

TariffItem item_of(const json& fields) {
  auto parsed = parse_tariff(with_item(fields));
  EXPECT_TRUE(parsed.has_value()) << (parsed ? "" : parsed.error()[0].detail);
  return parsed ? parsed->items[0] : TariffItem{};
}

TEST(TariffDocuments, TheExampleOfTheHeaderIsUnderstood) {
  const auto tariff = parse_tariff(json::parse(R"(
    {"id": "business", "currency": "EUR", "tax": {"category": "S", "percent": "19"},
     "items": [
       {"id": "night", "times": [{"from": "22:00", "to": "06:00"}], "per_gb": "0.10"},
       {"id": "mobile", "providers": ["airmobile"], "pass_through": {"margin_percent": "7.5"}},
       {"id": "day", "graduated": [{"up_to_gb": "100", "per_gb": "0.50"}, {"per_gb": "0.30"}]},
       {"id": "line", "flat": "49.00"}]})"));
  ASSERT_TRUE(tariff.has_value());
  ASSERT_EQ(tariff->items.size(), 4u);
  EXPECT_EQ(to_text(std::get<PassThrough>(tariff->items[1].model).percent), "7.50");
  EXPECT_EQ(to_text(std::get<Flat>(tariff->items[3].model).fee), "49.00");
  // What an octet is expected to cost: passed through where it is, else by day.
  const Tariff own =
      parse_tariff(
          {{"id", "w"}, {"currency", "EUR"}, {"items", {{{"id", "x"}, {"per_gb", "2.00"}}}}})
          .value();
  EXPECT_EQ(guide_price(*tariff, "airmobile", "lte", "m", &own)->attos(), 2'150'000'000);
  EXPECT_FALSE(guide_price(*tariff, "airmobile", "lte", "m"));
  EXPECT_EQ(guide_price(*tariff, "northfibre", "metro", "f")->attos(), 500'000'000);
}

class WhatAnOctetMoreCosts : public testing::Test {
 protected:
  static constexpr int64_t kDayNs = 86'400LL * 1'000'000'000;
  static constexpr uint64_t kGb = 1'000'000'000;

  // Of an octet of the first item on a path of alpha's, ten days into a cycle of thirty.
  std::optional<Amount> price(const json& items) const {
    const Tariff tariff =
        parse_tariff({{"id", "t"}, {"currency", "EUR"}, {"items", items}}).value();
    return guide_price(tariff, "alpha", "n", "p", nullptr, &use_);
  }
  std::optional<Amount> price(const json& items, uint64_t octets) {
    use_.octets = {{"a", octets}};
    return price(items);
  }
  // In whole units.
  void charge(std::map<TariffUse::ByProvider, int> units) {
    use_.charged.emplace();
    for (const auto& [by, sum] : units)
      (*use_.charged)[by] = Amount::from_attos(sum * kAttosPerUnit);
  }
  static Amount per_gb(const char* text) {
    return Amount::from_attos(parse_amount(text)->attos() / kGb);
  }

  TariffUse use_ = [] {
    TariffUse use;
    use.cycle = {0, 30 * kDayNs};
    use.at_ns = 10 * kDayNs;
    return use;
  }();
};

TEST_F(WhatAnOctetMoreCosts, IsOfTheTierInWhichThePeriodEnds) {
  for (const char* model : {"graduated", "volume"}) {
    const json items{{{"id", "a"},
                      {model,
                       {{{"up_to_gb", "30"}, {"per_gb", "0.50"}},
                        {{"up_to_gb", "60"}, {"per_gb", "0.30"}},
                        {{"per_gb", "0.20"}}}}}};
    use_.at_ns = 10 * kDayNs;
    EXPECT_EQ(price(items, 0), per_gb("0.50"));
    EXPECT_EQ(price(items, 9 * kGb), per_gb("0.50")) << "27 in the end";
    EXPECT_EQ(price(items, 11 * kGb), per_gb("0.30")) << "33 in the end";
    EXPECT_EQ(price(items, 21 * kGb), per_gb("0.20")) << "63 in the end";
    use_.at_ns = 30 * kDayNs;
    EXPECT_EQ(price(items, 31 * kGb), per_gb("0.30")) << "the cycle is over";
    use_.at_ns = kDayNs / 10;
    EXPECT_EQ(price(items, 3 * kGb / 2), per_gb("0.30")) << "two hours are a day: 45";
    use_.octets = {{"b", 99 * kGb}};
    EXPECT_EQ(price(items), per_gb("0.50")) << "another item's";
  }
}

TEST_F(WhatAnOctetMoreCosts, IsNothingWithinAnAllowanceThatWillDo) {
  json item{{"id", "a"}, {"allowance", {{"gb", "30"}, {"per_gb", "2.00"}}}};
  EXPECT_EQ(price(json::array({item})), Amount()) << "nothing is used";
  EXPECT_EQ(price(json::array({item}), 9 * kGb), Amount());
  EXPECT_EQ(price(json::array({item}), 11 * kGb), per_gb("2.00"));
  // Of a client of the last ten days it is a third.
  use_.from_ns = 20 * kDayNs;
  use_.at_ns = 25 * kDayNs;
  EXPECT_EQ(price(json::array({item}), 4 * kGb), Amount());
  EXPECT_EQ(price(json::array({item}), 6 * kGb), per_gb("2.00"));
  item["prorated"] = false;
  EXPECT_EQ(price(json::array({item}), 6 * kGb), Amount());
}

TEST_F(WhatAnOctetMoreCosts, IsNothingWhereACommitmentIsPaidForThatIsNotReached) {
  const auto items = [](const json& commit) {
    return json{{{"id", "a"}, {"providers", {"alpha"}}, {"per_gb", "1.00"}},
                {{"id", "b"}, {"per_gb", "1.00"}},
                commit};
  };
  const json of_a = items({{"id", "least"}, {"commit", "30.00"}, {"items", {"a"}}});
  EXPECT_EQ(price(of_a), per_gb("1.00")) << "what is charged is not known";
  charge({});
  EXPECT_EQ(price(of_a), Amount());
  charge({{{"alpha", "a"}, 9}});
  EXPECT_EQ(price(of_a), Amount());
  charge({{{"alpha", "a"}, 11}});
  EXPECT_EQ(price(of_a), per_gb("1.00")) << "33 in the end";
  charge({{{"alpha", "a"}, 9}, {{"beta", "b"}, 9}});
  EXPECT_EQ(price(of_a), Amount()) << "b is not of the commitment";
  EXPECT_EQ(price(items({{"id", "least"}, {"commit", "30.00"}})), per_gb("1.00")) << "here it is";
  EXPECT_EQ(price(items({{"id", "least"}, {"commit", "30.00"}, {"providers", {"alpha"}}})),
            Amount());
  charge({});
  EXPECT_EQ(price(items({{"id", "least"}, {"commit", "30.00"}, {"providers", {"beta"}}})),
            per_gb("1.00"))
      << "another provider's";
  // Of a client of the last ten days it is 10.00.
  use_.from_ns = 20 * kDayNs;
  use_.at_ns = 25 * kDayNs;
  charge({{{"alpha", "a"}, 6}});
  EXPECT_EQ(price(of_a), per_gb("1.00"));
}

TEST_F(WhatAnOctetMoreCosts, IsThatOfTheProvidersOwnTierWhereItIsPassedThrough) {
  const Tariff tariff =
      parse_tariff({{"id", "t"},
                    {"currency", "EUR"},
                    {"items", {{{"id", "a"}, {"pass_through", {{"margin_percent", "10"}}}}}}})
          .value();
  const Tariff own =
      parse_tariff(
          {{"id", "w"},
           {"currency", "EUR"},
           {"items",
            {{{"id", "x"},
              {"graduated", {{{"up_to_gb", "30"}, {"per_gb", "1.00"}}, {{"per_gb", "0.50"}}}}}}}})
          .value();
  EXPECT_EQ(guide_price(tariff, "alpha", "n", "p", &own, &use_), per_gb("1.10"));
  use_.passed[{"alpha", "x"}] = 11 * kGb;
  EXPECT_EQ(guide_price(tariff, "alpha", "n", "p", &own, &use_), per_gb("0.55"));
  EXPECT_TRUE(depends_on_use(tariff));
}

TEST(TariffDocuments, AShortFormIsAPriceForEachProviderAndTheRestFree) {
  const auto tariff = parse_tariff({{"id", "standard"},
                                    {"currency", "EUR"},
                                    {"prices",
                                     {{{"provider", "northfibre"}, {"per_gb", "0.50"}},
                                      {{"provider", "airmobile"}, {"per_gb", "2.40"}}}},
                                    {"charged", {"first", "repair"}}})
                          .value();
  ASSERT_EQ(tariff.items.size(), 3u);
  EXPECT_TRUE(std::holds_alternative<Free>(tariff.items[0].model));
  for (const TariffItem& item : tariff.items) {
    const bool charged = !std::holds_alternative<Free>(item.model);
    for (size_t kind = 0; kind < kKindNames.size(); ++kind)
      EXPECT_EQ(item.charges(static_cast<Kind>(kind)), charged == (kind < 2)) << kKindNames[kind];
  }
  EXPECT_EQ(tariff.items[1].providers, std::vector<std::string>{"airmobile"});
  EXPECT_EQ(std::get<PerOctet>(tariff.items[1].model).price.attos(), 2'400'000'000);
  EXPECT_EQ(guide_price(tariff, "northfibre", "n", "p")->attos(), 500'000'000);
  EXPECT_FALSE(guide_price(tariff, "other", "n", "p"));
}

TEST(TariffDocuments, WhatAShortFormMayLeaveOutOrRepeat) {
  json document{
      {"id", "t"}, {"currency", "EUR"}, {"prices", {{{"provider", "a"}, {"per_gb", "1"}}}}};
  // Which kinds the price is of: as bits.
  const auto charged = [&] { return parse_tariff(document)->items.back().kinds; };
  EXPECT_EQ(charged(), 0b0001111);
  document["charged"] = json::array();
  EXPECT_EQ(charged(), 0);
  document["charged"] = {"first", "first"};
  EXPECT_EQ(charged(), 0b0000001);
}

TEST(TariffDocuments, AnotherContentIsAnotherVersion) {
  const auto version = [](const char* price) {
    return parse_tariff(with_item({{"per_gb", price}}))->version;
  };
  EXPECT_EQ(version("0.5"), version("0.5"));
  EXPECT_NE(version("0.5"), version("0.6"));
}

TEST(TariffDocuments, PricesAreExact) {
  EXPECT_EQ(std::get<PerOctet>(item_of({{"per_gb", "0.123456789"}}).model).price.attos(),
            123'456'789);
  EXPECT_EQ(
      std::get<PerOctet>(item_of({{"per_octet", "0.000000000000000001"}}).model).price.attos(), 1);
  EXPECT_EQ(pointers(with_item({{"per_gb", "0.1234567891"}})), "/items/0/per_gb");
  EXPECT_EQ(pointers(with_item({{"per_gb", 0.5}})), "/items/0/per_gb");  // a number is not exact
  EXPECT_EQ(pointers(with_item({{"per_gb", "-1"}})), "/items/0/per_gb");
}

TEST(TariffDocuments, AnItemMatchesByWhatItNames) {
  const TariffItem item = item_of({{"providers", {"a", "b"}},
                                   {"networks", {"n"}},
                                   {"paths", {"p"}},
                                   {"direction", "received"},
                                   {"kinds", {"copy", "overhead"}},
                                   {"per_gb", "1"}});
  EXPECT_EQ(item.providers, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(item.networks, std::vector<std::string>{"n"});
  EXPECT_EQ(item.paths, std::vector<std::string>{"p"});
  EXPECT_EQ(item.direction, Direction::received);
  EXPECT_TRUE(item.charges(Kind::copy) && item.charges(Kind::overhead));
  EXPECT_FALSE(item.charges(Kind::first));
  EXPECT_TRUE(item_of({{"per_gb", "1"}}).charges(Kind::unattended)) << "no kinds named: all";
}

TEST(TariffDocuments, TimesOfDayMayPassMidnight) {
  const TariffItem item = item_of(
      {{"times", {{{"days", {"fri", "sat"}}, {"from", "22:00"}, {"to", "06:05"}}, json::object()}},
       {"per_gb", "1"}});
  EXPECT_EQ(item.times[0], (TimeWindow{.days = 0x30, .from_minute = 1320, .to_minute = 365}));
  EXPECT_EQ(item.times[1], TimeWindow{});
  for (const char* wrong : {"8:00", "08:01", "24:05", "25:00", "0800", "08:60", "08-00", "::::0"})
    EXPECT_EQ(pointers(with_item({{"times", {{{"from", wrong}}}}, {"per_gb", "1"}})),
              "/items/0/times/0/from")
        << wrong;
  EXPECT_EQ(
      pointers(with_item({{"times", {{{"from", "08:00"}, {"to", "08:00"}}}}, {"per_gb", "1"}})),
      "/items/0/times/0");
}

TEST(TariffDocuments, TiersRiseAndTheLastHasNoEnd) {
  const auto tiers = [](const json& list) { return with_item({{"graduated", list}}); };
  const json first{{"up_to_gb", "0.000000001"}, {"per_gb", "3"}}, last{{"per_gb", "1"}};
  const auto model = std::get<Graduated>(item_of({{"graduated", {first, last}}}).model);
  EXPECT_EQ(model.tiers[0].up_to, 1u);
  EXPECT_EQ(model.tiers[0].per_octet.attos(), 3'000'000'000);
  EXPECT_EQ(model.tiers[1].up_to, UINT64_MAX);
  EXPECT_EQ(pointers(tiers({first, first, last})), "/items/0/graduated/1/up_to_gb");
  EXPECT_EQ(pointers(tiers(json::array({first}))), "/items/0/graduated/0/up_to_gb");
  EXPECT_EQ(pointers(tiers({last, last})), "/items/0/graduated/0/up_to_gb");
  EXPECT_EQ(pointers(tiers(json::array())), "/items/0/graduated");
  EXPECT_EQ(pointers(tiers({{{"up_to_gb", "18446744074"}, {"per_gb", "1"}}, last})),
            "/items/0/graduated/0/up_to_gb")
      << "more than 2^64 octets";
}

TEST(TariffDocuments, AnItemHasOneWayToCharge) {
  EXPECT_EQ(pointers(with_item(json::object())), "/items/0");
  EXPECT_EQ(pointers(with_item({{"free", false}})), "/items/0");
  EXPECT_EQ(pointers(with_item({{"per_gb", "1"}, {"flat", "2"}})), "/items/0/flat");
  EXPECT_EQ(pointers(with_item({{"free", true}})), "none");
}

TEST(TariffDocuments, AFeeIsOfACycleAndOfNoOctets) {
  EXPECT_FALSE(item_of({{"flat", "49.00"}, {"prorated", false}}).prorated);
  EXPECT_EQ(pointers(with_item({{"flat", "49"}, {"kinds", {"first"}}})), "/items/0/kinds");
  EXPECT_EQ(pointers(with_item({{"commit", "49"}, {"providers", {"a", "b"}}})),
            "/items/0/providers");
  EXPECT_EQ(pointers(with_item({{"commit", "49"}, {"items", {"other"}}})), "/items/0/items");
  EXPECT_EQ(pointers(with_item({{"per_gb", "1"}, {"prorated", true}})), "/items/0/prorated");
  EXPECT_EQ(pointers(with_item({{"per_gb", "1"}, {"items", {"x"}}})), "/items/0/items");
}

TEST(TariffDocuments, APercentileHasACommitBeforeItsOverage) {
  const auto model = std::get<Percentile>(
      item_of(
          {{"percentile",
            {{"of", "sum"}, {"per_mbps", "2"}, {"commit_mbps", "0.5"}, {"overage_per_mbps", "3"}}}})
          .model);
  EXPECT_EQ(model.percent, 95);
  EXPECT_EQ(model.of, Percentile::Of::sum);
  EXPECT_EQ(model.commit_bps, 500'000u);
  EXPECT_EQ(to_text(model.overage_per_mbps), "3.00");
  EXPECT_EQ(pointers(with_item({{"percentile", {{"per_mbps", "2"}, {"overage_per_mbps", "3"}}}})),
            "/items/0/percentile/overage_per_mbps");
  EXPECT_EQ(pointers(with_item({{"percentile", {{"per_mbps", "2"}, {"percent", 0}}}})),
            "/items/0/percentile/percent");
  EXPECT_EQ(pointers(with_item({{"percentile", 95}})), "/items/0/percentile");
}

TEST(TariffDocuments, TaxesAreThoseOfEn16931) {
  const auto tax = [](const json& tax) { return with_item({{"per_gb", "1"}, {"tax", tax}}); };
  EXPECT_EQ(pointers(tax({{"category", "S"}, {"percent", "19"}})), "none");
  for (const char* code : {"E", "AE", "O", "G", "K"}) {
    EXPECT_EQ(pointers(tax({{"category", code}, {"reason", "because"}})), "none");
    EXPECT_EQ(pointers(tax({{"category", code}})), "/items/0/tax/reason");
    EXPECT_EQ(pointers(tax({{"category", code}, {"reason", "x"}, {"percent", "1"}})),
              "/items/0/tax/percent");
  }
  EXPECT_EQ(pointers(tax({{"category", "Z"}})), "none");
  EXPECT_EQ(pointers(tax({{"category", "Z"}, {"reason", "x"}})), "/items/0/tax/reason");
  EXPECT_EQ(pointers(tax({{"category", "S"}})), "/items/0/tax/percent");
  EXPECT_EQ(pointers(tax({{"category", "S"}, {"percent", "0"}})), "/items/0/tax/percent");
  EXPECT_EQ(pointers(tax({{"category", "S"}, {"percent", "101"}})), "/items/0/tax/percent");
  EXPECT_EQ(pointers(tax({{"category", "X"}})), "/items/0/tax/category");
}

TEST(TariffDocuments, AnItemHasTheTariffsTaxUnlessItNamesItsOwn) {
  auto document = with_item({{"per_gb", "1"}});
  document["tax"] = {{"category", "S"}, {"percent", "19"}};
  document["items"].push_back(
      {{"id", "abroad"}, {"flat", "5"}, {"tax", {{"category", "G"}, {"reason", "Export"}}}});
  const auto tariff = parse_tariff(document).value();
  EXPECT_EQ(tariff.items[0].tax.code(), "S");
  EXPECT_EQ(tariff.items[1].tax.code(), "G");
  document["items"].push_back({{"id", "elsewhere"},
                               {"flat", "5"},
                               {"tax", {{"category", "G"}, {"reason", "Another word"}}}});
  EXPECT_EQ(pointers(document), "/items/2/tax/reason");
  document["items"][2]["tax"] = {{"category", "O"}, {"reason", "Not subject to VAT"}};
  EXPECT_EQ(pointers(document), "/items/0/tax/category /items/1/tax/category");
}

TEST(TariffDocuments, AllMistakesAreNamedAtOnce) {
  const json document{
      {"id", ""},
      {"currency", "EURO"},
      {"zone", "Europe/Bonn"},
      {"discount", 3},
      {"tax", {{"category", "S"}}},
      {"charged", {"first"}},
      {"items",
       {{{"id", "a"}, {"per_gb", "1"}, {"a/b~c", 1}},
        {{"id", "b"}, {"kinds", {"first", "second"}}, {"direction", "up"}, {"per_gb", "1"}},
        {{"id", "c"}, {"per_gb", "x"}, {"times", {{{"days", {"monday"}}}}}},
        7,
        {{"id", "d"}, {"pass_through", {{"margin", "5"}}}},
        {{"id", "e"}, {"providers", {"x", "x"}}, {"allowance", {{"gb", "1"}}}}}}};
  EXPECT_EQ(pointers(document),
            "/discount /id /currency /zone /tax/percent /charged /items/0/a~1b~0c "
            "/items/1/direction /items/1/kinds/1 /items/2/times/0/days/0 /items/2/per_gb /items/3 "
            "/items/4/pass_through/margin /items/5/providers /items/5/allowance/per_gb");
  const auto parsed = parse_tariff(document);
  for (const DocumentError& e : parsed.error()) {
    EXPECT_NE(e.detail.find_first_of(" "), std::string::npos) << "a sentence: " << e.detail;
    EXPECT_NO_THROW(json::json_pointer(e.pointer)) << e.pointer;
  }
  EXPECT_EQ(pointers(json::array()), "");
  EXPECT_EQ(pointers({{"id", "t"}, {"currency", "EUR"}}), "/items");
}

// Any value anywhere: it is understood, and then priced or refused in words, or its mistakes have
// places that are in the document or next to something that is.
TEST(TariffDocuments, WhateverIsPutIntoADocumentIsRefusedOrCanBePriced) {
  const json good = json::parse(R"(
    {"id": "t", "currency": "EUR", "zone": "Europe/Berlin",
     "tax": {"category": "S", "percent": "19"},
     "items": [
       {"id": "a", "times": [{"days": ["mon"], "from": "22:00", "to": "06:00"}], "per_gb": "0.10"},
       {"id": "b", "kinds": ["copy"], "direction": "sent", "pass_through": {"margin_percent": "7"}},
       {"id": "c", "providers": ["x"],
        "percentile": {"percent": 95, "per_mbps": "2", "commit_mbps": "1"}},
       {"id": "d", "paths": ["p"],
        "volume": [{"up_to_gb": "100", "per_gb": "0.5"}, {"per_gb": "0.3"}]},
       {"id": "e", "allowance": {"gb": "100", "per_gb": "0.40"}, "prorated": false},
       {"id": "f", "flat": "49.00", "tax": {"category": "AE", "reason": "Reverse charge"}},
       {"id": "g", "commit": "500", "items": ["a", "d"]}]})");
  const std::vector<json> junk{nullptr,
                               -1,
                               0,
                               95,
                               1e300,
                               true,
                               "",
                               "-1",
                               "0",
                               "1",
                               "999999999999999",
                               "\xc3\xa4",
                               "EUR",
                               "24:00",
                               json::array(),
                               json::object(),
                               json::array({"a", "a"}),
                               json::array({nullptr}),
                               std::string(300, '9')};
  ASSERT_TRUE(parse_tariff(good));
  const json flat = good.flatten();
  std::vector<std::string> places;
  for (const auto& [pointer, value] : flat.items()) {
    for (json::json_pointer at(pointer); !at.empty(); at = at.parent_pointer())
      places.push_back(at.to_string());
  }
  std::mt19937_64 random(1);
  int understood = 0;
  for (int i = 0; i < 5000; ++i) {
    json document = good;
    for (uint64_t n = 1 + random() % 2; n > 0; --n) {
      const json::json_pointer at(places[random() % places.size()]);
      if (!document.contains(at)) continue;
      if (random() % 4 == 0)
        document = document.patch({{{"op", "remove"}, {"path", at.to_string()}}});
      else
        document[at] = junk[random() % junk.size()];
    }
    const auto parsed = parse_tariff(document);
    for (const DocumentError& e : parsed ? DocumentErrors{} : parsed.error()) {
      const json::json_pointer at(e.pointer);
      ASSERT_TRUE(at.empty() || document.contains(at) || document.contains(at.parent_pointer()) ||
                  e.pointer.find("/tax/") != std::string::npos)
          << e.pointer << ": " << e.detail << " in " << document;
    }
    if (!parsed) continue;
    ++understood;
    const auto prices = PriceList::make(june(), Zone::utc(), *parsed, {});
    ASSERT_TRUE(prices.has_value());
    PeriodUsage usage(*prices);
    usage.add(usage.place({"x", "n", "p", "g"}), 1, Direction::sent, Kind::first,
              {1'000'000'000, 1}, june().part);
    const auto charges = price(usage);
    ASSERT_TRUE(charges || !charges.error().empty());
  }
  EXPECT_GT(understood, 300);
}

TEST(TariffDocuments, IdsOfItemsDiffer) {
  auto document = with_item({{"per_gb", "1"}});
  document["items"].push_back(document["items"][0]);
  EXPECT_EQ(pointers(document), "/items/1/id");
}

}  // namespace
}  // namespace anabranch::billing
