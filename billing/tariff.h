// SPDX-License-Identifier: BSD-3-Clause
// A tariff: what is charged for usage. A client's, or a provider's, by which we owe the provider.
//
//   {"id": "business", "currency": "EUR", "tax": {"category": "S", "percent": "19"},
//    "items": [
//      {"id": "night", "times": [{"from": "22:00", "to": "06:00"}], "per_gb": "0.10"},
//      {"id": "mobile", "providers": ["airmobile"], "pass_through": {"margin_percent": "7.5"}},
//      {"id": "day", "graduated": [{"up_to_gb": "100", "per_gb": "0.50"}, {"per_gb": "0.30"}]},
//      {"id": "line", "flat": "49.00"}]}
//
// An octet is charged by the first item that matches it. What an item counts, tiers above all, it
// counts over all that it matches together. In short, a price for each provider:
//
//   {"id": "standard", "currency": "EUR",
//    "prices": [{"provider": "northfibre", "per_gb": "0.50"}],
//    "charged": ["first", "repair", "copy", "overhead"]}
//
// A GB is 10^9 octets of outer IP packets. Prices per GB have at most nine decimals, so the price
// of one octet is a whole number of attos.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>
#include <tl/expected.hpp>

#include "billing/document_reader.h"
#include "billing/tariff_item.h"

namespace anabranch::billing {

struct Tariff {
  std::string id;
  std::string version;  // hash of the content: another content is another version
  std::string currency;
  std::string zone;  // of its times of day; empty: the account's
  std::vector<TariffItem> items;
  std::string text;  // the document, canonical
};

tl::expected<Tariff, DocumentErrors> parse_tariff(const nlohmann::json& document);

}  // namespace anabranch::billing
