// SPDX-License-Identifier: BSD-3-Clause
// The half of a provider's document that says where it sells (billing_documents.h has the other):
//
//   {"id": "airmobile", "name": "Air Mobile", "tariff": "airmobile-ordered",
//    "sells": {"url": "https://api.airmobile.example/tmf-api", "offering": "path",
//              "token_file": "/etc/anabranch/airmobile.token"}}
//
// What such a provider charges is what it was ordered for: the module stores it as its tariff.
#pragma once

#include <optional>
#include <string>

#include "control/documents.h"
#include "control/negotiation/desk.h"

namespace anabranch::control {

struct Sells {
  negotiation::Seller seller;  // but for its token, which is read when it is used
  std::string offering = "path";
  std::string token_file;  // or empty
  std::string tariff;
};

// nullopt: it does not sell.
Parsed<std::optional<Sells>> parse_sells(const nlohmann::json& provider);

// With its token. The error is a sentence.
tl::expected<negotiation::Seller, std::string> seller_of(const Sells& sells);

}  // namespace anabranch::control
