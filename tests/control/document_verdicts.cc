// SPDX-License-Identifier: BSD-3-Clause
// Reads documents, a line each: KIND TAB JSON. Prints of each what its parser says, a line each: a
// JSON list of mistakes.
#include <iostream>

#include "billing/agreement.h"
#include "billing/billing_documents.h"
#include "billing/exchange_rates.h"
#include "billing/tariff.h"
#include "control/access.h"
#include "control/json_reader.h"
#include "control/seller_document.h"

namespace anabranch::control {
namespace {

using nlohmann::json;

template <typename Parsed>
json mistakes_of(const Parsed& parsed) {
  json mistakes = json::array();
  if (parsed) return mistakes;
  for (const auto& e : parsed.error())
    mistakes.push_back({{"pointer", e.pointer}, {"detail", e.detail}});
  return mistakes;
}

json verdict(const std::string& kind, const json& document) {
  if (kind == "clients") return mistakes_of(parse_client(document));
  if (kind == "profiles") return mistakes_of(parse_profile(document));
  if (kind == "tokens") return mistakes_of(parse_token(document));
  if (kind == "slas") return mistakes_of(billing::parse_agreement(document));
  if (kind == "providers") {
    json mistakes = mistakes_of(parse_sells(document));
    for (json& e : mistakes_of(billing::parse_provider(document))) mistakes.push_back(e);
    return mistakes;
  }
  if (kind == "rates") return mistakes_of(billing::parse_rates(document));
  if (kind == "issuers") return mistakes_of(billing::parse_issuer(document));
  return mistakes_of(billing::parse_tariff(document));
}

}  // namespace
}  // namespace anabranch::control

int main() {
  std::string line;
  while (std::getline(std::cin, line)) {
    const size_t tab = line.find('\t');
    const auto document = nlohmann::json::parse(line.substr(tab + 1));
    std::cout << anabranch::control::verdict(line.substr(0, tab), document).dump(-1, ' ', true)
              << "\n";
  }
}
