// SPDX-License-Identifier: BSD-3-Clause
// Who issues an invoice or receives one, beside the name: what EN 16931 wants to know of both. It
// stands in the documents of issuers, clients and providers, and in each statement as it was when
// that was issued.
//
//   "address": {"street": "Hauptstr. 1", "postcode": "10115", "city": "Berlin", "country": "DE"},
//   "vat_id": "DE123456789", "email": "billing@example.net"
#pragma once

#include <array>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "billing/document_reader.h"

namespace anabranch::billing {

inline constexpr std::array<std::string_view, 3> kPartyFields{"address", "vat_id", "email"};

struct Party {
  std::string street, postcode, city;
  std::string country;  // ISO 3166-1, "DE"; empty: there is no address
  std::string vat_id;   // with the country's letters
  std::string email;
  bool operator==(const Party&) const = default;
};

// Each may be missing. `r` must let kPartyFields pass.
Party read_party(DocumentReader& r);
// Of a document of which all else is someone else's to read.
Party read_party(const nlohmann::json& document, DocumentErrors& errors);
void add_party(nlohmann::json& object, const Party& party);

// One address, "name@example.net", that can stand in a mail as it is.
bool is_email(std::string_view text);
// ISO 3166-1, and what EN 16931 has beside it (1A, XI).
bool is_country(std::string_view code);

}  // namespace anabranch::billing
