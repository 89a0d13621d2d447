// SPDX-License-Identifier: BSD-3-Clause
#include "control/negotiation/shop.h"

#include <gtest/gtest.h>

#include "control/negotiation/raw_money.h"
#include "tests/control/negotiation/answers.h"
#include "tests/control/negotiation/spare.h"

namespace anabranch::negotiation {
namespace {

using nlohmann::json;

constexpr int64_t kDayNs = 86'400 * kSecondNs;

class ShopTest : public ::testing::Test {
 protected:
  static ShopTerms terms() {
    ShopTerms terms;
    terms.spare = [](int64_t, int64_t) { return north("0.1", "20.000000001"); };
    return terms;
  }

  Reply ask(const std::string& method, const std::string& path, const std::string& body = {},
            const std::string& buyer = "b") {
    Asked asked{.buyer = buyer, .method = method, .path = path};
    asked.body = body;
    asked.now_ns = now_ns;
    asked.query = query;
    return shop.handle(asked);
  }
  // Our own client's requests, of the given wish.
  Wish wish(const std::string& id, uint64_t bandwidth_mbps) const {
    Wish w = example_wish();
    w.id = id;
    w.bandwidth_mbps = bandwidth_mbps;
    return w;
  }
  Reply quote(const Wish& w, const std::string& buyer = "b") {
    return ask("POST", quote_path(), quote_request(w, "us", now_ns + kSecondNs), buyer);
  }
  // The id of a firm quote, or the state of one that is not.
  std::string quoted(const Wish& w, const std::string& buyer = "b") {
    const Reply reply = quote(w, buyer);
    EXPECT_EQ(reply.status, 201) << reply.body;
    const json body = json::parse(reply.body);
    return body["state"] == "approved" ? body["id"] : body["state"];
  }
  Reply order(const Wish& w, const std::string& quote, const std::string& buyer = "b") {
    return ask("POST", order_path(), order_request(w, "us", quote), buyer);
  }
  static std::string member(const Reply& reply, const char* name) {
    return json::parse(reply.body).value(name, "");
  }

