// SPDX-License-Identifier: BSD-3-Clause
#include "control/negotiation/raw_money.h"

#include <gtest/gtest.h>

namespace anabranch::negotiation {
namespace {

std::string exact(const std::string& token) {
  const auto amount = exact_amount(token);
  return amount ? billing::to_text(*amount, 0) : "refused: " + amount.error();
}

TEST(ExactAmount, IsTheTokensOwnValue) {
  EXPECT_EQ(exact("0.1"), "0.1");
  EXPECT_EQ(exact("12"), "12");
  EXPECT_EQ(exact("0"), "0");
  EXPECT_EQ(exact("0.000000001"), "0.000000001");
  EXPECT_EQ(exact("-4.50"), "-4.5");
  EXPECT_EQ(exact("-0.0"), "0");
  // A double has 53 bits: this would be 123456789.98765433 there.
  EXPECT_EQ(exact("123456789.987654321"), "123456789.987654321");
  EXPECT_EQ(exact("1.500000000000000"), "1.5");
}

TEST(ExactAmount, WorksOutExponents) {
  EXPECT_EQ(exact("1e2"), "100");
  EXPECT_EQ(exact("125E-1"), "12.5");
  EXPECT_EQ(exact("1.25e+1"), "12.5");
  EXPECT_EQ(exact("0.00125e3"), "1.25");
  EXPECT_EQ(exact("5e-9"), "0.000000005");
  EXPECT_EQ(exact("0e40"), "0");
  EXPECT_EQ(exact("1000000000000e-9"), "1000");
}

TEST(ExactAmount, RefusesInWordsWhatDoesNotFit) {
  EXPECT_EQ(exact("0.0000000001"), "refused: 0.0000000001 has more than 9 decimals");
  EXPECT_EQ(exact("1.123456789012"), "refused: 1.123456789012 has more than 9 decimals");
  EXPECT_EQ(exact("1e-400"), "refused: 1e-400 is no amount of money");
  EXPECT_EQ(exact("1e9"), "refused: 1e9 has more than 9 digits before the point");
  EXPECT_EQ(exact("999999999.999999999"), "999999999.999999999");
  for (const char* token : {"", "-", "NaN", "Infinity", "1.", ".5", "1e", "1e+", "0x10", "1,5",
                            "1e99999999999999999999", "--1", "1e2e3"})
    EXPECT_EQ(exact(token).substr(0, 8), "refused:") << token;
}

std::string money(const std::string& text) {
  const auto body = parse_body("{\"price\": {\"dutyFreeAmount\": " + text + "}}");
  if (!body) return "body: " + body.error();
  const auto read = read_money((*body)["price"]["dutyFreeAmount"]);
  return read ? billing::to_text(read->amount, 0) + " " + read->currency : read.error();
}

TEST(ReadMoney, KeepsTheRawNumber) {
  EXPECT_EQ(money(R"({"unit": "EUR", "value": 0.1})"), "0.1 EUR");
  EXPECT_EQ(money(R"({"unit": "EUR", "value": 7})"), "7 EUR");
  EXPECT_EQ(money(R"({"value": 123456789.987654321, "unit": "USD"})"), "123456789.987654321 USD");
}

TEST(ReadMoney, RefusesInWords) {
  EXPECT_EQ(money(R"({"unit": "EUR", "value": 1e400})"), "body: the number 1e400 does not fit");
  EXPECT_EQ(money(R"({"unit": "EUR", "value": -1})"), "is negative: -1.00");
  EXPECT_EQ(money(R"({"unit": "EUR", "value": -0.5})"), "is negative: -0.50");
  EXPECT_EQ(money(R"({"unit": "EUR", "value": "1.5"})"), "has a \"value\" that is no number");
  EXPECT_EQ(money(R"({"unit": "EUR", "value": null})"), "has no \"value\"");
  EXPECT_EQ(money(R"({"value": 1})"), "has no currency (\"unit\")");
  EXPECT_EQ(money(R"({"unit": "EUR"})"), "has no \"value\"");
  EXPECT_EQ(money("null"), "is missing");
  EXPECT_EQ(money(R"({"unit": "EUR", "value": NaN})").substr(0, 13), "body: no JSON");
  // 2^64 and more are no integers to the reader; their text is kept all the same.
  EXPECT_EQ(money(R"({"unit": "EUR", "value": 18446744073709551616})"),
            "18446744073709551616 has more than 9 digits before the point");
}

TEST(ReadMoney, RefusesAFieldThatIsGivenTwice) {
  EXPECT_EQ(money(R"({"unit": "EUR", "value": 1, "value": 100})"),
            "body: the field \"value\" is given twice in one object");
}

TEST(ParseBody, LeavesOtherNumbersAlone) {
  const auto body = parse_body(R"({"quantity": 2, "value": 1.5, "list": [1, {"value": 3}]})");
  ASSERT_TRUE(body);
  EXPECT_EQ((*body)["quantity"], 2);
  EXPECT_EQ((*body)["value"], 1.5);
  EXPECT_EQ((*body)["list"][1]["value"], 3);
}

TEST(ParseBody, RefusesWhatIsNested) {
  const std::string deepest = std::string(kBodyDepthMax, '[') + std::string(kBodyDepthMax, ']');
  EXPECT_TRUE(parse_body(deepest));
  const auto deeper = parse_body("[" + deepest + "]");
  ASSERT_FALSE(deeper);
  EXPECT_EQ(deeper.error(), "nested more than 32 deep");
  EXPECT_FALSE(parse_body(std::string(1'000'000, '[')));
}

TEST(ParseBody, RefusesWhatIsNoJson) {
  for (const char* text : {"", "{", "<html>", "{} {}", "\"\xff\"", "{\"a\": 1,}"})
    EXPECT_FALSE(parse_body(text)) << text;
}

TEST(WriteBody, WritesMoneyAsTheExactNumber) {
  const auto amount = billing::parse_amount("123456789.987654321");
  const nlohmann::json body{{"dutyFreeAmount", money_json(*amount, "EUR")}, {"list", {1, "a\"b"}}};
  const std::string text = write_body(body);
  EXPECT_EQ(text,
            R"({"dutyFreeAmount":{"unit":"EUR","value":123456789.987654321},"list":[1,"a\"b"]})");
  const auto back = parse_body(text);
  ASSERT_TRUE(back);
  EXPECT_EQ(*back, body);
}

}  // namespace
}  // namespace anabranch::negotiation
