// SPDX-License-Identifier: BSD-3-Clause
#include "billing/billing_documents.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <tuple>

#include "billing/samples.h"

namespace anabranch::billing {
namespace {

using nlohmann::json;

constexpr const char* kKinds[] = {"issuers", "clients",   "profiles", "slas",
                                  "tariffs", "providers", "rates"};
constexpr const char* kHouseTariff = "house";
constexpr int64_t kHourNs = 3600LL * 1'000'000'000;
constexpr const char* kZone = "a time zone such as \"Europe/Berlin\"";

int64_t in_force_from(const DocumentVersion& version) {
  return sample_from(version.valid_from_ns) * kSampleNs;
}

const DocumentVersion& version_at(const std::vector<DocumentVersion>& versions, int64_t at_ns) {
  const DocumentVersion* found = &versions.front();
  for (const DocumentVersion& v : versions) {
    if (in_force_from(v) <= at_ns) found = &v;
  }
  return *found;
}

std::string text_of(const json& document, const char* name) {
  const auto found = document.find(name);
  return found != document.end() && found->is_string() ? found->get<std::string>() : "";
}

std::string in_words(const std::string& what, const DocumentErrors& errors) {
  std::string text;
  for (const DocumentError& e : errors)
    text += (text.empty() ? "" : "; ") + what + ": " + e.pointer + ": " + e.detail;
  return text;
}

void check_zone(DocumentReader& r, const std::string& zone) {
  if (zone.empty()) return;
  if (const auto found = Zone::find(zone); !found) r.wrong("zone", found.error());
}

tl::expected<Zone, std::string> zone_or(const std::string& name, const Zone& otherwise) {
  if (name.empty()) return otherwise;
  return Zone::find(name);
}

}  // namespace

tl::expected<Issuer, DocumentErrors> parse_issuer(const json& document) {
  DocumentErrors errors;
  DocumentReader r(
      document, "", "an issuer",
      {"id", "name", "zone", "grace_hours", "cards", "payment_terms", "address", "vat_id", "email"},
      errors);
  if (!document.is_object()) return tl::unexpected(errors);
  Issuer issuer;
  issuer.id = r.text("id", "the issuer's id");
  issuer.name = r.text("name", "the issuer's name, as on statements");
  const std::string zone = r.text("zone", kZone, false);
  check_zone(r, zone);
  if (const auto found = zone_or(zone, Zone::utc())) issuer.zone = *found;
  if (const auto hours = r.whole("grace_hours", 0, 24 * 28))
    issuer.grace_ns = static_cast<int64_t>(*hours) * kHourNs;
  if (const auto* cards = r.member("cards"))
    issuer.cards = read_cards(*cards, r.at("cards"), errors);
  issuer.party = read_party(r);
  issuer.payment_terms = r.text("payment_terms", "until when to pay, in words", false);
  if (!errors.empty()) return tl::unexpected(errors);
  return issuer;
}

tl::expected<ProviderTerms, DocumentErrors> parse_provider(const json& document) {
  DocumentErrors errors;
  // "sells" is the other half (control/seller_document.h).
  DocumentReader r(
      document, "", "a provider",
      {"id", "name", "tariff", "zone", "cycle_day", "sells", "address", "vat_id", "email"}, errors);
  if (!document.is_object()) return tl::unexpected(errors);
  ProviderTerms provider{.id = r.text("id", "the provider's name, as in the configuration"),
                         .name = r.text("name", "the provider's name, as on statements", false),
                         .tariff = r.text("tariff", "the tariff by which we owe the provider"),
                         .zone = r.text("zone", kZone, false)};
  check_zone(r, provider.zone);
  if (const auto day = r.whole("cycle_day", 1, 31))
    provider.cycle_day = static_cast<unsigned>(*day);
  provider.party = read_party(r);
  if (provider.name.empty()) provider.name = provider.id;
  if (!errors.empty()) return tl::unexpected(errors);
  return provider;
}

BillingDocuments::Result<BillingDocuments> BillingDocuments::read(const Ledger& ledger) {
  BillingDocuments documents;
  for (const char* kind : kKinds) {
    auto history = ledger.document_history(kind);
    if (!history) return tl::unexpected(history.error().text);
    documents.kinds_[kind] = std::move(*history);
  }
  const Kind& issuers = documents.kinds_["issuers"];
  if (!issuers.empty()) {
    const auto& [id, versions] = *issuers.begin();
    auto issuer = parse_issuer(json::parse(versions.back().text, nullptr, false));
    if (!issuer) return tl::unexpected(in_words("issuer " + id, issuer.error()));
    documents.issuer_ = std::move(*issuer);
  }
  for (const auto& [id, versions] : documents.kinds_["rates"]) {
    auto sheet = parse_rates(json::parse(versions.back().text, nullptr, false));
    if (!sheet) return tl::unexpected(in_words("exchange rates " + id, sheet.error()));
    documents.rates_.add(std::move(*sheet));
  }
  for (const char* kind : {"tariffs", "providers"}) {
    for (const auto& [id, versions] : documents.kinds_[kind]) {
      for (size_t i = 1; i < versions.size(); ++i)
        documents.changes_.push_back(in_force_from(versions[i]));
    }
  }
  std::sort(documents.changes_.begin(), documents.changes_.end());
  documents.read_payers();
  auto services = ledger.client_services();
  if (!services) return tl::unexpected(services.error().text);
  documents.read_wishes(std::move(*services));
  return documents;
}

// What is not understood of a request was admitted by another version: it asks for nothing.
void BillingDocuments::read_wishes(std::vector<ClientService> services) {
  std::sort(services.begin(), services.end(), [](const auto& a, const auto& b) {
    return std::tie(a.opened_ns, a.gateway, a.id) < std::tie(b.opened_ns, b.gateway, b.id);
  });
  for (const ClientService& s : services) {
    const json request = json::parse(s.request, nullptr, false);
    if (!request.is_object() || !request.contains("billing")) continue;
    DocumentErrors errors;
    const Preferences wish = read_wish(request.at("billing"), "/billing", errors);
    if (errors.empty())
      wishes_[s.client].push_back({s.opened_ns, s.closed_ns.value_or(INT64_MAX), wish});
  }
}

// Of several services in a period, what the earlier one asked for is before what a later one did.
Preferences BillingDocuments::wishes(const std::string& client, const Period& period) const {
  Preferences all;
  const auto of_client = wishes_.find(client);
  if (of_client == wishes_.end()) return all;
  for (const Wish& w : of_client->second) {
    if (w.opened_ns < period.to_ns && w.closed_ns >= period.from_ns) all = all.over(w.preferences);
  }
  return all;
}

BillingDocuments::Result<json> BillingDocuments::document(const std::string& kind,
                                                          const std::string& id,
                                                          int64_t at_ns) const {
  const Kind& all = kinds_.at(kind);
  const auto found = all.find(id);
  if (found == all.end()) return tl::unexpected("the ledger has no document " + kind + "/" + id);
  return json::parse(version_at(found->second, at_ns).text, nullptr, false);
}

BillingDocuments::Result<Terms> BillingDocuments::client(const std::string& id,
                                                         int64_t at_ns) const {
  const auto client = document("clients", id, at_ns);
  if (!client) return tl::unexpected(client.error());
  Terms terms{.id = id, .name = text_of(*client, "name")};
  if (terms.name.empty()) terms.name = id;
  const auto profile = document("profiles", text_of(*client, "profile"), at_ns);
  DocumentErrors errors;
  if (client->contains("card")) terms.card = read_card(client->at("card"), "/card", errors);
  Relations relations = read_relations(*client, errors);
  if (!errors.empty()) return tl::unexpected(in_words("client " + id, errors));
  terms.reseller = std::move(relations.reseller);
  if (!relations.paid_by.empty()) {
    auto payer = payer_of(id, relations.paid_by, at_ns);
    if (!payer) return tl::unexpected(payer.error());
    terms.paid_by = std::move(*payer);
  }
  if (profile && profile->contains("billing"))
    terms.preferences = read_preferences(profile->at("billing"), "/billing", errors);
  if (!errors.empty()) return tl::unexpected(in_words("profile of client " + id, errors));
  if (const std::string sla = text_of(*client, "sla"); !sla.empty()) {
    const auto stored = document("slas", sla, at_ns);
    if (!stored) return tl::unexpected("client " + id + ": " + stored.error());
    auto agreement = parse_agreement(*stored);
    if (!agreement) return tl::unexpected(in_words("sla " + sla, agreement.error()));
    terms.preferences = agreement->billing.over(terms.preferences);
    terms.agreement = std::move(*agreement);
  }
  const auto zone = zone_or(terms.preferences.zone, issuer_.zone);
  if (!zone) return tl::unexpected("client " + id + ": " + zone.error());
  terms.cycle = {*zone, terms.preferences.cycle_day.value_or(1)};
  terms.preferences = terms.preferences.over(wishes(id, terms.cycle.containing(at_ns)));
  if (terms.paid_by) terms.preferences.payment.reset();  // they are those of who pays
  return terms;
}

// Whoever pays for another pays for itself, or nobody would know who pays in the end.
BillingDocuments::Result<Terms::PaidBy> BillingDocuments::payer_of(const std::string& client,
                                                                   const std::string& paid_by,
                                                                   int64_t at_ns) const {
  const std::string of = "client " + client + ": /paid_by: ";
  const auto stored = document("clients", paid_by, at_ns);
  if (!stored) return tl::unexpected(of + stored.error());
  if (const std::string by = text_of(*stored, "paid_by"); !by.empty())
    return tl::unexpected(of + paid_by + " is paid for by " + by +
                          " itself; expected who pays in the end");
  const auto payer = this->client(paid_by, at_ns);
  if (!payer) return tl::unexpected(of + payer.error());
  if (payer->payment().charge == ChargeWhen::ahead)
    return tl::unexpected(of + paid_by + " pays ahead, and that only for itself");
  return Terms::PaidBy{paid_by, payer->name};
}

// Few documents speak of it: the others are not parsed.
void BillingDocuments::read_payers() {
  for (const auto& [id, versions] : kinds_["clients"]) {
    for (const DocumentVersion& v : versions) {
      if (v.text.find("\"paid_by\"") == std::string::npos) continue;
      const std::string payer = text_of(json::parse(v.text, nullptr, false), "paid_by");
      if (!payer.empty()) paid_for_[payer].insert(id);
    }
  }
}

std::set<std::string> BillingDocuments::paid_for_by(const std::string& client) const {
  const auto found = paid_for_.find(client);
  return found == paid_for_.end() ? std::set<std::string>() : found->second;
}

std::vector<std::string> BillingDocuments::clients() const {
  std::vector<std::string> ids;
  for (const auto& [id, versions] : kinds_.at("clients")) ids.push_back(id);
  return ids;
}

Terms BillingDocuments::house() const {
  return {.id = "house", .name = "what belongs to no client", .cycle = {issuer_.zone}};
}

std::optional<int64_t> BillingDocuments::house_since() const {
  const Kind& tariffs = kinds_.at("tariffs");
  const auto house = tariffs.find(kHouseTariff);
  if (house == tariffs.end()) return std::nullopt;
  return house->second.front().valid_from_ns;
}

// It sells, and nothing was ordered of it yet: it has no tariff, and nothing to charge by one.
bool BillingDocuments::awaits_order(const Versions& provider) const {
  const json stored = json::parse(provider.back().text, nullptr, false);
  return stored.is_object() && stored.contains("sells") &&
         !kinds_.at("tariffs").contains(text_of(stored, "tariff"));
}

std::map<std::string, int64_t> BillingDocuments::providers() const {
  std::map<std::string, int64_t> all;
  for (const auto& [id, versions] : kinds_.at("providers")) {
    if (!awaits_order(versions)) all[id] = versions.front().valid_from_ns;
  }
  return all;
}

BillingDocuments::Result<Terms> BillingDocuments::provider(const std::string& id,
                                                           int64_t at_ns) const {
  const auto stored = document("providers", id, at_ns);
  if (!stored) return tl::unexpected(stored.error());
  const auto provider = parse_provider(*stored);
  if (!provider) return tl::unexpected(in_words("provider " + id, provider.error()));
  const auto zone = zone_or(provider->zone, issuer_.zone);
  if (!zone) return tl::unexpected("provider " + id + ": " + zone.error());
  return Terms{.id = id, .name = provider->name, .cycle = {*zone, provider->cycle_day}};
}

Party BillingDocuments::client_party(const std::string& id, int64_t at_ns) const {
  DocumentErrors errors;
  const auto stored = document("clients", id, at_ns);
  return stored && stored->is_object() ? read_party(*stored, errors) : Party();
}

std::map<std::string, Party> BillingDocuments::provider_parties(int64_t at_ns) const {
  std::map<std::string, Party> all;
  for (const auto& [id, versions] : kinds_.at("providers")) {
    const json stored = json::parse(version_at(versions, at_ns).text, nullptr, false);
    DocumentErrors errors;
    if (stored.is_object()) all[id] = read_party(stored, errors);
  }
  return all;
}

// --- Prices ---

BillingDocuments::Result<std::shared_ptr<const Tariff>> BillingDocuments::tariff(
    const std::string& id, int64_t at_ns) {
  const Kind& all = kinds_.at("tariffs");
  const auto found = all.find(id);
  if (found == all.end()) return tl::unexpected("the ledger has no tariff \"" + id + "\"");
  const DocumentVersion& version = version_at(found->second, at_ns);
  auto& known = tariffs_[{id, version.number}];
  if (known) return known;
  auto parsed = parse_tariff(json::parse(version.text, nullptr, false));
  if (!parsed) return tl::unexpected(in_words("tariff " + id, parsed.error()));
  return known = std::make_shared<const Tariff>(std::move(*parsed));
}

BillingDocuments::Result<BillingDocuments::InForce> BillingDocuments::in_force(
    const std::string& id, int64_t at_ns) {
  auto own = tariff(id, at_ns);
  if (!own) return tl::unexpected(own.error());
  return with_passed(std::move(*own), at_ns);
}

BillingDocuments::Result<BillingDocuments::InForce> BillingDocuments::with_passed(
    std::shared_ptr<const Tariff> own, int64_t at_ns) {
  InForce result{.tariff = std::move(own), .providers = {}};
  const bool passes = std::any_of(
      result.tariff->items.begin(), result.tariff->items.end(),
      [](const TariffItem& item) { return std::holds_alternative<PassThrough>(item.model); });
  if (!passes) return result;
  for (const auto& [provider, since] : providers()) {
    const auto stored = document("providers", provider, at_ns);
    auto theirs = tariff(text_of(*stored, "tariff"), at_ns);
    if (!theirs) return tl::unexpected("provider " + provider + ": " + theirs.error());
    result.providers[provider] = std::move(*theirs);
  }
  return result;
}

BillingDocuments::Result<BillingDocuments::Prices> BillingDocuments::prices(
    const BilledPeriod& period, const Zone& zone, const At& at, const Versions* own) {
  std::set<int64_t> changes{period.part.from_ns};
  const auto may_change = [&](int64_t at_ns) {
    if (at_ns > period.part.from_ns && at_ns < period.part.to_ns) changes.insert(at_ns);
  };
  const auto first = std::upper_bound(changes_.begin(), changes_.end(), period.part.from_ns);
  for (auto c = first; c != changes_.end() && *c < period.part.to_ns; ++c) may_change(*c);
  for (size_t i = 1; own != nullptr && i < own->size(); ++i) may_change(in_force_from((*own)[i]));
  std::vector<std::pair<int64_t, InForce>> stretches;
  for (const int64_t from : changes) {
    auto now = at(from);
    if (!now) return tl::unexpected(now.error());
    if (stretches.empty() || stretches.back().second != *now)
      stretches.emplace_back(from, std::move(*now));
  }
  Prices all;
  for (size_t i = 0; i < stretches.size(); ++i) {
    const int64_t to = i + 1 < stretches.size() ? stretches[i + 1].first : period.part.to_ns;
    auto made = list({{stretches[i].first, to}, period.cycle}, zone, stretches[i].second);
    if (!made) return tl::unexpected(made.error());
    all.push_back(std::move(*made));
  }
  return all;
}

BillingDocuments::Result<std::shared_ptr<const PriceList>> BillingDocuments::list(
    const BilledPeriod& period, const Zone& zone, const InForce& in_force) {
  std::string key = fmt::format("{} {} {} {} {} {} {}", period.part.from_ns, period.part.to_ns,
                                period.cycle.from_ns, period.cycle.to_ns, zone.name(),
                                in_force.tariff->id, in_force.tariff->version);
  std::map<std::string, Tariff> providers;
  for (const auto& [provider, own] : in_force.providers) {
    key += fmt::format(" {} {} {}", provider, own->id, own->version);
    providers.emplace(provider, *own);
  }
  auto& known = lists_[key];
  if (known) return known;
  auto made = PriceList::make(period, zone, *in_force.tariff, std::move(providers));
  if (!made) return tl::unexpected(made.error());
  return known = std::move(*made);
}

BillingDocuments::Result<BillingDocuments::Prices> BillingDocuments::client_prices(
    const std::string& id, const BilledPeriod& period, const Zone& zone) {
  const auto tariff_at = [&](int64_t at_ns) -> Result<InForce> {
    const auto client = document("clients", id, at_ns);
    if (!client) return tl::unexpected(client.error());
    return in_force(text_of(*client, "tariff"), at_ns);
  };
  const Kind& clients = kinds_.at("clients");
  const auto own = clients.find(id);
  return prices(period, zone, tariff_at, own == clients.end() ? nullptr : &own->second);
}

BillingDocuments::Result<BillingDocuments::Prices> BillingDocuments::house_prices(
    const BilledPeriod& period, const Zone& zone) {
  return prices(period, zone, [&](int64_t at_ns) { return in_force(kHouseTariff, at_ns); });
}

BillingDocuments::Result<BillingDocuments::Prices> BillingDocuments::provider_prices(
    const std::string& id, const BilledPeriod& period, const Zone& zone) {
  return prices(period, zone, [&](int64_t at_ns) -> Result<InForce> {
    const auto stored = document("providers", id, at_ns);
    if (!stored) return tl::unexpected(stored.error());
    return in_force(text_of(*stored, "tariff"), at_ns);
  });
}

BillingDocuments::Result<BillingDocuments::Prices> BillingDocuments::prices_by(
    const Tariff& tariff, const BilledPeriod& period, const Zone& zone) {
  const auto in_force = with_passed(std::make_shared<const Tariff>(tariff), period.part.from_ns);
  if (!in_force) return tl::unexpected(in_force.error());
  auto made = list(period, zone, *in_force);
  if (!made) return tl::unexpected(made.error());
  return Prices{std::move(*made)};
}

}  // namespace anabranch::billing
