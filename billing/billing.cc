// SPDX-License-Identifier: BSD-3-Clause
#include "billing/billing.h"

#include <algorithm>

namespace anabranch::billing {
namespace {

// A ledger restored from a backup is older than the journal: nobody gets the id, and so the usage,
// of a path or service that it forgot.
tl::expected<void, std::string> keep_ids(Ledger& ledger, const Catalogue& catalogue) {
  const auto known = ledger.paths();
  if (!known) return tl::unexpected(known.error());
  for (const auto& [id, path] : catalogue.paths) {
    if (known->contains(id)) continue;
    if (auto kept = ledger.keep_path(id, {path.name, path.provider, path.network}); !kept)
      return kept;
  }
  if (catalogue.services.empty()) return {};
  return ledger.reserve_service_ids(catalogue.services.rbegin()->first);
}

// How far this gateway's journal is charged.
Stored<uint64_t> charged_through(const Ledger& ledger, const std::string& gateway) {
  return ledger.charged_sequences().map([&](const std::map<std::string, uint64_t>& all) {
    const auto own = all.find(gateway);
    return own == all.end() ? uint64_t{0} : own->second;
  });
}

// This gateway's journal alone, beside the packets: on one thread.
ClosingOptions closing_options(const BillingOptions& options) {
  ClosingOptions closing;
  closing.journals.push_back(options.state_dir + "/journal");
  closing.threads = 1;
  return closing;
}

}  // namespace

std::string Billing::where(const BillingOptions& options) {
  return options.ledger.empty() ? options.state_dir + "/ledger.sqlite" : options.ledger;
}

tl::expected<std::unique_ptr<Billing>, std::string> Billing::open(const BillingOptions& options) {
  auto ledger = Ledger::open(where(options), options.gateway);
  if (!ledger) return tl::unexpected(ledger.error());
  const auto charged = charged_through(*ledger, options.gateway);
  if (!charged) return tl::unexpected(charged.error().text);
  auto journal = Journal::open({.folder = options.state_dir + "/journal",
                                .gateway = options.gateway,
                                .segment_octets = options.journal_segment_octets,
                                .direct = options.journal_direct,
                                .charged_through = *charged,
                                .notice = options.notice});
  if (!journal) return tl::unexpected(journal.error());
  if (auto kept = keep_ids(*ledger, (*journal)->catalogue()); !kept)
    return tl::unexpected(kept.error());
  return std::unique_ptr<Billing>(new Billing(options, std::move(*journal), std::move(*ledger)));
}

Billing::Billing(BillingOptions options, std::unique_ptr<Journal> journal, Ledger ledger)
    : options_(std::move(options)), journal_(std::move(journal)), ledger_(std::move(ledger)) {
  if (!options_.close_periods) return;
  ClosingServiceOptions closing;
  closing.ledger = where(options_);
  closing.gateway = options_.gateway;
  closing.closing = closing_options(options_);
  closing.statements =
      options_.statements.empty() ? options_.state_dir + "/statements" : options_.statements;
  closing.notice = options_.notice;
  closing.mail = options_.mail;
  closing_.emplace(std::move(closing));
}

tl::expected<std::vector<nlohmann::json>, std::string> Billing::open_statements(
    const BillingOptions& options, const std::string& account, int64_t wall_ns) {
  auto ledger = Ledger::open_existing(where(options));
  if (!ledger) return tl::unexpected(ledger.error());
  Closer closer(*ledger, closing_options(options));
  return closer.preview(account, wall_ns);
}

tl::expected<std::vector<StoredStatement>, std::string> Billing::issued_statements(
    const BillingOptions& options, const std::string& account) {
  auto ledger = Ledger::open_existing(where(options));
  if (!ledger) return tl::unexpected(ledger.error());
  const auto documents = BillingDocuments::read(*ledger);
  if (!documents) return tl::unexpected(documents.error());
  return statements_of(*ledger, *documents, account);
}

tl::expected<std::map<std::string, Standing>, std::string> Billing::overdue(
    const BillingOptions& options, int64_t wall_ns) {
  auto ledger = Ledger::open_existing(where(options));
  if (!ledger) return tl::unexpected(ledger.error());
  return Payer(*ledger, nullptr).overdue(wall_ns);
}

tl::expected<CreditReport, std::string> Billing::look_at_credit(
    const BillingOptions& options, const std::map<std::string, CreditAsked>& asked,
    int64_t wall_ns) {
  auto ledger = Ledger::open_existing(where(options));
  if (!ledger) return tl::unexpected(ledger.error());
  Closer closer(*ledger, closing_options(options));
  return billing::look_at_credit(*ledger, closer, options.gateway, asked, wall_ns);
}

tl::expected<std::map<std::string, TariffUse>, std::string> Billing::tariff_uses(
    const BillingOptions& options, const std::set<std::string>& accounts, int64_t wall_ns) {
  auto ledger = Ledger::open_existing(where(options));
  if (!ledger) return tl::unexpected(ledger.error());
  return Closer(*ledger, closing_options(options)).tariff_uses(accounts, wall_ns);
}

tl::expected<std::vector<Balance>, std::string> Billing::balances(const BillingOptions& options,
                                                                  const std::string& account,
                                                                  int64_t wall_ns) {
  auto ledger = Ledger::open_existing(where(options));
  if (!ledger) return tl::unexpected(ledger.error());
  Closer closer(*ledger, closing_options(options));
  return balances_of(*ledger, &closer, options.gateway, account, wall_ns);
}

namespace {
constexpr int64_t kEachNs = 60'000'000'000;
}

// When there is something it does not name yet; else each minute, for services that were closed.
void Billing::refresh_catalogue(std::span<const Reading> readings, int64_t wall_ns) {
  const Catalogue& known = journal_->catalogue();
  const bool due = wall_ns - catalogue_of_ns_ >= kEachNs || wall_ns < catalogue_of_ns_ ||
                   std::any_of(readings.begin(), readings.end(), [&](const Reading& r) {
                     return !known.paths.contains(r.key.path) ||
                            (r.key.service != kHouse && r.key.service != kPathTotal &&
                             !known.services.contains(r.key.service));
                   });
  if (!due) return;
  auto next = catalogue();
  if (!next) return;  // what is in force stays; looked for again at the next flush
  journal_->set_catalogue(std::move(*next));
  catalogue_of_ns_ = wall_ns;
}

std::optional<Catalogue> Billing::catalogue() const {
  Catalogue catalogue{.gateway = options_.gateway, .paths = {}, .services = {}};
  const auto paths = ledger_.paths();
  const auto services = ledger_.services();
  if (!paths || !services) return std::nullopt;
  for (const auto& [id, path] : *paths)
    catalogue.paths[id] = {path.name, path.provider, path.network};
  for (const ServiceEntry& s : *services)
    catalogue.services[s.id] = {s.client, s.tariff, s.tariff_version, s.opened_ns, s.closed_ns};
  return catalogue;
}

// Charged segments grow old slowly: looked for each minute, one at a time.
void Billing::maintain(int64_t wall_ns) {
  const bool clock_set_back = maintain_again_ns_ > wall_ns + kEachNs;
  if (wall_ns < maintain_again_ns_ && !clock_set_back) return;
  const auto charged = charged_through(ledger_, options_.gateway);
  if (!charged) return;  // the ledger is away; nothing is removed meanwhile
  const auto done = journal_->maintain(options_.retention, *charged, wall_ns);
  if (!done && options_.notice) options_.notice(done.error());
  if (!done || !*done) maintain_again_ns_ = wall_ns + kEachNs;
}

tl::expected<void, std::string> Billing::flush(std::span<const Reading> readings, int64_t wall_ns) {
  refresh_catalogue(readings, wall_ns);
  if (auto recorded = journal_->record(readings, wall_ns); !recorded)
    return tl::unexpected(recorded.error());
  maintain(wall_ns);
  return {};
}

}  // namespace anabranch::billing
