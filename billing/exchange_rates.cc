// SPDX-License-Identifier: BSD-3-Clause
#include "billing/exchange_rates.h"

namespace anabranch::billing {
namespace {

constexpr int kRateDecimals = 12;

void read_currency(DocumentReader& r, const char* name, const std::string& code) {
  if (!code.empty() && !minor_digits(code))
    r.wrong(name, "\"" + code + "\" is no currency known; expected an ISO 4217 code such as EUR");
}

}  // namespace

tl::expected<RateSheet, DocumentErrors> parse_rates(const nlohmann::json& document) {
  DocumentErrors errors;
  DocumentReader r(document, "", "exchange rates", {"id", "date", "base", "rates"}, errors);
  if (!document.is_object()) return tl::unexpected(errors);
  RateSheet sheet{.id = r.text("id", "the document's name")};
  const std::string date = r.text("date", "a day such as \"2026-11-30\"");
  if (const auto day = parse_day(date))
    sheet.day = *day;
  else if (!date.empty())
    r.wrong("date", day.error());
  const std::string base = r.text("base", "an ISO 4217 code such as \"EUR\"");
  read_currency(r, "base", base);
  constexpr const char* kExpected = "rates such as {\"USD\": \"1.0834\"}";
  const nlohmann::json* rates = r.member("rates");
  if (rates == nullptr || !rates->is_object() || rates->empty()) {
    r.wrong("rates", std::string("expected ") + kExpected);
    return tl::unexpected(errors);
  }
  DocumentReader each(*rates, r.at("rates"), kExpected, errors);
  for (const auto& [code, value] : rates->items()) {
    read_currency(each, code.c_str(), code);
    const auto rate = each.decimal(code.c_str(), kRateDecimals, "a rate such as \"1.0834\"");
    if (rate && *rate == Amount()) each.wrong(code.c_str(), "is 0; expected a rate above it");
    if (code == base) each.wrong(code.c_str(), "is the base, of which the rate is 1");
    if (rate) sheet.rates[code] = *rate;
  }
  sheet.rates[base] = Amount::from_attos(kAttosPerUnit);
  if (!errors.empty()) return tl::unexpected(errors);
  return sheet;
}

void ExchangeRates::add(RateSheet sheet) {
  const std::pair key{sheet.day, sheet.id};
  sheets_.insert_or_assign(key, std::move(sheet));
}

tl::expected<Conversion, std::string> ExchangeRates::find(const std::string& from,
                                                          const std::string& to,
                                                          const CivilDay& day) const {
  for (auto at = sheets_.rbegin(); at != sheets_.rend(); ++at) {
    const RateSheet& sheet = at->second;
    if (sheet.day > day) continue;
    const auto of_from = sheet.rates.find(from), of_to = sheet.rates.find(to);
    if (of_from == sheet.rates.end() || of_to == sheet.rates.end()) continue;
    return Conversion{from, to, of_from->second, of_to->second, sheet.id, sheet.day};
  }
  return tl::unexpected("no exchange rate from " + from + " to " + to + " of " + to_text(day) +
                        " or before; store a document of rates that has both");
}

}  // namespace anabranch::billing
