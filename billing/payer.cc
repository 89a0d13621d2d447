// SPDX-License-Identifier: BSD-3-Clause
#include "billing/payer.h"

#include <fmt/format.h>

#include <algorithm>

#include "billing/sha256.h"

namespace anabranch::billing {
namespace {

constexpr int64_t kPauseUnitNs = 60'000'000'000;
constexpr int64_t kPausesMin[] = {1, 5, 30, 120, 360};  // before an open payment is asked for again
constexpr size_t kHashInKey = 12;
const std::string kNoProcessor =
    "no processor of cards: the issuer's document says nothing of \"cards\"";

int64_t pause_ns(int64_t step) {
  const auto last = static_cast<int64_t>(std::size(kPausesMin)) - 1;
  return kPausesMin[std::clamp<int64_t>(step - 1, 0, last)] * kPauseUnitNs;
}

// Who asks again with the same key of its own asks for the same.
std::string once_in_key(const std::string& once) {
  return "k" + sha256(once).substr(0, kHashInKey);
}

CardCharge charge_of(const Payment& p) {
  return {.key = p.key,
          .customer = p.customer,
          .method = p.method,
          .currency = p.currency,
          .amount = p.amount,
          .description = p.statement.empty() ? "on account" : "statement " + p.statement,
          .account = p.account,
          .statement = p.issuer + "/" + p.statement};
}

// Where its money is.
std::string cash_of(const Payment& p) {
  return p.customer.empty() ? "cash:bank" : "cash:cards";
}

}  // namespace

Transaction Payer::posting_of(const Payment& p, int64_t now_ns) {
  const bool is_back = p.kind == PaymentKind::refund;
  const Amount amount = is_back ? -p.amount : p.amount;
  return {.id = (is_back ? "refund:" : "payment:") + p.key,
          .wall_ns = now_ns,
          .purpose = is_back ? "refund" : "payment",
          .party = p.account,
          .corrects = "",
          .entries = {{cash_of(p), p.currency, amount}, {p.account, p.currency, -amount}}};
}

Payer::Result<Payment> Payer::stored(const std::string& key) const {
  const auto found = ledger_.payments({.key = key});
  if (!found) return tl::unexpected(found.error().text);
  if (found->empty()) return tl::unexpected("the ledger has no payment \"" + key + "\"");
  return found->front();
}

// Clients that owe anything, with what of their statements.
Payer::Result<std::vector<Payer::Owing>> Payer::owing(const BillingDocuments& documents,
                                                      int64_t now_ns, const std::string& only,
                                                      PayingReport& report) const {
  const auto balances = ledger_.balances();
  if (!balances) return tl::unexpected(balances.error().text);
  std::vector<Owing> all;
  for (const auto& [account, sums] : *balances) {
    const std::string client = Ledger::client_of(account);
    if (client.empty() || (!only.empty() && account != only)) continue;
    if (std::none_of(sums.begin(), sums.end(), [](const auto& s) { return s.second > Amount(); }))
      continue;
    auto terms = documents.client(client, now_ns);
    if (!terms) {
      report.problems[account] = terms.error();
      continue;
    }
    const auto statements = statements_of(ledger_, documents, account);
    if (!statements) return tl::unexpected(statements.error());
    const auto payments = ledger_.payments({.account = account});
    if (!payments) return tl::unexpected(payments.error().text);
    Owing one{.account = account, .terms = std::move(*terms), .debts = {}};
    for (const Payment& p : *payments) one.steps_seen += p.step;
    // Read behind them: whoever pays in between makes a step more, and then nothing is begun.
    for (const auto& [currency, balance] : ledger_.balance(account)) {
      for (Debt& debt : debts_of(account, *statements, *payments, currency, balance))
        one.debts.push_back(std::move(debt));
    }
    all.push_back(std::move(one));
  }
  return all;
}

Payer::Result<PayingReport> Payer::run(int64_t now_ns, const std::string& account, bool at_once) {
  PayingReport report;
  const auto open = ledger_.payments({.account = account, .open_only = true});
  if (!open) return tl::unexpected(open.error().text);
  for (const Payment& p : *open) {
    if (p.now.next_ns > now_ns && !at_once) {
      report.look_at(p.now.next_ns);
      continue;
    }
    auto moved = go_on(p, now_ns, false);
    if (!moved) {
      report.problems[p.account] = moved.error();
      continue;
    }
    if (!is_final(moved->now.state)) report.look_at(moved->now.next_ns);
    report.moved.push_back(std::move(*moved));
  }
  if (account.empty()) follow_all(now_ns, at_once, report);
  const auto documents = BillingDocuments::read(ledger_);
  if (!documents) return tl::unexpected(documents.error());
  auto owing = this->owing(*documents, now_ns, account, report);
  if (!owing) return tl::unexpected(owing.error());
  for (Owing& one : *owing) pay_what_is_due(one, now_ns, report);
  auto overdue = standings(*documents, now_ns, account, report);
  if (!overdue) return tl::unexpected(overdue.error());
  for (auto& [account, standing] : *overdue) report.overdue.push_back(std::move(standing));
  return report;
}

Payer::Result<std::map<std::string, Standing>> Payer::overdue(int64_t now_ns) const {
  const auto documents = BillingDocuments::read(ledger_);
  if (!documents) return tl::unexpected(documents.error());
  PayingReport report;
  return standings(*documents, now_ns, "", report);
}

Payer::Result<std::map<std::string, Standing>> Payer::standings(const BillingDocuments& documents,
                                                                int64_t now_ns,
                                                                const std::string& account,
                                                                PayingReport& report) const {
  const auto owing = this->owing(documents, now_ns, account, report);
  if (!owing) return tl::unexpected(owing.error());
  std::map<std::string, Standing> all;
  for (const Owing& one : *owing) add_standings(one, now_ns, all, report);
  return all;
}

// Of whoever has a statement that is overdue: by the terms of who pays it.
void Payer::add_standings(const Owing& owing, int64_t now_ns,
                          std::map<std::string, Standing>& worst, PayingReport& report) {
  const PaymentTerms terms = owing.terms.payment();
  for (const Debt& debt : owing.debts) {
    const auto overdue = overdue_ns(debt, terms, owing.terms.card);
    if (!overdue) continue;
    if (*overdue > now_ns) {
      report.look_at(*overdue);
      continue;
    }
    const auto of = worst.find(debt.account);
    if (of == worst.end() || *overdue < of->second.overdue_ns)
      worst[debt.account] = {debt.account, debt.statement, *overdue, terms.then,
                             terms.restrict_kbps};
  }
}

void Payer::pay_what_is_due(Owing& owing, int64_t now_ns, PayingReport& report) {
  const PaymentTerms terms = owing.terms.payment();
  for (const Debt& debt : owing.debts) {
    if (terms.by == PayBy::card && !owing.terms.card)
      report.problems[owing.account] = "it pays by card, and its document has none";
    const auto next = owing.terms.card ? next_try_ns(debt, terms, *owing.terms.card) : std::nullopt;
    if (next && *next <= now_ns) {
      auto begun = begin(owing, debt, now_ns);
      if (!begun)
        report.problems[owing.account] = begun.error();
      else if (!is_final(begun->now.state))
        report.look_at(begun->now.next_ns);
      if (begun) report.moved.push_back(std::move(*begun));
      report.look_at(now_ns + kPauseUnitNs);  // what follows from it, such as another try
      continue;
    }
    if (next) report.look_at(*next);
  }
}

Payment Payer::payment_of(const Owing& owing, const Debt& debt, const std::string& once,
                          int64_t now_ns) {
  const std::string which =
      once.empty() ? std::to_string(debt.tries.size() + 1) : once_in_key(once);
  return {.key = fmt::format("{}-{}-{}", debt.statement, debt.hash.substr(0, kHashInKey), which),
          .kind = PaymentKind::card,
          .account = owing.account,
          .issuer = debt.issuer,
          .statement = debt.statement,
          .of = "",
          .currency = debt.currency,
          .amount = debt.open,
          .customer = owing.terms.card->customer,
          .method = owing.terms.card->method,
          .made_ns = now_ns,
          .step = 1,
          .now = {.at_ns = now_ns}};
}

Payer::Result<Payment> Payer::begin(Owing& owing, const Debt& debt, int64_t now_ns) {
  if (processor_ == nullptr) return tl::unexpected(kNoProcessor);
  auto begun = store_and_go_on(payment_of(owing, debt, "", now_ns), now_ns, owing.steps_seen);
  if (begun) owing.steps_seen += begun->step;
  return begun;
}

Payer::Result<Payment> Payer::store(const Payment& payment, std::optional<int64_t> steps_seen) {
  if (auto begun = ledger_.begin_payment(payment, steps_seen); !begun)
    return tl::unexpected(begun.error().text);
  return stored(payment.key);
}

// Whoever else has begun it just now may have asked the processor already, or be done.
Payer::Result<Payment> Payer::store_and_go_on(const Payment& payment, int64_t now_ns,
                                              std::optional<int64_t> steps_seen) {
  const auto there = store(payment, steps_seen);
  if (!there || is_final(there->now.state)) return there;
  return go_on(*there, now_ns, there->made_ns == now_ns && there->step == 1);
}

Payer::Result<Payment> Payer::go_on_with(const std::string& key, int64_t now_ns) {
  const auto there = stored(key);
  if (!there || is_final(there->now.state)) return there;
  return go_on(*there, now_ns, false);
}

// What became of it, as far as is known without doing anything new; or else of a refund, which is
// asked for.
Payer::Result<CardAnswer> Payer::ask(const Payment& payment, bool is_new) {
  if (payment.kind == PaymentKind::refund) return ask_refund(payment, is_new);
  if (payment.kind == PaymentKind::transfer) return CardAnswer{.state = PaymentState::succeeded};
  if (processor_ == nullptr)
    return tl::unexpected("there is no processor to ask for payment " + payment.key);
  if (is_new) return CardAnswer{.state = PaymentState::pending, .absent = true};
  return processor_->find(charge_of(payment), payment.now.processor_id);
}

Payer::Result<CardAnswer> Payer::ask_refund(const Payment& refund, bool is_new) {
  if (refund.customer.empty()) return CardAnswer{.state = PaymentState::succeeded};
  if (processor_ == nullptr)
    return tl::unexpected("there is no processor to ask for refund " + refund.key);
  const auto of = stored(refund.of);
  if (!of) return tl::unexpected(of.error());
  if (!is_new) {
    const auto all = processor_->refunds(of->now.processor_id, refund.currency);
    if (!all) return CardAnswer{.state = PaymentState::unknown, .words = all.error()};
    for (const CardRefund& r : *all) {
      if (r.key != refund.key) continue;
      return CardAnswer{.state = r.is_void ? PaymentState::failed : PaymentState::succeeded,
                        .id = r.id};
    }
  }
  return processor_->refund(of->now.processor_id, refund.key, refund.amount, refund.currency);
}

Payer::Result<Payment> Payer::go_on(Payment payment, int64_t now_ns, bool is_new) {
  auto answer = ask(payment, is_new);
  if (!answer) return tl::unexpected(answer.error());
  if (payment.kind == PaymentKind::card && answer->absent) {
    const CardCharge charge = charge_of(payment);
    const auto before = paid_before(payment, charge, now_ns);
    if (before && *before) return **before;
    if (before)
      answer = processor_->charge(charge);
    else
      answer->words = before.error();
  }
  PaymentStep step{.at_ns = now_ns,
                   .next_ns = is_final(answer->state) ? 0 : now_ns + pause_ns(payment.step),
                   .state = answer->state,
                   .processor_id = answer->id.empty() ? payment.now.processor_id : answer->id,
                   .detail = answer->words};
  std::optional<Transaction> posted;
  if (answer->state == PaymentState::succeeded) posted = posting_of(payment, now_ns);
  if (auto done = ledger_.step_payment(payment, step, posted); !done) {
    const auto there = stored(payment.key);
    if (there && there->step != payment.step) return there;  // others asked meanwhile, and know
    return tl::unexpected(done.error().text);
  }
  ++payment.step;
  payment.now = std::move(step);
  return payment;
}

Payer::Result<Payment> Payer::pay(const std::string& issuer, const std::string& statement,
                                  int64_t now_ns) {
  const auto intended = intend("", issuer, statement, "", now_ns);
  if (!intended || is_final(intended->now.state)) return intended;
  return go_on(*intended, now_ns, intended->made_ns == now_ns && intended->step == 1);
}

Payer::Result<Payment> Payer::intend(const std::string& account, const std::string& issuer,
                                     const std::string& statement, const std::string& once,
                                     int64_t now_ns) {
  if (!once.empty()) {
    const auto known =
        ledger_.payments({.account = account, .issuer = issuer, .statement = statement, .key = {}});
    if (!known) return tl::unexpected(known.error().text);
    for (const Payment& p : *known) {
      if (p.kind == PaymentKind::card && p.key.ends_with("-" + once_in_key(once))) return p;
    }
  }
  const auto documents = BillingDocuments::read(ledger_);
  if (!documents) return tl::unexpected(documents.error());
  if (processor_ == nullptr && !documents->issuer().cards) return tl::unexpected(kNoProcessor);
  PayingReport report;
  const auto owing = this->owing(*documents, now_ns, account, report);
  if (!owing) return tl::unexpected(owing.error());
  for (const Owing& one : *owing) {
    for (const Debt& debt : one.debts) {
      if (debt.issuer != issuer || debt.statement != statement) continue;
      if (!one.terms.card)
        return tl::unexpected(one.account + " has no card: its document says nothing of \"card\"");
      return store(payment_of(one, debt, once, now_ns), one.steps_seen);
    }
  }
  return tl::unexpected("nothing is owed of statement " + statement + " of " + issuer);
}

Payer::Result<Payment> Payer::on_account(const Payment& payment, int64_t steps_seen,
                                         int64_t now_ns) {
  if (processor_ == nullptr) return tl::unexpected(kNoProcessor);
  return store_and_go_on(payment, now_ns, steps_seen);
}

Payer::Result<void> Payer::check_transfer(const Payment& transfer, int64_t now_ns) const {
  const auto documents = BillingDocuments::read(ledger_);
  if (!documents) return tl::unexpected(documents.error());
  const auto terms = documents->client(Ledger::client_of(transfer.account), now_ns);
  if (!terms) return tl::unexpected(terms.error());
  if (transfer.statement.empty()) return {};
  const auto statements = statements_of(ledger_, *documents, transfer.account);
  if (!statements) return tl::unexpected(statements.error());
  if (find_statement(*statements, transfer.issuer, transfer.statement) != nullptr) return {};
  return tl::unexpected(transfer.account + " has no statement " + transfer.statement + " of " +
                        transfer.issuer);
}

Payer::Result<Payment> Payer::received(const Payment& transfer, const std::string& reference,
                                       int64_t now_ns) {
  if (auto known = check_transfer(transfer, now_ns); !known) return tl::unexpected(known.error());
  Payment payment = transfer;
  payment.key = "transfer-" + reference;
  payment.kind = PaymentKind::transfer;
  payment.made_ns = now_ns;
  return store_and_go_on(payment, now_ns);
}

Payer::Result<Payment> Payer::refund(const std::string& key, Amount amount, int64_t now_ns) {
  const auto intended = intend_refund(key, amount, "", now_ns);
  if (!intended || is_final(intended->now.state)) return intended;
  return go_on(*intended, now_ns, intended->made_ns == now_ns && intended->step == 1);
}

Payer::Result<Payment> Payer::intend_refund(const std::string& key, Amount amount,
                                            const std::string& once, int64_t now_ns) {
  const auto of = stored(key);
  if (!of) return of;
  if (of->kind == PaymentKind::refund || of->now.state != PaymentState::succeeded)
    return tl::unexpected("payment \"" + key + "\" has paid nothing that could go back");
  const auto all = ledger_.payments({.account = of->account});
  if (!all) return tl::unexpected(all.error().text);
  Amount left = of->amount;
  size_t number = 1;
  for (const Payment& p : *all) {
    if (p.of != key) continue;
    if (!once.empty() && p.key.ends_with("-" + once_in_key(once))) {
      if (p.amount == amount) return p;
      return tl::unexpected("with this key there is a refund of " + to_text(p.amount) + " already");
    }
    ++number;
    if (!is_final(p.now.state))
      return tl::unexpected("refund \"" + p.key + "\" is under way; wait until it is done");
    if (p.now.state == PaymentState::succeeded) left += -p.amount;
  }
  if (of->is_disputed || of->lost != Amount())
    return tl::unexpected("payment \"" + key +
                          "\" is disputed: what of it goes back, the "
                          "processor decides");
  if (amount <= Amount() || amount > left) {
    return tl::unexpected(to_text(amount) + " " + of->currency + " cannot go back: of payment \"" +
                          key + "\" there are " + to_text(left) + " left");
  }
  Payment refund = *of;
  refund.key =
      fmt::format("{}-refund-{}", key, once.empty() ? std::to_string(number) : once_in_key(once));
  refund.kind = PaymentKind::refund;
  refund.of = key;
  refund.amount = amount;
  refund.made_ns = now_ns;
  return store(refund);
}

}  // namespace anabranch::billing
