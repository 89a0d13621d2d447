// SPDX-License-Identifier: BSD-3-Clause
#include "control/order_record.h"

#include <gtest/gtest.h>

#include "billing/guide_price.h"
#include "control/seller_document.h"

namespace anabranch::control {
namespace {

using negotiation::Per;
using nlohmann::json;

Order airmobiles() {
  Order order{.provider = "airmobile", .id = "o-17", .client = "acme"};
  order.wish.id = "site-a-1";
  order.wish.buyer = "site-a";
  order.wish.offering = "path";
  order.wish.bandwidth_mbps = 28;
  order.wish.delay_ms_max = 40.5;
  order.wish.from_ns = 1'000;
  order.wish.until_ns = 2'000;
  order.wish.currency = "EUR";
  order.wish.volume_gb = 500;
  order.wish.months = 1;
  order.wish.budget = *billing::parse_amount("120.50");
  order.prices = {{Per::gigabyte, *billing::parse_amount("0.123456789")},
                  {Per::month, *billing::parse_amount("20")},
                  {Per::once, *billing::parse_amount("5")}};
  order.total = *billing::parse_amount("86.73");
  order.made_ns = 900;
  return order;
}

TEST(OrderRecord, AnOrderIsReadBackAsItWasKept) {
  const json kept = to_json(airmobiles());
  const auto order = order_from_json(json::parse(kept.dump()));
  ASSERT_TRUE(order) << order.error();
  EXPECT_EQ(to_json(*order), kept);
  EXPECT_EQ(order->prices, airmobiles().prices);
}

TEST(OrderRecord, WhatIsSpoiltIsRefusedWhateverItIs) {
  const json kept = to_json(airmobiles());
  for (const auto& [field, value] : kept.items()) {
    json spoilt = kept;
    spoilt.erase(field);
    EXPECT_FALSE(order_from_json(spoilt)) << "without " << field;
    spoilt[field] = json::array({json::array()});
    EXPECT_FALSE(order_from_json(spoilt)) << field << " of another type";
  }
  json wrong = kept;
  wrong["prices"][0]["per"] = "fortnight";
  EXPECT_FALSE(order_from_json(wrong));
}

TEST(OrderRecord, IsOursInItsWindowHalfOpen) {
  EXPECT_FALSE(airmobiles().is_at(999));
  EXPECT_TRUE(airmobiles().is_at(1'000));
  EXPECT_FALSE(airmobiles().is_at(2'000));
}

TEST(OrderRecord, ItsPricesAreATariffToTheLastDecimal) {
  const auto tariff = billing::parse_tariff(tariff_of(airmobiles(), "airmobile-ordered"));
  ASSERT_TRUE(tariff) << tariff.error().front().detail;
  EXPECT_EQ(tariff->id, "airmobile-ordered");
  const auto octet = billing::guide_price(*tariff, "airmobile", "any", "any");
  ASSERT_TRUE(octet);
  EXPECT_EQ(billing::to_text(octet->times(1'000'000'000)), "0.123456789");
  ASSERT_EQ(tariff->items.size(), 2u);
  EXPECT_EQ(std::get<billing::Flat>(tariff->items[1].model).fee, *billing::parse_amount("25"));
}

TEST(OrderRecord, WhatIsOpenIsReadBackAsItWasKept) {
  negotiation::Open open{.provider = "airmobile", .kind = negotiation::Open::Kind::order};
  open.id = "o-17";
  open.external_id = "x";
  open.why = "answered 503";
  const json kept = to_json(open);
  const auto read = open_from_json(json::parse(kept.dump()));
  ASSERT_TRUE(read) << read.error();
  EXPECT_EQ(to_json(*read), kept);
  EXPECT_FALSE(open_from_json({{"provider", "airmobile"}}));
}

// Of parse_sells: the first mistake, or "".
std::string mistake_in_sells(json sells) {
  const auto parsed = parse_sells({{"id", "p"}, {"tariff", "t"}, {"sells", std::move(sells)}});
  return parsed ? "" : parsed.error().front().pointer;
}

TEST(SellerDocument, SaysWhereAProviderSells) {
  const json provider{
      {"id", "p"}, {"tariff", "p-ordered"}, {"sells", {{"url", "https://p.example/tmf-api"}}}};
  const auto parsed = parse_sells(provider);
  ASSERT_TRUE(parsed && *parsed);
  EXPECT_EQ((*parsed)->seller.provider, "p");
  EXPECT_EQ((*parsed)->tariff, "p-ordered");
  EXPECT_TRUE((*parsed)->seller.has_availability);
  EXPECT_FALSE(*parse_sells({{"id", "p"}, {"tariff", "t"}}));
  EXPECT_EQ(mistake_in_sells({{"url", "https://p.example/tmf-api"}}), "");
  EXPECT_EQ(mistake_in_sells(json::object()), "/sells/url");
  EXPECT_EQ(mistake_in_sells({{"url", "http://p.example/tmf-api"}}), "/sells/url");
  EXPECT_EQ(mistake_in_sells({{"url", "https://p.example"}, {"key", "k.pem"}}),
            "/sells/certificate");
  EXPECT_EQ(mistake_in_sells({{"url", "https://p.example"}, {"discount", 1}}), "/sells/discount");
}

TEST(SellerDocument, ATokenThatCannotBeReadIsSaid) {
  Sells sells;
  sells.token_file = "/nonexistent/token";
  const auto seller = seller_of(sells);
  ASSERT_FALSE(seller);
  EXPECT_NE(seller.error().find("/nonexistent/token"), std::string::npos);
}

}  // namespace
}  // namespace anabranch::control
