// SPDX-License-Identifier: BSD-3-Clause
// JSON from providers, read so that money stays exact. TMF's money is a JSON number, and most
// readers make a binary fraction of it: 0.1 becomes 0.1000000000000000055. Here the number's own
// text is kept.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>
#include <tl/expected.hpp>

#include "billing/money.h"

namespace anabranch::negotiation {

// Deeper than any body of the three interfaces; what reads it afterwards is recursive.
inline constexpr size_t kBodyDepthMax = 32;
// A price a gigabyte of that many is exact to the octet.
inline constexpr int kMoneyDecimalsMax = 9;
// Prices above 10^9 currency units are no offers, and their sums must not overflow.
inline constexpr int kMoneyWholeDigitsMax = 9;

// A body in which the number at the key "value" of a "dutyFreeAmount" or a "taxIncludedAmount" is
// kept as its text, in a binary value, which no JSON text can make. Refused, with a sentence: what
// is no JSON, nested too deeply, a field that is given twice (readers differ in which they take),
// a number that does not fit.
tl::expected<nlohmann::json, std::string> parse_body(std::string_view text);

// The exact amount of a JSON number's text; or a sentence that says why it is none. Exponents are
// worked out: "125e-1" is 12.5.
tl::expected<billing::Amount, std::string> exact_amount(std::string_view token);

struct Money {
  billing::Amount amount;
  std::string currency;  // ISO 4217
};
// {"unit": "EUR", "value": 12.5} of a body read by parse_body(); not negative.
tl::expected<Money, std::string> read_money(const nlohmann::json& money);

// The same for a body that we write; write_body() knows how. At most kMoneyDecimalsMax decimals.
nlohmann::json money_json(billing::Amount amount, const std::string& currency);
// The text of a body: of money each value exactly, as a number.
std::string write_body(const nlohmann::json& body);

}  // namespace anabranch::negotiation