  Shop shop{terms()};
  int64_t now_ns = kNowNs;
  std::map<std::string, std::string> query;
};

TEST_F(ShopTest, SellsToOurOwnClient) {
  const Wish w = wish("w", 400);
  const Reply available = ask("POST", availability_path(), availability_request(w, "us"));
  EXPECT_EQ(available.status, 201);
  const auto message = read_availability(available.body, w);
  ASSERT_TRUE(message) << to_text(message.error());
  EXPECT_EQ(std::get<Availability>(*message).bandwidth_mbps, 1000u);
  const auto reading = read_quote(quote(w).body, w, "us", now_ns);
  ASSERT_TRUE(reading) << to_text(reading.error());
  const Quote& firm = std::get<Quote>(*reading);
  EXPECT_EQ(billing::to_text(firm.total), "120.000000001");
  const auto ordered = read_order(order(w, firm.id).body, w, firm, now_ns);
  ASSERT_TRUE(ordered) << to_text(ordered.error());
  const auto left =
      read_availability(ask("POST", availability_path(), availability_request(w, "us")).body, w);
  EXPECT_EQ(std::get<Availability>(*left).bandwidth_mbps, 600u);
}

TEST_F(ShopTest, NeverSellsTwice) {
  EXPECT_NE(quoted(wish("a", 600)), "rejected");
  EXPECT_EQ(quoted(wish("b", 500)), "rejected");
  EXPECT_NE(quoted(wish("c", 400), "other"), "rejected");
  EXPECT_EQ(quoted(wish("d", 1)), "rejected");
  const Reply reply = ask("POST", availability_path(), availability_request(wish("e", 1), "us"));
  EXPECT_NE(reply.body.find("0 Mbit/s are left then"), std::string::npos) << reply.body;
}

TEST_F(ShopTest, ReservesForTheWindowAlone) {
  Wish later = wish("later", 1000);
  later.from_ns = example_wish().until_ns;  // when the first ends: half-open
  later.until_ns = later.from_ns + kDayNs;
  EXPECT_NE(quoted(wish("now", 1000)), "rejected");
  EXPECT_NE(quoted(later), "rejected");
  // Two that do not overlap each other take no more than one from a third across both.
  Wish across = wish("across", 1);
  across.until_ns = later.until_ns;
  EXPECT_EQ(quoted(across), "rejected");
}

TEST_F(ShopTest, ReservationsThatDoNotMeetAreNotAdded) {
  Wish first = wish("first", 600), second = wish("second", 600), across = wish("across", 400);
  first.until_ns = kNowNs + kDayNs;
  second.from_ns = first.until_ns;
  second.until_ns = second.from_ns + kDayNs;
  across.until_ns = second.until_ns;
  EXPECT_NE(quoted(first), "rejected");
  EXPECT_NE(quoted(second), "rejected");
  EXPECT_NE(quoted(across), "rejected");
  across.id = "more";
  across.bandwidth_mbps = 1;
  EXPECT_EQ(quoted(across), "rejected");
}

TEST_F(ShopTest, ARepetitionMakesNothingNew) {
  const Wish w = wish("w", 600);
  const std::string id = quoted(w);
  now_ns += kSecondNs;
  EXPECT_EQ(quoted(w), id);
  Wish other = w;
  other.bandwidth_mbps = 10;
  EXPECT_EQ(quote(other).status, 409);
  const Reply first = order(w, id), second = order(w, id);
  EXPECT_EQ(first.status, 201);
  EXPECT_EQ(second.body, first.body);
  EXPECT_EQ(order(wish("x", 600), id).status, 409);  // already ordered
  // Another buyer's externalId is its own.
  EXPECT_EQ(quoted(w, "other"), "rejected");
}

TEST_F(ShopTest, QuotesExpire) {
  const Wish w = wish("w", 1000);
  const std::string id = quoted(w);
  now_ns += 900 * kSecondNs - 1;
  EXPECT_EQ(member(ask("GET", quote_path(id)), "state"), "approved");
  now_ns += 1;
  EXPECT_EQ(member(ask("GET", quote_path(id)), "state"), "cancelled");
  EXPECT_EQ(order(w, id).status, 409);
  EXPECT_NE(quoted(wish("next", 1000)), "rejected");
  now_ns += kKeptAfterNs;
  EXPECT_EQ(ask("GET", quote_path(id)).status, 404);
}

TEST_F(ShopTest, ARejectedQuoteIsLetGo) {
  const std::string id = quoted(wish("w", 1000));
  const Reply reply = ask("PATCH", quote_path(id), quote_rejection());
  EXPECT_EQ(reply.status, 200);
  EXPECT_TRUE(confirms_end(reply.body));
  EXPECT_EQ(ask("PATCH", quote_path(id), quote_rejection()).status, 200);
  EXPECT_EQ(ask("PATCH", quote_path(id), R"({"state": "accepted"})").status, 409);
  EXPECT_EQ(ask("PATCH", quote_path(id), R"({"state": "approved"})").status, 400);
  EXPECT_NE(quoted(wish("next", 1000)), "rejected");
}

TEST_F(ShopTest, AnOrderIsInProgressUntilItsTime) {
  Wish w = wish("w", 1000);
  w.from_ns = kNowNs + 7200 * kSecondNs;
  const std::string id = quoted(w);
  const std::string made = member(order(w, id), "id");
  EXPECT_EQ(member(ask("GET", order_path(made)), "state"), "inProgress");
  EXPECT_EQ(ask("PATCH", quote_path(id), quote_rejection()).status, 409);
  now_ns += 7200 * kSecondNs;  // past the quote's validity: an order keeps its reservation
  EXPECT_EQ(member(ask("GET", order_path(made)), "state"), "completed");
  EXPECT_EQ(quoted(wish("x", 1)), "rejected");
  EXPECT_EQ(ask("POST", cancel_order_path(), order_cancellation(made)).status, 201);
  EXPECT_EQ(member(ask("GET", order_path(made)), "state"), "cancelled");
  EXPECT_NE(quoted(wish("y", 1000)), "rejected");
}

TEST_F(ShopTest, ABuyerSeesItsOwnAlone) {
  const Wish w = wish("w", 100);
  const std::string id = quoted(w);
  const std::string made = member(order(w, id), "id");
  EXPECT_EQ(ask("GET", quote_path(id), "", "other").status, 404);
  EXPECT_EQ(ask("GET", order_path(made), "", "other").status, 404);
  EXPECT_EQ(ask("PATCH", quote_path(id), quote_rejection(), "other").status, 404);
  EXPECT_EQ(order(w, id, "other").status, 409);
  EXPECT_EQ(ask("POST", cancel_order_path(), order_cancellation(made), "other").status, 400);
  EXPECT_EQ(ask("GET", quote_path(), "", "other").body, "[]");
}

TEST_F(ShopTest, ListsByExternalIdAndPages) {
  quoted(wish("a", 1));
  quoted(wish("b", 1));
  query = {{"externalId", "b/us"}, {"fields", "id,externalId,state,validFor"}};
  const Reply reply = ask("GET", quote_path());
  const auto open = read_open(reply.body, "b/us");
  ASSERT_TRUE(open);
  EXPECT_EQ(open->size(), 1u);
  EXPECT_EQ(reply.body.find("quoteTotalPrice"), std::string::npos);
  query = {{"offset", "1"}, {"limit", "1"}};
  const Reply page = ask("GET", quote_path());
  EXPECT_EQ(json::parse(page.body).size(), 1u);
  EXPECT_EQ(page.headers.at(1), std::make_pair(std::string("X-Total-Count"), std::string("2")));
  query = {{"limit", "-1"}};
  EXPECT_EQ(ask("GET", quote_path()).status, 400);
}

TEST_F(ShopTest, LimitsWhatOneBuyerReserves) {
  for (size_t i = 0; i < kOpenQuotesMax; ++i) quoted(wish("w" + std::to_string(i), 1));
  EXPECT_EQ(quote(wish("more", 1)).status, 409);
  EXPECT_NE(quoted(wish("others", 1), "other"), "rejected");
}

TEST_F(ShopTest, MistakesAreSaidInTmfsForm) {
  const auto reason = [&](const Reply& reply) {
    EXPECT_FALSE(member(reply, "code").empty());
    return std::to_string(reply.status) + " " + member(reply, "reason");
  };
  EXPECT_EQ(reason(ask("POST", quote_path(), "{")), "400 the body is refused: no JSON at octet 2");
  EXPECT_EQ(reason(ask("POST", quote_path(), "[]")), "400 is no object");
  EXPECT_EQ(reason(ask("POST", quote_path(), "{}")),
            "400 /quoteItem has not one item; ask for each path by itself");
  json body = json::parse(quote_request(wish("w", 5), "us", now_ns));
  body["quoteItem"][0]["product"]["productCharacteristic"][0]["value"] = -5;
  EXPECT_EQ(reason(ask("POST", quote_path(), body.dump())),
            "400 /quoteItem/0/product/bandwidthMbps is \"-5\"; expected a number of 0 or more");
  body["quoteItem"][0]["productOffering"]["id"] = "moon";
  EXPECT_EQ(reason(ask("POST", quote_path(), body.dump())),
            "400 /quoteItem/0/productOffering/id is \"moon\"; offered is \"path\"");
  EXPECT_EQ(reason(ask("DELETE", quote_path("q1"))), "405 no DELETE here");
  EXPECT_EQ(reason(ask("GET", "/elsewhere")), "404 there is no /elsewhere");
  EXPECT_EQ(reason(order(wish("w", 5), "q99")), "409 you have no quote with this id");
  EXPECT_EQ(shop.state()["sold"].size(), 0u);
}

TEST_F(ShopTest, StateSurvives) {
  const Wish w = wish("w", 600);
  const std::string id = quoted(w);
  order(w, id);
  quoted(wish("x", 400));
  EXPECT_TRUE(shop.changed());
  EXPECT_FALSE(shop.changed());
  const json state = json::parse(shop.state().dump());
  const std::string before = ask("GET", quote_path()).body;
  shop = Shop(terms());
  ASSERT_TRUE(shop.restore(state));
  EXPECT_EQ(shop.state(), state);
  EXPECT_EQ(ask("GET", quote_path()).body, before);
  EXPECT_EQ(quoted(wish("y", 1)), "rejected");
  json broken = state;
  broken["sold"][0]["prices"][0][1] = "cheap";
  const json intact = shop.state();
  EXPECT_FALSE(shop.restore(broken));
  EXPECT_FALSE(shop.restore(json::object()));
  EXPECT_EQ(shop.state(), intact);
}

}  // namespace
}  // namespace anabranch::negotiation
