// SPDX-License-Identifier: BSD-3-Clause
#include "billing/closing_accounts.h"

#include <algorithm>

namespace anabranch::billing {
namespace {

constexpr const char* kPrefixes[] = {"client:", "house:", "payable:"};
constexpr std::string_view kProviderSide = "payable:";

}  // namespace

std::string provider_side(const std::string& gateway) {
  return std::string(kProviderSide) + gateway;
}

std::string unknown_account(const std::string& name) {
  const std::string_view client = kPrefixes[static_cast<size_t>(BilledAccount::Kind::client)];
  return name.starts_with(client)
             ? "the ledger has no service of client \"" + name.substr(client.size()) + "\""
             : "the ledger has no account " + name;
}

std::string BilledAccount::name() const {
  return kPrefixes[static_cast<size_t>(kind)] + id;
}

bool is_active(const BilledAccount& account, const Period& period) {
  if (account.kind != BilledAccount::Kind::client) return true;
  return std::any_of(account.services.begin(), account.services.end(), [&](const auto& s) {
    return s.opened_ns < period.to_ns && s.closed_ns.value_or(INT64_MAX) >= period.from_ns;
  });
}

ClosingAccounts::Result<ClosingAccounts> ClosingAccounts::read(const Ledger& ledger,
                                                               const BillingDocuments& documents) {
  ClosingAccounts all;
  const auto add = [&](BilledAccount::Kind kind, const std::string& id,
                       int64_t since_ns) -> BilledAccount& {
    BilledAccount account{.kind = kind, .id = id, .since_ns = since_ns};
    BilledAccount& known = all.accounts_.try_emplace(account.name(), account).first->second;
    known.since_ns = std::min(known.since_ns, since_ns);
    return known;
  };
  const auto services = ledger.client_services();
  if (!services) return tl::unexpected(services.error().text);
  for (const ClientService& s : *services) {
    add(BilledAccount::Kind::client, s.client, s.opened_ns).services.push_back(s);
    all.owners_[{s.gateway, s.id}] = s.client;
    all.gateways_.insert(s.gateway);
  }
  const auto gateways = ledger.gateways();
  if (!gateways) return tl::unexpected(gateways.error().text);
  for (const std::string& gateway : *gateways) {
    all.gateways_.insert(gateway);
    if (const auto since = documents.house_since())
      add(BilledAccount::Kind::house, gateway, *since);
  }
  for (const auto& [provider, since] : documents.providers())
    add(BilledAccount::Kind::provider, provider, since);
  auto closed = ledger.closed_through();
  if (!closed) return tl::unexpected(closed.error().text);
  all.closed_through_ = std::move(*closed);
  if (auto done = all.read_watermarks(ledger); !done) return tl::unexpected(done.error());
  return all;
}

ClosingAccounts::Result<void> ClosingAccounts::read_watermarks(const Ledger& ledger) {
  const auto paths = ledger.all_paths();
  if (!paths) return tl::unexpected(paths.error().text);
  const auto watermarks = ledger.watermarks("");
  if (!watermarks) return tl::unexpected(watermarks.error().text);
  for (const Watermark& w : *watermarks) {
    std::string account;
    if (w.gateway.starts_with(kProviderSide)) {
      const auto path = paths->find({w.gateway.substr(kProviderSide.size()), w.key.path});
      if (path != paths->end()) account = "payable:" + path->second.provider;
    } else {
      account = account_of(w.gateway, w.key.service);
    }
    if (const auto known = accounts_.find(account); known != accounts_.end())
      known->second.charged[w.key] = {w.octets_to, w.packets_to};
  }
  return {};
}

const BilledAccount* ClosingAccounts::find(const std::string& name) const {
  const auto found = accounts_.find(name);
  return found == accounts_.end() ? nullptr : &found->second;
}

std::string ClosingAccounts::account_of(const std::string& gateway, uint64_t service) const {
  if (service == kHouse) return "house:" + gateway;
  const auto owner = owners_.find({gateway, service});
  return owner == owners_.end() ? "" : Ledger::client_account(owner->second);
}

ClosingAccounts::Result<Terms> ClosingAccounts::terms(const BilledAccount& account,
                                                      const BillingDocuments& documents,
                                                      int64_t at_ns) const {
  switch (account.kind) {
    case BilledAccount::Kind::client:
      return documents.client(account.id, at_ns);
    case BilledAccount::Kind::provider:
      return documents.provider(account.id, at_ns);
    case BilledAccount::Kind::house:
      break;
  }
  return documents.house();
}

ClosingAccounts::Result<BilledPeriod> ClosingAccounts::next_period(
    const BilledAccount& account, const BillingDocuments& documents) const {
  const auto closed = closed_through_.find(account.name());
  const bool first = closed == closed_through_.end();
  const int64_t at = first ? account.since_ns : closed->second;
  const auto terms = this->terms(account, documents, at);
  if (!terms) return tl::unexpected(terms.error());
  const Cycle& cycle = terms->cycle;
  const Period whole = cycle.containing(at);
  const int64_t from = first ? cycle.zone.begin_ns(cycle.zone.day_of(at)) : at;
  return BilledPeriod{{from, whole.to_ns}, whole};
}

ClosingAccounts::Result<BilledPeriod> ClosingAccounts::period_behind(
    const BilledAccount& account, const BilledPeriod& period,
    const BillingDocuments& documents) const {
  const int64_t at = period.cycle.to_ns;
  const auto terms = this->terms(account, documents, at);
  if (!terms) return tl::unexpected(terms.error());
  const Period whole = terms->cycle.containing(at);
  return BilledPeriod{{at, whole.to_ns}, whole};
}

ClosingAccounts::Result<BillingDocuments::Prices> ClosingAccounts::prices(
    const BilledAccount& account, const BilledPeriod& period, const Zone& zone,
    BillingDocuments& documents) const {
  switch (account.kind) {
    case BilledAccount::Kind::client:
      return documents.client_prices(account.id, period, zone);
    case BilledAccount::Kind::provider:
      return documents.provider_prices(account.id, period, zone);
    case BilledAccount::Kind::house:
      break;
  }
  return documents.house_prices(period, zone);
}

}  // namespace anabranch::billing
