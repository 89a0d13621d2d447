// SPDX-License-Identifier: BSD-3-Clause
#include "control/seller_document.h"

#include <cerrno>
#include <cstring>
#include <fstream>

#include "control/json_reader.h"

namespace anabranch::control {

namespace {

// What is wrong with it, the other half says.
std::string text_in(const nlohmann::json& document, const char* key) {
  const auto found = document.find(key);
  return found != document.end() && found->is_string() ? found->get<std::string>() : "";
}

}  // namespace

Parsed<std::optional<Sells>> parse_sells(const nlohmann::json& provider) {
  if (!provider.is_object() || !provider.contains("sells")) return std::nullopt;
  FieldErrors errors;
  JsonReader r(provider["sells"], "/sells", errors);
  Sells s;
  s.seller.provider = text_in(provider, "id");
  s.tariff = text_in(provider, "tariff");
  negotiation::Endpoint& endpoint = s.seller.endpoint;
  endpoint.base_url = r.text("url", "an address such as \"https://api.example.net/tmf-api\"");
  endpoint.plain_allowed = r.boolean("insecure_cleartext", false);
  s.token_file = r.text("token_file", "a file", false);
  endpoint.ca_file = r.text("ca", "a file of certificates", false);
  endpoint.certificate_file = r.text("certificate", "a file", false);
  endpoint.key_file = r.text("key", "a file", false);
  if (const std::string offering = r.text("offering", "what it calls a path", false);
      !offering.empty())
    s.offering = offering;
  s.seller.has_availability = !r.boolean("without_availability", false);
  if (const std::string why = negotiation::refusal(endpoint);
      !endpoint.base_url.empty() && !why.empty())
    r.fail("url", "\"" + endpoint.base_url + "\": " + why);
  if (endpoint.certificate_file.empty() != endpoint.key_file.empty())
    r.fail("certificate", "expected certificate and key together, or neither");
  r.finish();
  if (!errors.empty()) return tl::unexpected(std::move(errors));
  return s;
}

tl::expected<negotiation::Seller, std::string> seller_of(const Sells& sells) {
  negotiation::Seller seller = sells.seller;
  if (sells.token_file.empty()) return seller;
  std::ifstream in(sells.token_file);
  if (!(in >> seller.endpoint.bearer_token))
    return tl::unexpected(sells.token_file + ": no token can be read: " + std::strerror(errno));
  return seller;
}

}  // namespace anabranch::control
