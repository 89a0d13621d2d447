// SPDX-License-Identifier: BSD-3-Clause
// A client's card, as we know it: the processor's tokens. And the issuer's contract with the
// processor.
//
//   clients  "card": {"customer": "cus_…", "method": "pm_…"}
//   issuers  "cards": {"dialect": "payment-intents", "url": "https://api.stripe.com",
//                      "key_file": "/etc/anabranch/stripe.key",
//                      "events_key_file": "/etc/anabranch/stripe.events"}
#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>
#include <tl/expected.hpp>

#include "billing/document_reader.h"
#include "billing/processor.h"

namespace anabranch::billing {

struct Card {
  std::string customer, method;
  bool operator==(const Card&) const = default;
};
Card read_card(const nlohmann::json& document, const std::string& at, DocumentErrors& errors);

inline constexpr std::array<std::string_view, 2> kDialectNames{"payment-intents", "charges"};

struct CardsContract {
  size_t dialect = 0;  // of kDialectNames
  std::string url = "https://api.stripe.com";
  std::string key_file;  // in it the secret key, alone
  std::string ca;        // PEM, instead of the system's
  // In it the secret that the processor's events are signed with; while it changes, two lines.
  std::string events_key_file;
};
CardsContract read_cards(const nlohmann::json& document, const std::string& at,
                         DocumentErrors& errors);

// Reads the secrets of events. The error: what cannot be read, or is not one or two.
tl::expected<std::vector<std::string>, std::string> read_event_secrets(
    const CardsContract& contract);
// Reads the key. The error: what cannot be read, or why nothing may be sent there.
tl::expected<std::unique_ptr<CardProcessor>, std::string> open_processor(
    const CardsContract& contract);

}  // namespace anabranch::billing
