// SPDX-License-Identifier: BSD-3-Clause
#include "billing/tariff.h"

#include <algorithm>
#include <cstdio>

namespace anabranch::billing {
namespace {

using nlohmann::json;

constexpr Int128 kOctetsPerGb = 1'000'000'000;
constexpr int kPriceDecimals = 9;

// FNV-1a, 64 bits: tells versions of one tariff apart; nobody attacks it.
std::string content_hash(const std::string& text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (unsigned char c : text) hash = (hash ^ c) * 0x100000001b3;
  char out[17];
  std::snprintf(out, sizeof out, "%016llx", static_cast<unsigned long long>(hash));
  return out;
}

void refuse_unknown(const json& object, std::initializer_list<const char*> known,
                    const std::string& at, DocumentErrors& errors) {
  for (const auto& member : object.items()) {
    const std::string& name = member.key();
    if (std::none_of(known.begin(), known.end(), [&](const char* k) { return name == k; })) {
      errors.push_back({at + "/" + name, "unknown field"});
    }
  }
}

std::string text_field(const json& object, const char* name, const std::string& at,
                       DocumentErrors& errors) {
  const auto found = object.find(name);
  if (found != object.end() && found->is_string() && !found->get_ref<const std::string&>().empty())
    return *found;
  errors.push_back({at + "/" + name, "expected a text"});
  return {};
}

void read_price(const json& entry, const std::string& at, Tariff& tariff, DocumentErrors& errors) {
  if (!entry.is_object()) {
    errors.push_back({at, "expected {\"provider\": …, \"per_gb\": \"0.50\"}"});
    return;
  }
  refuse_unknown(entry, {"provider", "per_gb"}, at, errors);
  const std::string provider = text_field(entry, "provider", at, errors);
  const std::string text = text_field(entry, "per_gb", at, errors);
  const auto price = parse_amount(text, kPriceDecimals);
  if (!text.empty() && (!price || *price < Amount())) {
    errors.push_back({at + "/per_gb", "\"" + text +
                                          "\" is no price; expected a decimal number of at most "
                                          "nine decimals, such as \"0.50\""});
    return;
  }
  if (text.empty() || provider.empty()) return;
  const auto per_octet = Amount::from_attos(price->attos() / kOctetsPerGb);
  if (!tariff.price_per_octet.emplace(provider, per_octet).second) {
    errors.push_back({at + "/provider", "\"" + provider + "\" has a price already"});
  }
}

void read_charged(const json& document, Tariff& tariff, DocumentErrors& errors) {
  const auto found = document.find("charged");
  if (found == document.end()) {
    for (Kind kind : {Kind::first, Kind::repair, Kind::copy, Kind::overhead}) {
      tariff.charged[static_cast<size_t>(kind)] = true;
    }
    return;
  }
  if (!found->is_array()) return errors.push_back({"/charged", "expected a list of kinds"});
  for (size_t i = 0; i < found->size(); ++i) {
    const json& name = (*found)[i];
    const auto kind = std::find_if(kKindNames.begin(), kKindNames.end(),
                                   [&](std::string_view k) { return name == std::string(k); });
    if (kind == kKindNames.end()) {
      errors.push_back({"/charged/" + std::to_string(i),
                        name.dump() + " is no kind of usage; expected first, repair, copy, "
                                      "overhead, control, refused or unattended"});
    } else {
      tariff.charged[static_cast<size_t>(kind - kKindNames.begin())] = true;
    }
  }
}

}  // namespace

std::optional<Int128> Tariff::attos_per_octet(const std::string& provider) const {
  const auto found = price_per_octet.find(provider);
  if (found == price_per_octet.end()) return std::nullopt;
  return found->second.attos();
}

std::optional<Amount> Tariff::charge(const std::string& provider, Kind kind,
                                     uint64_t octets) const {
  if (!charged[static_cast<size_t>(kind)]) return Amount();
  const auto found = price_per_octet.find(provider);
  if (found == price_per_octet.end()) return std::nullopt;
  return found->second.times(octets);
}

tl::expected<Tariff, DocumentErrors> parse_tariff(const json& document) {
  DocumentErrors errors;
  Tariff tariff;
  if (!document.is_object())
    return tl::unexpected(DocumentErrors{{"", "expected a tariff, a JSON object"}});
  refuse_unknown(document, {"id", "currency", "prices", "charged"}, "", errors);
  tariff.id = text_field(document, "id", "", errors);
  tariff.currency = text_field(document, "currency", "", errors);
  if (!tariff.currency.empty() && !minor_digits(tariff.currency)) {
    errors.push_back(
        {"/currency", "\"" + tariff.currency +
                          "\" is no currency known; expected an ISO 4217 code such as EUR"});
  }
  const auto prices = document.find("prices");
  if (prices == document.end() || !prices->is_array() || prices->empty()) {
    errors.push_back({"/prices", "expected a list of at least one price"});
  } else {
    for (size_t i = 0; i < prices->size(); ++i) {
      read_price((*prices)[i], "/prices/" + std::to_string(i), tariff, errors);
    }
  }
  read_charged(document, tariff, errors);
  if (!errors.empty()) return tl::unexpected(errors);
  tariff.text = document.dump();
  tariff.version = content_hash(tariff.text);
  return tariff;
}

}  // namespace anabranch::billing
