// SPDX-License-Identifier: BSD-3-Clause
#include "billing/closing.h"

#include <fmt/format.h>

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_pipeline.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "billing/statement_invoice.h"

namespace anabranch::billing {
namespace {

using Of = BilledAccount::Kind;

// Some dozens at once make better use of a transaction.
constexpr size_t kAtOnce = 48;

Count sum_of(const std::vector<PeriodCollector::Range>& ranges) {
  Count sum;
  for (const auto& r : ranges) {
    const Count count = r.to - r.from;
    sum.octets += count.octets;
    sum.packets += count.packets;
  }
  return sum;
}

Count sum_of(const PeriodCollector& usage) {
  Count sum;
  for (const PeriodUsage& part : usage.parts()) {
    part.each([&](const Place&, const Count& count, const PriceList::Charging&) {
      sum.octets += count.octets;
      sum.packets += count.packets;
    });
  }
  return sum;
}

Period period_of(const PeriodEntry& entry) {
  return {entry.from_ns, entry.to_ns};
}

// Minutes that nobody recorded from the first one on were minutes in which no gateway ran.
std::vector<Measurement> without_gaps(std::vector<Measurement> recorded, int64_t end_ns) {
  constexpr int64_t kMinuteNs = 60'000'000'000;
  std::vector<Measurement> all;
  const auto fill = [&](int64_t to_ns) {
    while (!all.empty() && all.back().minute_ns + kMinuteNs < to_ns)
      all.push_back({.subject = all.back().subject, .minute_ns = all.back().minute_ns + kMinuteNs});
  };
  for (Measurement& m : recorded) {
    fill(m.minute_ns);
    all.push_back(std::move(m));
  }
  fill(end_ns - kMinuteNs + 1);  // the last one may be a part
  return all;
}

// Each account with who pays its statements, of those that `payers` pay: themselves, unless others
// pay for them, and those they pay for.
std::map<std::string, std::string> who_pays(const BillingDocuments& documents,
                                            const std::set<std::string>& payers, int64_t now_ns) {
  std::map<std::string, std::string> all;
  for (const std::string& payer : payers) {
    const std::string own = Ledger::client_of(payer);
    std::set<std::string> ids = documents.paid_for_by(own);
    ids.insert(own);
    for (const std::string& id : ids) {
      const auto terms = documents.client(id, now_ns);
      const std::string& by = terms && terms->paid_by ? terms->paid_by->id : id;
      if (by == own) all[Ledger::client_account(id)] = payer;
    }
  }
  return all;
}

UnbilledReport by_payer(UnbilledReport each, const std::map<std::string, std::string>& payers) {
  UnbilledReport report{.accounts = {}, .problems = std::move(each.problems)};
  for (const auto& [name, payer] : payers) {
    const auto own = each.accounts.find(name);
    if (own == each.accounts.end()) continue;
    const auto [sum, is_first] = report.accounts.try_emplace(payer, own->second);
    if (is_first) continue;
    if (sum->second.currency != own->second.currency)
      report.problems[payer] = "what it pays for others is in another currency than its own";
    else
      sum->second.amount += own->second.amount;
  }
  // Periods of others are not the payer's.
  for (auto& [payer, sum] : report.accounts) {
    if (const auto own = each.accounts.find(payer); own != each.accounts.end())
      sum.from_ns = own->second.from_ns;
  }
  return report;
}

}  // namespace

// --- What there is ---

Closer::Result<void> Closer::look() {
  auto documents = BillingDocuments::read(ledger_);
  if (!documents) return tl::unexpected(documents.error());
  documents_.emplace(std::move(*documents));
  auto accounts = ClosingAccounts::read(ledger_, *documents_);
  if (!accounts) return tl::unexpected(accounts.error());
  accounts_.emplace(std::move(*accounts));
  return {};
}

Closer::Result<void> Closer::check_gateways(const UsagePass::Result& read) const {
  std::set<std::string> missing = accounts_->gateways();
  for (const UsagePass::Journal& j : read.journals) missing.erase(j.gateway);
  for (const std::string& gateway : options_.without) missing.erase(gateway);
  if (missing.empty()) return {};
  const std::string& gateway = *missing.begin();
  return tl::unexpected("the ledger has services or paths of gateway " + gateway +
                        ", whose journal was not given: its usage would be missing; give its "
                        "journal's folder, or --without " +
                        gateway + " to charge that usage when it comes");
}

Closer::Result<Closer::Open> Closer::open_account(const BilledAccount& account,
                                                  const BilledPeriod& period) {
  const auto terms = accounts_->terms(account, *documents_, period.part.to_ns - 1);
  if (!terms) return tl::unexpected(terms.error());
  const Zone& zone = terms->cycle.zone;
  const auto prices = accounts_->prices(account, period, zone, *documents_);
  if (!prices) return tl::unexpected(prices.error());
  Open open{.account = &account,
            .period = period,
            .zone = zone,
            .usage = PeriodCollector(period.part, zone, *prices)};
  return open;
}

Closer::Result<Closer::Gathered> Closer::gather(std::map<std::string, Open> accounts,
                                                bool all_frames) {
  Gathered gathered{.accounts = std::move(accounts), .read = {}};
  const auto collector = [&](const std::string& name) -> PeriodCollector* {
    const auto found = gathered.accounts.find(name);
    return found == gathered.accounts.end() ? nullptr : &found->second.usage;
  };
  const UsagePass::Find find = [&](const std::string& gateway, const std::string& client,
                                   const std::string& provider) -> Result<UsagePass::Sides> {
    const std::string name = client.empty() ? "house:" + gateway : Ledger::client_account(client);
    if (accounts_->find(name) == nullptr && !client.empty())
      return tl::unexpected(
          "the journal of " + gateway + " has usage of client " + client +
          ", of whom the ledger knows no service: was it restored from a backup?");
    return UsagePass::Sides{collector(name), collector("payable:" + provider)};
  };
  UsagePass::Options options{.threads = options_.threads, .range = {}, .charged = {}};
  if (!all_frames) {
    auto charged = ledger_.charged_sequences();
    if (!charged) return tl::unexpected(charged.error().text);
    options.charged = std::move(*charged);
  }
  const auto begun = std::chrono::steady_clock::now();
  auto read = UsagePass::run(options_.journals, find, options);
  if (!read) return tl::unexpected(read.error());
  gathered.read = std::move(*read);
  for (auto& [name, open] : gathered.accounts) open.usage.taken();
  gathered.took_ns = std::chrono::nanoseconds(std::chrono::steady_clock::now() - begun).count();
  return gathered;
}

// --- Closing ---

// Whose period has ended is gathered; of the others it is known how far they are charged.
Closer::Result<std::map<std::string, Closer::Open>> Closer::open_due(int64_t now_ns,
                                                                     const std::string& only,
                                                                     ClosingReport& report) {
  std::map<std::string, Open> accounts;
  report.next_due_ns.reset();
  for (const auto& [name, billed] : accounts_->all()) {
    Open& open = accounts[name];
    open.account = &billed;
    const auto period = accounts_->next_period(billed, *documents_);
    if (!period) {
      report.problems[name] = period.error();
    } else if (const int64_t due_ns = period->part.to_ns + documents_->issuer().grace_ns;
               due_ns > now_ns) {
      report.next_due_ns = std::min(report.next_due_ns.value_or(due_ns), due_ns);
    } else if (!report.problems.contains(name) && (only.empty() || name == only)) {
      if (auto opened = open_account(billed, *period))
        open = std::move(*opened);
      else
        report.problems[name] = opened.error();
    }
    for (const auto& [key, through] : billed.charged) open.usage.charged(key, through);
  }
  return accounts;
}

Closer::Result<ClosingReport> Closer::run(int64_t now_ns, const std::string& only) {
  ClosingReport report;
  for (;;) {
    if (auto looked = look(); !looked) return tl::unexpected(looked.error());
    if (!only.empty() && accounts_->find(only) == nullptr)
      return tl::unexpected(unknown_account(only));
    auto accounts = open_due(now_ns, only, report);
    if (!accounts) return tl::unexpected(accounts.error());
    const bool due = std::any_of(accounts->begin(), accounts->end(),
                                 [](const auto& a) { return a.second.period.has_value(); });
    if (!due) return report;
    auto gathered = gather(std::move(*accounts), false);
    if (!gathered) return tl::unexpected(gathered.error());
    if (auto complete = check_gateways(gathered->read); !complete)
      return tl::unexpected(complete.error());
    for (const std::string& problem : gathered->read.problems) report.problems[""] = problem;
    for (const auto& j : gathered->read.journals) report.records += j.records;
    report.reading_ns += gathered->took_ns;
    close_due(*gathered, now_ns, report);
  }
}

Closer::Result<std::vector<nlohmann::json>> Closer::preview(const std::string& name,
                                                            int64_t now_ns) {
  if (auto looked = look(); !looked) return tl::unexpected(looked.error());
  const BilledAccount* account = accounts_->find(name);
  if (account == nullptr) return tl::unexpected(unknown_account(name));
  const auto period = accounts_->next_period(*account, *documents_);
  if (!period) return tl::unexpected(period.error());
  auto opened = open_until(*account, *period, now_ns);
  if (!opened) return tl::unexpected(opened.error());
  std::map<std::string, Open> accounts;
  accounts[name] = std::move(*opened);
  auto gathered = gather(std::move(accounts), false);
  if (!gathered) return tl::unexpected(gathered.error());
  const auto drafted = draft(gathered->accounts.at(name), now_ns);
  if (!drafted) return tl::unexpected(drafted.error());
  std::vector<nlohmann::json> statements;
  for (const StatementDraft& s : drafted->statements) {
    statements.push_back(s.document);
    statements.back()["kind"] = statements.back()["number"] = "preview";
  }
  return statements;
}

// Up to now; nothing of it is charged.
Closer::Result<Closer::Open> Closer::open_until(const BilledAccount& account, BilledPeriod period,
                                                int64_t now_ns) {
  period.part.to_ns = std::clamp(now_ns, period.part.from_ns + 1, period.part.to_ns);
  auto opened = open_account(account, period);
  if (!opened) return opened;
  for (const auto& [key, through] : account.charged) opened->usage.charged(key, through);
  return opened;
}

Closer::Result<UnbilledReport> Closer::unbilled(const std::set<std::string>& names,
                                                int64_t now_ns) {
  UnbilledReport report;
  if (names.empty()) return report;
  if (auto looked = look(); !looked) return tl::unexpected(looked.error());
  const auto paid = who_pays(*documents_, names, now_ns);
  std::map<std::string, BilledPeriod> periods;
  for (const auto& [name, payer] : paid) {
    const BilledAccount* account = accounts_->find(name);
    if (account == nullptr) continue;  // it has used nothing
    if (auto period = accounts_->next_period(*account, *documents_))
      periods[name] = *period;
    else
      report.problems[name] = period.error();
  }
  for (bool are_behind = false; !periods.empty(); are_behind = true) {
    if (auto added = add_unbilled(periods, are_behind, now_ns, report); !added)
      return tl::unexpected(added.error());
  }
  return by_payer(std::move(report), paid);
}

Closer::Result<std::map<std::string, TariffUse>> Closer::tariff_uses(
    const std::set<std::string>& names, int64_t now_ns) {
  std::map<std::string, TariffUse> uses;
  if (auto looked = look(); !looked) return tl::unexpected(looked.error());
  std::map<std::string, Open> accounts;
  for (const std::string& name : names) {
    const BilledAccount* account = accounts_->find(name);
    if (account == nullptr) continue;
    const auto period = accounts_->next_period(*account, *documents_);
    // One that waits to be closed says nothing of the one that is under way.
    if (!period || period->part.to_ns <= now_ns) continue;
    if (auto opened = open_until(*account, *period, now_ns)) accounts[name] = std::move(*opened);
  }
  auto gathered = gather(std::move(accounts), false);
  if (!gathered) return tl::unexpected(gathered.error());
  for (const auto& [name, open] : gathered->accounts)
    uses.emplace(name, tariff_use(open.usage.parts().back(), documents_->rates(), now_ns));
  return uses;
}

// Of its statements.
std::string Closer::currency_of(const Open& open) const {
  const auto terms = accounts_->terms(*open.account, *documents_, open.usage.period().to_ns - 1);
  return terms && !terms->preferences.currency.empty()
             ? terms->preferences.currency
             : open.usage.parts().front().prices().tariff().currency;
}

// `periods` become those behind them, where they have begun.
Closer::Result<void> Closer::add_unbilled(std::map<std::string, BilledPeriod>& periods,
                                          bool are_behind, int64_t now_ns, UnbilledReport& report) {
  std::map<std::string, Open> accounts;
  for (const auto& [name, period] : periods) {
    if (auto opened = open_until(*accounts_->find(name), period, now_ns)) {
      opened->is_behind = are_behind;
      accounts[name] = std::move(*opened);
    } else {
      report.problems[name] = opened.error();
    }
  }
  auto gathered = gather(std::move(accounts), false);
  if (!gathered) return tl::unexpected(gathered.error());
  std::map<std::string, BilledPeriod> behind;
  for (auto& [name, open] : gathered->accounts) {
    const auto drafted = draft(open, now_ns);
    if (!drafted) {
      report.problems[name] = drafted.error();
      continue;
    }
    const BilledPeriod& period = periods.at(name);
    const std::string currency = currency_of(open);
    Unbilled& sum = report.accounts.try_emplace(name, Unbilled{period.part.from_ns, currency, {}})
                        .first->second;
    if (sum.currency != currency) {
      report.problems[name] = "its next statement is in another currency than its last one";
      continue;
    }
    for (const StatementDraft& s : drafted->statements)
      sum.amount += parse_amount(s.document.at("gross").get<std::string>()).value();
    if (period.part.to_ns > now_ns) continue;
    if (auto next = accounts_->period_behind(*open.account, period, *documents_))
      behind[name] = *next;
    else
      report.problems[name] = next.error();
  }
  periods = std::move(behind);
  return {};
}

// True where a draft needs more than was gathered.
bool Closer::asks_ledger(const Open& open) const {
  if (open.account->kind == Of::provider) return false;
  const auto terms = accounts_->terms(*open.account, *documents_, open.usage.period().to_ns - 1);
  return !open.usage.late().empty() || (terms && terms->agreement);
}

// Drafts are made several at once, while others are stored. A ledger is for one thread: what a
// draft asks it for is asked where drafts are stored.
void Closer::close_due(Gathered& gathered, int64_t now_ns, ClosingReport& report) {
  namespace tbb = oneapi::tbb;
  struct Batch {
    std::vector<Open*> accounts;
    std::vector<std::optional<Result<ClosedPeriod>>> drafts;
  };
  auto at = gathered.accounts.begin();
  const auto next = [&](tbb::flow_control& control) -> Batch* {
    auto batch = std::make_unique<Batch>();
    for (; at != gathered.accounts.end() && batch->accounts.size() < kAtOnce; ++at) {
      if (at->second.period) batch->accounts.push_back(&at->second);
    }
    if (batch->accounts.empty()) control.stop();
    return batch->accounts.empty() ? nullptr : batch.release();
  };
  const auto make = [&](Batch* batch) {
    for (Open* open : batch->accounts) {
      auto& made = batch->drafts.emplace_back();
      if (!asks_ledger(*open)) made = draft(*open, now_ns);
    }
    return batch;
  };
  const auto store_batch = [&](Batch* made) {
    const std::unique_ptr<Batch> batch(made);
    std::vector<ClosedPeriod> drafts;
    for (size_t i = 0; i < batch->accounts.size(); ++i) {
      auto& one = batch->drafts[i];
      if (!one) one = draft(*batch->accounts[i], now_ns);
      if (const std::string lacks = *one ? lacks_for_invoice(**one, *batch->accounts[i]) : "";
          !lacks.empty())
        report.problems[batch->accounts[i]->account->name()] = lacks;
      else if (*one)
        drafts.push_back(std::move(**one));
      else
        report.problems[batch->accounts[i]->account->name()] = one->error();
    }
    store(std::move(drafts), gathered.accounts, report);
  };
  const size_t threads =
      options_.threads != 0 ? options_.threads : std::thread::hardware_concurrency();
  const tbb::global_control limit(tbb::global_control::max_allowed_parallelism,
                                  std::max<size_t>(1, threads));
  tbb::parallel_pipeline(
      2 * std::max<size_t>(1, threads),
      tbb::make_filter<void, Batch*>(tbb::filter_mode::serial_in_order, next) &
          tbb::make_filter<Batch*, Batch*>(tbb::filter_mode::parallel, make) &
          tbb::make_filter<Batch*, void>(tbb::filter_mode::serial_in_order, store_batch));
  if (!report.problems.empty()) return;
  for (const UsagePass::Journal& j : gathered.read.journals) {
    if (j.gateway.empty()) continue;  // it has counted nothing yet
    if (auto set = ledger_.set_charged_sequence(j.gateway, j.charged); !set)
      report.problems[""] = set.error().text;
  }
}

void Closer::store(std::vector<ClosedPeriod> drafts, const std::map<std::string, Open>& accounts,
                   ClosingReport& report) {
  const auto closed = ledger_.close(drafts);
  if (!closed && drafts.size() > 1) {  // whose mistake it is, one by one tells
    for (ClosedPeriod& d : drafts) {
      std::vector<ClosedPeriod> one;
      one.push_back(std::move(d));
      store(std::move(one), accounts, report);
    }
    return;
  }
  for (size_t i = 0; i < drafts.size(); ++i) {
    const std::string& name = drafts[i].account;
    if (!closed) {
      report.problems[name] = closed.error().text;
      continue;
    }
    const Open& open = accounts.at(name);
    report.closed.push_back({.account = name,
                             .period = open.usage.period(),
                             .zone = open.zone,
                             .octets = sum_of(open.usage.ranges()).octets,
                             .statements = (*closed)[i].statements});
  }
}

StatementOf Closer::statement_of(const Open& open, const Terms& terms, int64_t now_ns) const {
  const Zone& zone = documents_->issuer().zone;
  const std::string year = std::to_string(zone.day_of(now_ns).year);
  const bool house = open.account->kind == Of::house;
  // Who they are is said as of now, not of the period: an invoice goes to where the client is.
  const bool client = open.account->kind == Of::client;
  return {.account = open.account->name(),
          .terms = terms,
          .period = open.usage.period(),
          .issued_ns = now_ns,
          .series = house ? "house-" + year : year,
          .customer = client ? documents_->client_party(terms.id, now_ns) : Party(),
          .providers = documents_->provider_parties(now_ns)};
}

// What cannot be added any more when the statement is issued.
std::string Closer::lacks_for_invoice(const ClosedPeriod& draft, const Open& open) const {
  if (open.account->kind != Of::client) return {};
  const auto terms = accounts_->terms(*open.account, *documents_, open.usage.period().to_ns - 1);
  if (!terms || !terms->preferences.wants(Format::ubl)) return {};
  for (const StatementDraft& s : draft.statements) {
    nlohmann::json document = s.document;
    document["number"] = "";  // has none yet
    const auto read = read_statement(document);
    if (!read) return read.error();
    if (const auto missing = missing_for_invoice(*read); !missing.empty()) return missing.front();
  }
  return {};
}

Closer::Result<ClosedPeriod> Closer::draft(Open& open, int64_t now_ns) {
  const BilledAccount& account = *open.account;
  const Period& period = open.usage.period();
  const auto terms = accounts_->terms(account, *documents_, period.to_ns - 1);
  if (!terms) return tl::unexpected(terms.error());
  std::vector<DocumentDraft> documents;
  std::vector<BilledLine> others;
  if (account.kind == Of::provider) {
    open.usage.count_late();
  } else if (!open.is_behind) {
    auto corrected = corrections(open, documents, now_ns);
    if (!corrected) return tl::unexpected(corrected.error());
    others = std::move(*corrected);
  }
  auto bill = make_bill(open.usage, terms->preferences.currency, documents_->rates());
  if (!bill) return tl::unexpected(bill.error());
  if (!is_active(account, period) && sum_of(open.usage) == Count{}) bill->lines.clear();
  const StatementOf of = statement_of(open, *terms, now_ns);
  if (account.kind == Of::provider) return close_provider(*accounts_, of, *bill, open.usage);
  if (terms->agreement) {
    const auto measured = minutes(account, period);
    if (!measured) return tl::unexpected(measured.error());
    auto credited = credits(*terms->agreement, *measured, open.usage, *bill);
    others.insert(others.end(), std::make_move_iterator(credited.begin()),
                  std::make_move_iterator(credited.end()));
  }
  auto closed = close_account(documents_->issuer(), of, open.period->cycle, *bill,
                              std::move(others), open.usage);
  if (closed) {
    closed->documents.insert(closed->documents.end(), std::make_move_iterator(documents.begin()),
                             std::make_move_iterator(documents.end()));
  }
  return closed;
}

Closer::Result<std::vector<ServiceMinutes>> Closer::minutes(const BilledAccount& account,
                                                            const Period& period) const {
  std::vector<ServiceMinutes> all;
  for (const ClientService& s : account.services) {
    auto minutes = ledger_.measurements(fmt::format("service:{}:{}", s.gateway, s.id),
                                        period.from_ns, period.to_ns);
    if (!minutes) return tl::unexpected(minutes.error().text);
    if (minutes->empty()) continue;
    const int64_t end = std::min(s.closed_ns.value_or(period.to_ns), period.to_ns);
    all.push_back({s.id, s.gateway, without_gaps(std::move(*minutes), end)});
  }
  return all;
}

// --- Corrections of what is closed ---

Closer::Result<KeptClosing> Closer::kept(const std::string& account, const Period& period) const {
  const auto stored = ledger_.document(kClosings, kept_id(account, period), INT64_MAX);
  if (!stored) return tl::unexpected(stored.error().text);
  auto kept = *stored ? parse_kept((*stored)->text) : std::nullopt;
  if (!kept) return tl::unexpected("the ledger does not have what " + account + " was charged by");
  return *kept;
}

Closer::Result<PeriodBill> Closer::charge_again(const BilledAccount& account, const Period& period,
                                                const KeptClosing& kept,
                                                BillingDocuments::Prices prices, const Zone& zone) {
  std::map<std::string, Open> accounts;
  Open& open = accounts[account.name()];
  open.account = &account;
  open.usage = PeriodCollector(period, zone, prices);
  open.usage.only(kept.ranges);
  auto gathered = gather(std::move(accounts), true);
  if (!gathered) return tl::unexpected(gathered.error());
  PeriodCollector& usage = gathered->accounts.begin()->second.usage;
  usage.count_late();
  const Count found = sum_of(usage), expected = sum_of(kept.ranges);
  if (found != expected)
    return tl::unexpected(fmt::format(
        "the journals have {} octets of what {} was charged for from {} on, which are {}: they no "
        "longer hold all of it, or that of a gateway was not given",
        found.octets, account.name(), zone.text(period.from_ns), expected.octets));
  return make_bill(usage, kept.currency, documents_->rates());
}

Closer::Result<std::vector<BilledLine>> Closer::correct_period(
    const Open& open, const PeriodEntry& closed, std::vector<PeriodCollector::Range> late,
    std::vector<DocumentDraft>& documents, int64_t now_ns) {
  const std::string name = open.account->name();
  const Period period = period_of(closed);
  auto before = kept(name, period);
  if (!before) return tl::unexpected(before.error());
  const auto prices =
      accounts_->prices(*open.account, {period, before->cycle}, open.zone, *documents_);
  if (!prices) return tl::unexpected(prices.error());
  before->ranges.insert(before->ranges.end(), late.begin(), late.end());
  const auto bill = charge_again(*open.account, period, *before, *prices, open.zone);
  if (!bill) return tl::unexpected(bill.error());
  auto lines = differences(before->lines, bill->lines, period);
  before->lines = kept_lines(bill->lines);
  documents.push_back({kClosings, kept_id(name, period), to_text(*before), now_ns});
  return lines;
}

// What came late is charged by the prices of its own period. Where that is not to be had, because
// the account was not billed then or the journals no longer reach back, by those of this one.
Closer::Result<std::vector<BilledLine>> Closer::corrections(Open& open,
                                                            std::vector<DocumentDraft>& documents,
                                                            int64_t now_ns) {
  std::vector<BilledLine> all;
  if (open.usage.late().empty()) return all;
  const auto periods = ledger_.periods(open.account->name());
  if (!periods) return tl::unexpected(periods.error().text);
  std::map<int64_t, std::vector<PeriodCollector::Range>> late;  // by the period's begin
  bool all_known = true;
  for (const PeriodCollector::Late& l : open.usage.late()) {
    const auto of = std::find_if(periods->begin(), periods->end(), [&](const PeriodEntry& p) {
      return p.state == PeriodState::closed && period_of(p).contains(l.time.to_ns - 1);
    });
    all_known &= of != periods->end();
    if (of != periods->end()) late[of->from_ns].push_back(l.range);
  }
  for (const PeriodEntry& p : *periods) {
    if (!all_known || !late.contains(p.from_ns)) continue;
    auto lines = correct_period(open, p, late.at(p.from_ns), documents, now_ns);
    if (!lines) {
      all_known = false;
      break;
    }
    all.insert(all.end(), std::make_move_iterator(lines->begin()),
               std::make_move_iterator(lines->end()));
  }
  if (all_known) return all;
  documents.clear();
  open.usage.count_late();
  return std::vector<BilledLine>{};
}

Closer::Result<std::vector<StoredStatement>> Closer::rerate(const std::string& name,
                                                            int64_t within_ns, const Tariff& tariff,
                                                            int64_t now_ns) {
  if (auto looked = look(); !looked) return tl::unexpected(looked.error());
  const BilledAccount* account = accounts_->find(name);
  if (account == nullptr) return tl::unexpected(unknown_account(name));
  const auto periods = ledger_.periods(name);
  if (!periods) return tl::unexpected(periods.error().text);
  const auto closed = std::find_if(periods->begin(), periods->end(), [&](const PeriodEntry& p) {
    return p.state == PeriodState::closed && period_of(p).contains(within_ns);
  });
  if (closed == periods->end())
    return tl::unexpected(name + " has no closed period then: nothing was charged yet");
  const Period period = period_of(*closed);
  auto terms = accounts_->terms(*account, *documents_, period.to_ns - 1);
  if (!terms) return tl::unexpected(terms.error());
  auto before = kept(name, period);
  if (!before) return tl::unexpected(before.error());
  const Zone& zone = terms->cycle.zone;
  const auto prices = documents_->prices_by(tariff, {period, before->cycle}, zone);
  if (!prices) return tl::unexpected(prices.error());
  const auto bill = charge_again(*account, period, *before, *prices, zone);
  if (!bill) return tl::unexpected(bill.error());
  PeriodBill difference = *bill;
  difference.lines = differences(before->lines, bill->lines, period);
  if (difference.lines.empty()) return std::vector<StoredStatement>{};
  Open open{.account = account, .period = {}, .zone = zone, .usage = {period, zone, *prices}};
  before->lines = kept_lines(bill->lines);
  return post_correction(open, *terms, *before, difference, now_ns);
}

Closer::Result<std::vector<StoredStatement>> Closer::post_correction(const Open& open,
                                                                     const Terms& terms,
                                                                     const KeptClosing& now,
                                                                     const PeriodBill& difference,
                                                                     int64_t now_ns) {
  StatementOf of = statement_of(open, terms, now_ns);
  of.kind = "adjustment";
  const auto issued = ledger_.statements(of.account);
  const auto versions = ledger_.document_versions(kClosings, kept_id(of.account, of.period));
  if (!issued || !versions)
    return tl::unexpected(!issued ? issued.error().text : versions.error().text);
  for (const StoredStatement& s : *issued) {
    if (s.from_ns == of.period.from_ns) of.corrects.push_back(s.name());
  }
  const auto number = static_cast<int64_t>(versions->size());
  const auto draft = correct_account(documents_->issuer(), of, now, difference, number);
  if (!draft) return tl::unexpected(draft.error());
  const std::string id = kept_id(of.account, of.period) + " " + std::to_string(number);
  auto closed = ledger_.correct(*draft, id);
  if (!closed) return tl::unexpected(closed.error().text);
  return std::move(closed->statements);
}

}  // namespace anabranch::billing
