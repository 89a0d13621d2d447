// SPDX-License-Identifier: BSD-3-Clause
#include "control/negotiation/ranking.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

namespace anabranch::negotiation {
namespace {

Quote quote(const std::string& provider, const std::string& total) {
  return {.provider = provider,
          .id = "q",
          .currency = "EUR",
          .total = *billing::parse_amount(total),
          .valid_until_ns = 1};
}

std::string order_of(std::vector<Quote> quotes, const Ranking& ranking) {
  std::string text;
  for (const size_t i : ranked(quotes, ranking))
    text += (text.empty() ? "" : " ") + quotes[i].provider;
  // Nothing may depend on the order they came in.
  std::sort(quotes.begin(), quotes.end(),
            [](const Quote& a, const Quote& b) { return a.provider < b.provider; });
  do {
    std::string again;
    for (const size_t i : ranked(quotes, ranking))
      again += (again.empty() ? "" : " ") + quotes[i].provider;
    EXPECT_EQ(again, text);
  } while (std::next_permutation(quotes.begin(), quotes.end(), [](const Quote& a, const Quote& b) {
    return a.provider < b.provider;
  }));
  return text;
}

TEST(Ranked, ByProfileThenRatingThenPriceThenName) {
  const std::vector<Quote> quotes{quote("a", "1"), quote("b", "2"), quote("c", "3"),
                                  quote("d", "4")};
  EXPECT_EQ(order_of(quotes, {}), "a b c d");
  EXPECT_EQ(order_of(quotes, {{"d", {0, 0}}, {"a", {1, 90}}, {"b", {1, 99}}}), "d b a c");
  const std::vector<Quote> equals{quote("b", "1"), quote("a", "1"), quote("c", "1")};
  EXPECT_EQ(order_of(equals, {}), "a b c");
}

TEST(Ranked, PricesDifferByTheLastDecimal) {
  EXPECT_EQ(order_of({quote("a", "123456789.000000002"), quote("b", "123456789.000000001")}, {}),
            "b a");
}

TEST(Ranked, ARatingThatIsNoNumberIsNone) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(order_of({quote("a", "1"), quote("b", "2"), quote("c", "3")},
                     {{"a", {0, nan}}, {"b", {0, 1}}, {"c", {0, 0}}}),
            "b a c");
}

TEST(WhatDecides, IsSaidInWords) {
  const Quote a = quote("a", "1.5"), b = quote("b", "2");
  EXPECT_EQ(what_decides(a, b, {{"a", {0, 0}}, {"b", {1, 0}}}), "the profile puts a before b");
  EXPECT_EQ(what_decides(a, b, {{"a", {1, 92.5}}, {"b", {1, 80}}}), "a is rated 92.5, b 80");
  EXPECT_EQ(what_decides(a, b, {}), "a costs 1.50 EUR, b 2.00 EUR");
  EXPECT_EQ(what_decides(a, quote("c", "1.5"), {}), "of equals, the first by name is taken, a");
}

TEST(Renewal, LeavesTimeForTwoNegotiations) {
  EXPECT_EQ(renewal_ns(1000, 2000, 10), 1800);   // a fifth is longer
  EXPECT_EQ(renewal_ns(1000, 2000, 200), 1600);  // two negotiations are
  EXPECT_EQ(renewal_ns(1000, 2000, 900), 1000);  // at once
  EXPECT_EQ(renewal_ns(1000, 500, 10), 1000);    // already over
}

}  // namespace
}  // namespace anabranch::negotiation
