// SPDX-License-Identifier: BSD-3-Clause
#include "billing/card.h"

#include <fstream>
#include <sstream>

#include "billing/card_number.h"
#include "billing/stripe.h"

namespace anabranch::billing {
namespace {

constexpr size_t kTokenMax = 255;
constexpr size_t kEventSecretsMax = 2;

std::string read_token(DocumentReader& r, const char* name) {
  const std::string token = r.text(name, "the processor's token");
  if (has_card_number(token))
    r.wrong(name, kCardNumberRefused);
  else if (token.size() > kTokenMax)
    r.wrong(name, "is longer than 255 characters; expected the processor's token");
  else
    return token;
  return {};
}

}  // namespace

Card read_card(const nlohmann::json& document, const std::string& at, DocumentErrors& errors) {
  DocumentReader r(document, at, "a card", {"customer", "method"}, errors);
  if (!document.is_object()) return {};
  const std::string customer = read_token(r, "customer");
  return {.customer = customer, .method = read_token(r, "method")};
}

CardsContract read_cards(const nlohmann::json& document, const std::string& at,
                         DocumentErrors& errors) {
  DocumentReader r(document, at, "a contract with a processor of cards",
                   {"dialect", "url", "key_file", "ca", "events_key_file"}, errors);
  CardsContract contract;
  if (!document.is_object()) return contract;
  if (const auto i = r.choice("dialect", kDialectNames, false)) contract.dialect = *i;
  if (r.has("url")) contract.url = r.text("url", "an address such as \"https://api.stripe.com\"");
  contract.key_file = r.text("key_file", "the file of the processor's secret key");
  contract.ca = r.text("ca", "a file of certificates, PEM", false);
  contract.events_key_file =
      r.text("events_key_file", "the file of the secret that events are signed with", false);
  return contract;
}

tl::expected<std::vector<std::string>, std::string> read_event_secrets(
    const CardsContract& contract) {
  std::ifstream in(contract.events_key_file);
  if (!in) return tl::unexpected(contract.events_key_file + ": cannot be read");
  std::vector<std::string> secrets;
  for (std::string line; std::getline(in, line);) {
    line.erase(line.find_last_not_of(" \t\r") + 1);
    if (!line.empty()) secrets.push_back(line);
  }
  if (secrets.empty() || secrets.size() > kEventSecretsMax)
    return tl::unexpected(contract.events_key_file +
                          ": expected the secret of the processor's events, or two, a line each");
  return secrets;
}

tl::expected<std::unique_ptr<CardProcessor>, std::string> open_processor(
    const CardsContract& contract) {
  std::ifstream in(contract.key_file);
  std::string key;
  if (!std::getline(in, key))
    return tl::unexpected(contract.key_file +
                          ": cannot be read; expected the processor's secret key in it");
  StripeOptions options{.dialect = static_cast<StripeOptions::Dialect>(contract.dialect),
                        .url = contract.url,
                        .secret_key = key,
                        .ca_file = contract.ca};
  auto made = StripeProcessor::make(std::move(options));
  if (!made) return tl::unexpected(made.error());
  return std::move(*made);
}

}  // namespace anabranch::billing
