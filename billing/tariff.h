// SPDX-License-Identifier: BSD-3-Clause
// A tariff: what an octet costs, by the provider that carried it.
//
//   {"id": "standard", "currency": "EUR",
//    "prices": [{"provider": "northfibre", "per_gb": "0.50"}],
//    "charged": ["first", "repair", "copy", "overhead"]}
//
// A GB is 10^9 octets of outer IP packets. Prices have at most nine decimals, so the price of one
// octet is a whole number of attos and nothing is ever rounded but a statement's lines.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>
#include <tl/expected.hpp>

#include "billing/money.h"
#include "billing/usage.h"

namespace anabranch::billing {

// A mistake in a document: JSON pointer of the field, and a sentence.
struct DocumentError {
  std::string pointer;
  std::string detail;
};
using DocumentErrors = std::vector<DocumentError>;

struct Tariff {
  std::string id;
  std::string version;  // hash of the content: another content is another version
  std::string currency;
  std::map<std::string, Amount> price_per_octet;  // by provider
  std::array<bool, kKindNames.size()> charged{};
  std::string text;  // the document, canonical

  std::optional<Int128> attos_per_octet(const std::string& provider) const;
  // The charge for usage: a pure function. nullopt: the provider has no price here.
  std::optional<Amount> charge(const std::string& provider, Kind kind, uint64_t octets) const;
};

tl::expected<Tariff, DocumentErrors> parse_tariff(const nlohmann::json& document);

}  // namespace anabranch::billing
