// SPDX-License-Identifier: BSD-3-Clause
#include "billing/tariff.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>

#include "billing/period.h"

namespace anabranch::billing {
namespace {

using nlohmann::json;

// A statement has a line for each item and provider: more would be no use to anybody.
constexpr size_t kItemsMax = 256;

// FNV-1a, 64 bits: tells versions of one tariff apart; nobody attacks it.
std::string content_hash(const std::string& text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (unsigned char c : text) hash = (hash ^ c) * 0x100000001b3;
  char out[17];
  std::snprintf(out, sizeof out, "%016llx", static_cast<unsigned long long>(hash));
  return out;
}

using Prices = std::map<std::string, Amount>;  // by provider

void read_price(const json& entry, const std::string& at, Prices& prices, DocumentErrors& errors) {
  DocumentReader r(entry, at, "{\"provider\": …, \"per_gb\": \"0.50\"}", {"provider", "per_gb"},
                   errors);
  const std::string provider = r.text("provider", "a provider's name");
  const auto price = read_per_gb(r, "per_gb");
  if (provider.empty() || !price) return;
  if (!prices.emplace(provider, *price).second)
    r.wrong("provider", "\"" + provider + "\" has a price already");
}

constexpr uint8_t bit(Kind kind) {
  return static_cast<uint8_t>(1u << static_cast<unsigned>(kind));
}

// As items: what is not charged is free, and each provider has its price.
void read_prices(DocumentReader& r, Tariff& tariff, const Tax& tax) {
  Prices prices;
  const auto entries = r.list("prices", SIZE_MAX, "prices");
  for (size_t i = 0; i < entries.size(); ++i)
    read_price(entries[i], r.at("prices") + "/" + std::to_string(i), prices, r.errors());
  uint8_t kinds = bit(Kind::first) | bit(Kind::repair) | bit(Kind::copy) | bit(Kind::overhead);
  if (const json* charged = r.member("charged")) {
    kinds = 0;
    if (*charged != json::array()) {
      for (size_t kind : r.choices("charged", kKindNames))
        kinds = static_cast<uint8_t>(kinds | bit(static_cast<Kind>(kind)));
    }
  }
  TariffItem free{.id = "not charged",
                  .kinds = static_cast<uint8_t>(~kinds & TariffItem{}.kinds),
                  .model = Free{},
                  .tax = tax};
  if (free.kinds != 0) tariff.items.push_back(std::move(free));
  for (const auto& [provider, price] : prices) {
    tariff.items.push_back({.id = provider,
                            .providers = {provider},
                            .kinds = kinds,
                            .model = PerOctet{price},
                            .tax = tax});
  }
}

// What items say of each other.
void check_items(DocumentReader& r, std::span<const TariffItem> items,
                 std::span<const std::string> pointers) {
  std::map<std::pair<TaxCategory, Amount>, std::string> reasons;
  std::set<std::string> ids, usage;
  size_t windows = 0;
  const bool unscoped = std::any_of(items.begin(), items.end(), [](const TariffItem& item) {
    return item.tax.category == TaxCategory::out_of_scope;
  });
  for (size_t i = 0; i < items.size(); ++i) {
    const auto wrong = [&](const char* field, const std::string& detail) {
      r.errors().push_back({pointers[i] + field, detail});
    };
    const TariffItem& item = items[i];
    if (!ids.insert(item.id).second) wrong("/id", "\"" + item.id + "\" is another item's already");
    if (item.charges_usage()) usage.insert(item.id);
    if ((windows += item.times.size()) > kWindowsMax)
      wrong("/times", "a tariff has at most " + std::to_string(kWindowsMax) + " times of day");
    // EN 16931 sums up by category and percentage (BR-E-1 and the like), and has O alone (BR-O-11).
    const auto [reason, first] =
        reasons.try_emplace({item.tax.category, item.tax.percent}, item.tax.reason);
    if (!first && reason->second != item.tax.reason)
      wrong("/tax/reason", "differs from \"" + reason->second + "\", which another item says of " +
                               std::string(item.tax.code()) + "; a statement has one for each");
    if (unscoped && item.tax.category != TaxCategory::out_of_scope)
      wrong("/tax/category", "another item has category O, which stands beside no other");
  }
  for (size_t i = 0; i < items.size(); ++i) {
    const auto* commit = std::get_if<Commit>(&items[i].model);
    if (commit == nullptr) continue;
    for (const std::string& id : commit->items) {
      if (!usage.contains(id))
        r.errors().push_back(
            {pointers[i] + "/items", "\"" + id + "\" is no item that charges usage"});
    }
  }
}

void read_items(DocumentReader& r, Tariff& tariff, const Tax& tax) {
  const auto items = r.list("items", kItemsMax, "items");
  std::vector<std::string> pointers;
  for (size_t i = 0; i < items.size(); ++i) {
    const std::string at = r.at("items") + "/" + std::to_string(i);
    auto item = read_item(items[i], at, tax, r.errors());
    if (!item) continue;
    tariff.items.push_back(std::move(*item));
    pointers.push_back(at);
  }
  check_items(r, tariff.items, pointers);
}

}  // namespace

tl::expected<Tariff, DocumentErrors> parse_tariff(const json& document) {
  DocumentErrors errors;
  Tariff tariff;
  DocumentReader r(document, "", "a tariff",
                   {"id", "currency", "zone", "tax", "items", "prices", "charged"}, errors);
  if (!document.is_object()) return tl::unexpected(errors);
  tariff.id = r.text("id", "the tariff's name");
  tariff.currency = r.text("currency", "an ISO 4217 code such as \"EUR\"");
  if (!tariff.currency.empty() && !minor_digits(tariff.currency))
    r.wrong("currency", "\"" + tariff.currency +
                            "\" is no currency known; expected an ISO 4217 code such as EUR");
  tariff.zone = r.text("zone", "an IANA name such as \"Europe/Berlin\"", false);
  if (!tariff.zone.empty()) {
    if (const auto zone = Zone::find(tariff.zone); !zone) r.wrong("zone", zone.error());
  }
  Tax tax;
  if (const json* named = r.member("tax"))
    tax = read_tax(*named, r.at("tax"), errors).value_or(Tax{});
  if (r.has("items")) {
    for (const char* of_the_short_form : {"prices", "charged"}) {
      if (r.has(of_the_short_form))
        r.wrong(of_the_short_form, "stands beside \"items\"; expected either items or prices");
    }
    read_items(r, tariff, tax);
  } else if (r.has("prices")) {
    read_prices(r, tariff, tax);
  } else {
    r.wrong("items", "is missing; expected a list of items, or \"prices\"");
  }
  if (!errors.empty()) return tl::unexpected(errors);
  tariff.text = document.dump();
  tariff.version = content_hash(tariff.text);
  return tariff;
}

}  // namespace anabranch::billing
