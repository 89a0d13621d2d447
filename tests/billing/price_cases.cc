// SPDX-License-Identifier: BSD-3-Clause
// Prices what it is told, for price_oracle.py: a case a line on standard input, as JSON, and its
// charges or its error on standard output.
#include <iostream>
#include <string>

#include "billing/price.h"

using namespace anabranch::billing;
using nlohmann::json;

namespace {

// The first of several mistakes.
template <typename T>
T taken(tl::expected<T, DocumentErrors> parsed) {
  if (parsed) return std::move(*parsed);
  throw std::runtime_error(parsed.error()[0].pointer + ": " + parsed.error()[0].detail);
}
template <typename T>
T taken(tl::expected<T, std::string> done) {
  if (done) return std::move(*done);
  throw std::runtime_error(done.error());
}

template <size_t N>
size_t place_in(const std::array<std::string_view, N>& names, const std::string& name) {
  for (size_t i = 0; i < N; ++i) {
    if (names[i] == name) return i;
  }
  throw std::runtime_error(name + " is none");
}

json answer(const json& c) {
  std::map<std::string, Tariff> providers;
  for (const auto& [provider, document] : c.at("providers").items())
    providers.emplace(provider, taken(parse_tariff(document)));
  ExchangeRates rates;
  for (const json& sheet : c.at("rates")) rates.add(taken(parse_rates(sheet)));
  const auto prices = taken(PriceList::make(
      {{c.at("from"), c.at("to")}, {c.at("cycle_from"), c.at("cycle_to")}},
      taken(Zone::find(c.at("zone"))), taken(parse_tariff(c.at("tariff"))), providers));
  PeriodUsage usage(prices);
  for (const json& u : c.at("usage")) {
    const auto place = usage.place({u[0], u[1], u[2], "site-a"});
    usage.add(place, u[3], static_cast<Direction>(place_in(kDirectionNames, u[4])),
              static_cast<Kind>(place_in(kKindNames, u[5])), {u[6], u[7]}, {u[8], u[9]});
  }
  return to_json(taken(price(usage, rates)));
}

}  // namespace

int main() {
  std::string line;
  while (std::getline(std::cin, line)) {
    try {
      std::cout << answer(json::parse(line)) << "\n";
    } catch (const std::runtime_error& error) {
      std::cout << json{{"error", error.what()}} << "\n";
    }
  }
}
