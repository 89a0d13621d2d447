// SPDX-License-Identifier: BSD-3-Clause
#include "control/negotiation/tmf.h"

#include <gtest/gtest.h>

#include "tests/control/negotiation/answers.h"

namespace anabranch::negotiation {
namespace {

using nlohmann::json;

// What becomes of a good quote after a change of it.
template <typename Change>
std::string quote_after(Change change) {
  json body = good_quote();
  change(body);
  const auto reading = read_quote(numbers_plain(body), example_wish(), "alpha", kNowNs);
  if (!reading) return to_text(reading.error());
  return std::holds_alternative<Pending>(*reading) ? "pending" : "taken";
}

TEST(ReadQuote, TakesAGoodOneExactly) {
  const auto reading = read_quote(numbers_plain(good_quote()), example_wish(), "alpha", kNowNs);
  ASSERT_TRUE(reading) << to_text(reading.error());
  const Quote& quote = std::get<Quote>(*reading);
  EXPECT_EQ(quote.id, "q-7");
  EXPECT_EQ(quote.provider, "alpha");
  // 1000 GB at 0.1 and a month at 20; in doubles a thousand times 0.1 is not 100 by adding.
  EXPECT_EQ(billing::to_text(quote.total), "120.00");
  EXPECT_EQ(quote.valid_until_ns, kNowNs + 3600 * kSecondNs);
  ASSERT_EQ(quote.prices.size(), 2u);
  EXPECT_EQ(quote.prices[0].per, Per::gigabyte);
  EXPECT_EQ(quote.characteristics[0].second, "500");
}

TEST(ReadQuote, TakesItemsOrTotalAlone) {
  EXPECT_EQ(quote_after([](json& q) { q.erase("quoteTotalPrice"); }), "taken");
  EXPECT_EQ(quote_after([](json& q) { q["quoteItem"][0].erase("quoteItemPrice"); }), "taken");
}

TEST(ReadQuote, WaitsForWhatIsNotDecided) {
  EXPECT_EQ(quote_after([](json& q) { q = {{"id", "q"}, {"state", "inProgress"}}; }), "pending");
  EXPECT_EQ(quote_after([](json& q) { q["state"] = "pending"; }), "pending");
}

TEST(ReadQuote, RefusesLiesAboutMoney) {
  EXPECT_EQ(
      quote_after([](json& q) { q["quoteTotalPrice"][0] = price("usageBased", "0.05"); }),
      "/quoteTotalPrice is 0.05 a GB and 20.00 a month, but its item says 0.10 a GB and 20.00 "
      "a month");
  EXPECT_EQ(quote_after([](json& q) { q["quoteTotalPrice"].erase(1); }),
            "/quoteTotalPrice is 0.10 a GB, but its item says 0.10 a GB and 20.00 a month");
  const auto item_price = [](const char* value) {
    return quote_after(
        [&](json& q) { q["quoteItem"][0]["quoteItemPrice"][0] = price("usageBased", value); });
  };
  EXPECT_EQ(item_price("1e400"), "the answer is refused: the number 1e400 does not fit");
  EXPECT_EQ(
      item_price("0.100000000001"),
      "/quoteItem/0/quoteItemPrice/0/price/dutyFreeAmount 0.100000000001 has more than 9 decimals");
  EXPECT_EQ(item_price("-0.1"),
            "/quoteItem/0/quoteItemPrice/0/price/dutyFreeAmount is negative: -0.10");
  EXPECT_EQ(quote_after([](json& q) {
              q["quoteItem"][0]["quoteItemPrice"][0]["price"]["dutyFreeAmount"]["unit"] = "USD";
            }),
            "/quoteItem/0/quoteItemPrice/0/price/dutyFreeAmount/unit is \"USD\"; prices are asked "
            "for in EUR");
  EXPECT_EQ(quote_after([](json& q) {
              q.erase("quoteTotalPrice");
              q["quoteItem"][0].erase("quoteItemPrice");
            }),
            "/quoteItem/0/quoteItemPrice is missing; so is quoteTotalPrice");
  EXPECT_EQ(quote_after([](json& q) {
              q["quoteItem"][0]["quoteItemPrice"][0]["price"].erase("dutyFreeAmount");
            }),
            "/quoteItem/0/quoteItemPrice/0/price/dutyFreeAmount is missing");
  EXPECT_EQ(quote_after([](json& q) {
              q["quoteItem"][0]["quoteItemPrice"][0]["priceAlteration"] = {{{"name", "fee"}}};
            }),
            "/quoteItem/0/quoteItemPrice/0/priceAlteration is not accepted: the price itself must "
            "say what is paid");
  EXPECT_EQ(
      quote_after([](json& q) { q["quoteItem"][0]["quoteItemPrice"][0]["unitOfMeasure"] = "MB"; }),
      "/quoteItem/0/quoteItemPrice/0/unitOfMeasure is \"MB\"; expected \"GB\"");
}

TEST(ReadQuote, RefusesWhatIsNotValidForLongEnough) {
  const auto until = [](const char* end) {
    return quote_after([&](json& q) { q["validFor"] = {{"endDateTime", end}}; });
  };
  EXPECT_EQ(until("2026-11-27T09:00:00Z"),
            "/validFor/endDateTime is 2026-11-27T09:00:00Z, which has passed");
  EXPECT_EQ(until("2026-11-27T09:00:59Z"),
            "/validFor/endDateTime is 2026-11-27T09:00:59Z, less than 60 s from now");
  EXPECT_EQ(until("2026-11-27T09:01:00Z"), "taken");
  EXPECT_EQ(until("tomorrow"),
            "/validFor/endDateTime is \"tomorrow\"; expected a moment such as "
            "2026-11-27T09:00:00Z");
  EXPECT_EQ(quote_after([](json& q) { q.erase("validFor"); }), "/validFor is missing");
  EXPECT_EQ(quote_after([](json& q) { q["validFor"]["startDateTime"] = "2026-11-27T09:30:00Z"; }),
            "/validFor/startDateTime is 2026-11-27T09:30:00Z, which is still to come");
}

TEST(ReadQuote, RefusesWhatWasNotAskedFor) {
  EXPECT_EQ(quote_after([](json& q) { q["quoteItem"] = json::array(); }),
            "/quoteItem is missing or empty; one item was asked for");
  EXPECT_EQ(quote_after([](json& q) { q["quoteItem"].push_back(q["quoteItem"][0]); }),
            "/quoteItem has 2 items; one was asked for");
  EXPECT_EQ(quote_after([](json& q) { q["quoteItem"][0]["quantity"] = 2; }),
            "/quoteItem/0/quantity is 2; 1 was asked for");
  EXPECT_EQ(quote_after([](json& q) { q["quoteItem"][0]["id"] = "9"; }),
            "/quoteItem/0/id is \"9\"; item \"1\" was asked for");
  EXPECT_EQ(quote_after([](json& q) { q["externalId"] = "w-2/alpha"; }),
            "/externalId is \"w-2/alpha\"; asked with \"w-1/alpha\"");
  EXPECT_EQ(quote_after([](json& q) {
              q["quoteItem"][0]["quoteItem"] = {{{"id", "2"}}};
            }),
            "/quoteItem/0/quoteItem is not accepted: nothing else was asked for");
  EXPECT_EQ(quote_after([](json& q) {
              q["quoteItem"][0]["product"]["productCharacteristic"][0]["value"] = 499;
            }),
            "/quoteItem/0/product/bandwidthMbps is 499; 500 was asked for");
}

TEST(ReadQuote, RefusesOtherStatesAndMalformedFields) {
  EXPECT_EQ(quote_after([](json& q) { q["state"] = "rejected"; }), "/state is \"rejected\"");
  EXPECT_EQ(quote_after([](json& q) { q["state"] = 5; }), "/state is no text");
  EXPECT_EQ(quote_after([](json& q) { q.erase("state"); }), "/state is missing");
  EXPECT_EQ(quote_after([](json& q) { q["quoteItem"][0]["state"] = "inProgress"; }),
            "/quoteItem/0/state is \"inProgress\"");
  EXPECT_EQ(quote_after([](json& q) { q["id"] = ""; }), "/id is empty");
  EXPECT_EQ(quote_after([](json& q) { q["id"] = "a\nb"; }),
            "/id is longer than 256 octets, or has control characters");
  EXPECT_EQ(quote_after([](json& q) { q["quoteItem"][0] = "1"; }), "/quoteItem/0 is no object");
  EXPECT_EQ(quote_after([](json& q) { q = json::array(); }), "is no object");
}

TEST(ReadQuote, ARefusalNamesWhatWasMadeAllTheSame) {
  json body = good_quote();
  body.erase("validFor");
  const auto reading = read_quote(numbers_plain(body), example_wish(), "alpha", kNowNs);
  ASSERT_FALSE(reading);
  EXPECT_EQ(reading.error().id, "q-7");
  EXPECT_FALSE(reading.error().is_over);
  body["state"] = "cancelled";
  EXPECT_TRUE(read_quote(numbers_plain(body), example_wish(), "alpha", kNowNs).error().is_over);
}

TEST(ReadAvailability, SaysPathAndBandwidth) {
  const auto reading = read_availability(good_availability().dump(), example_wish());
  ASSERT_TRUE(reading) << to_text(reading.error());
  const Availability& a = std::get<Availability>(*reading);
  EXPECT_EQ(a.path, "north");
  EXPECT_EQ(a.bandwidth_mbps, 800u);
  EXPECT_EQ(a.delay_ms, 12.5);
  EXPECT_EQ(a.loss_percent, 0.1);
}

TEST(ReadAvailability, RefusesWhatIsTooLittleOrNotThere) {
  const auto after = [](auto change) {
    json body = good_availability();
    change(body["serviceQualificationItem"][0], body);
    const auto reading = read_availability(body.dump(), example_wish());
    return reading ? std::string(std::holds_alternative<Pending>(*reading) ? "pending" : "taken")
                   : to_text(reading.error());
  };
  const auto value = [](json& item, size_t which) -> json& {
    return item["service"]["serviceCharacteristic"][which]["value"];
  };
  const std::string service = "/serviceQualificationItem/0/service";
  EXPECT_EQ(after([&](json& i, json&) { value(i, 1) = 100; }),
            service + "/bandwidthMbps is 100; 500 was asked for");
  EXPECT_EQ(after([&](json& i, json&) { value(i, 1) = "lots"; }),
            service + "/bandwidthMbps is \"lots\"; expected a number of 0 or more");
  EXPECT_EQ(after([&](json& i, json&) { value(i, 2) = 21; }),
            service + "/delayMs is 21; 20 at most was asked for");
  EXPECT_EQ(after([&](json& i, json&) { value(i, 3) = 3; }),
            service + "/lossPercent is 3; 0.5 at most was asked for");
  EXPECT_EQ(after([](json&, json& b) { b["state"] = "inProgress"; }), "pending");
  EXPECT_EQ(after([](json&, json& b) { b["state"] = "terminatedWithError"; }),
            "/state is \"terminatedWithError\"");
  EXPECT_EQ(after([](json& i, json&) {
              i["qualificationResult"] = "unqualified";
              i["eligibilityUnavailabilityReason"] = {{{"code", "7"}, {"label", "no capacity"}}};
            }),
            "/serviceQualificationItem/0/qualificationResult is \"unqualified\": no capacity");
}

std::string order_after(auto change, int64_t from_ns = kNowNs) {
  json body = good_order();
  change(body);
  Wish wish = example_wish();
  wish.from_ns = from_ns;
  const auto quote = read_quote(numbers_plain(good_quote()), example_wish(), "alpha", kNowNs);
  const auto reading = read_order(numbers_plain(body), wish, std::get<Quote>(*quote), kNowNs);
  if (!reading) return to_text(reading.error());
  return std::holds_alternative<Pending>(*reading) ? "pending" : "ordered";
}

TEST(ReadOrder, IsDoneWhenCompleted) {
  EXPECT_EQ(order_after([](json&) {}), "ordered");
  EXPECT_EQ(order_after([](json& o) { o["state"] = "acknowledged"; }), "pending");
  EXPECT_EQ(order_after([](json& o) { o["state"] = "inProgress"; }), "pending");
  // Reserved for later: it cannot be completed yet.
  EXPECT_EQ(order_after([](json& o) { o["state"] = "inProgress"; }, kNowNs + kSecondNs), "ordered");
}

TEST(ReadOrder, RefusesAnotherOrder) {
  EXPECT_EQ(order_after([](json& o) { o["state"] = "failed"; }), "/state is \"failed\"");
  EXPECT_EQ(order_after([](json& o) { o["state"] = "partial"; }), "/state is \"partial\"");
  EXPECT_EQ(order_after([](json& o) { o["productOrderItem"][0]["quoteItem"]["quoteId"] = "q-8"; }),
            "/productOrderItem/0/quoteItem/quoteId is \"q-8\"; ordered was quote \"q-7\"");
  EXPECT_EQ(
      order_after([](json& o) {
        o["orderTotalPrice"] = {price("usageBased", "0.2"), price("recurring", "20")};
      }),
      "/orderTotalPrice is 0.20 a GB and 20.00 a month; quoted was 0.10 a GB and 20.00 a month");
}

TEST(ReadOpen, ListsOursThatAreOpen) {
  const json list = {{{"id", "1"}, {"externalId", "w"}, {"state", "approved"}},
                     {{"id", "2"}, {"externalId", "other"}, {"state", "approved"}},
                     {{"id", "3"}, {"externalId", "w"}, {"state", "rejected"}},
                     {{"id", "4"},
                      {"externalId", "w"},
                      {"state", "inProgress"},
                      {"validFor", {{"endDateTime", "2026-11-27T09:00:00Z"}}}}};
  const auto open = read_open(list.dump(), "w");
  ASSERT_TRUE(open);
  ASSERT_EQ(open->size(), 2u);
  EXPECT_EQ((*open)[0].id, "1");
  EXPECT_EQ((*open)[1].valid_until_ns, kNowNs);
  EXPECT_FALSE(read_open("{}", "w"));
  EXPECT_FALSE(read_open("<html>", "w"));
}

TEST(Requests, EscapeWhatProvidersCallTheirThings) {
  EXPECT_EQ(quote_path("a/../b c?"), "/quoteManagement/v4/quote/a%2F..%2Fb%20c%3F");
  EXPECT_EQ(quote_path(".."), "/quoteManagement/v4/quote/%2E%2E");
}

TEST(Requests, SayTheSameOnARetry) {
  const Wish wish = example_wish();
  EXPECT_EQ(order_request(wish, "alpha", "q-7"), order_request(wish, "alpha", "q-7"));
  EXPECT_NE(external_id(wish, "alpha"), external_id(wish, "beta"));
}

}  // namespace
}  // namespace anabranch::negotiation
