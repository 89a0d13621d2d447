// SPDX-License-Identifier: BSD-3-Clause
#include "billing/on_account.h"

#include <algorithm>

namespace anabranch::billing {
namespace {

constexpr int64_t kLookAgainNs = 10'000'000'000;  // as usage comes without anybody saying so

bool is_on_account(const Payment& p) {
  return p.kind == PaymentKind::card && p.statement.empty();
}

}  // namespace

Amount due_on_account(const PaymentTerms& terms, Amount owed) {
  if (terms.by != PayBy::card) return {};
  if (terms.charge == ChargeWhen::threshold) return owed >= terms.threshold ? owed : Amount();
  if (terms.charge != ChargeWhen::ahead) return {};
  const Amount left = -owed;
  if (left > Amount() && left >= terms.floor) return {};
  // As often the sum as it takes to be above the floor.
  const Int128 missing = (terms.floor + owed).attos(), one = terms.top_up.attos();
  return Amount::from_attos((missing / one + 1) * one);
}

// nullopt: nothing is to be charged on account now.
OnAccount::Result<std::optional<OnAccount::Account>> OnAccount::account(
    const Terms& terms, PayingReport& report) const {
  Account account{.name = Ledger::client_account(terms.id), .terms = terms.payment()};
  if (!terms.card) {
    report.problems[account.name] = "it pays by card, and its document has none";
    return std::nullopt;
  }
  account.card = *terms.card;
  const auto payments = ledger_.payments({.account = account.name});
  if (!payments) return tl::unexpected(payments.error().text);
  std::set<std::string> on_account;
  bool went_back = false;  // some of the last of these
  for (const Payment& p : *payments) {
    account.steps_seen += p.step;
    if (is_on_account(p)) on_account.insert(p.key);
    if (p.kind == PaymentKind::refund && on_account.contains(p.of)) went_back = true;
    if (p.kind != PaymentKind::card) continue;
    account.number += is_on_account(p);
    if (!is_final(p.now.state)) {  // it may pay what seems to be due
      report.look_at(p.now.next_ns);
      return std::nullopt;
    }
    if (p.now.state == PaymentState::succeeded) {
      account.tries.tries.clear();
      went_back = false;
    } else {
      account.tries.tries.push_back(p);
    }
  }
  account.tries.is_refunded = went_back;  // what was given back is not taken again by itself
  return account;
}

OnAccount::Result<std::vector<OnAccount::Account>> OnAccount::accounts(int64_t now_ns,
                                                                       const std::string& only,
                                                                       PayingReport& report) const {
  const auto documents = BillingDocuments::read(ledger_);
  if (!documents) return tl::unexpected(documents.error());
  std::vector<Account> all;
  for (const std::string& id : documents->clients()) {
    if (!only.empty() && Ledger::client_account(id) != only) continue;
    const auto terms = documents->client(id, now_ns);
    if (!terms) continue;          // whose periods cannot be closed, either, which is told there
    if (terms->paid_by) continue;  // by whose terms it is paid
    const PaymentTerms payment = terms->payment();
    if (payment.by != PayBy::card || payment.charge == ChargeWhen::issued) continue;
    auto found = account(*terms, report);
    if (!found) return tl::unexpected(found.error());
    if (*found) all.push_back(std::move(**found));
  }
  return all;
}

OnAccount::Result<PayingReport> OnAccount::run(const FindUnbilled& find_unbilled, int64_t now_ns,
                                               const std::string& only) {
  PayingReport report;
  const auto accounts = this->accounts(now_ns, only, report);
  if (!accounts) return tl::unexpected(accounts.error());
  if (accounts->empty()) return report;
  report.look_at(now_ns + kLookAgainNs);
  std::set<std::string> names;
  for (const Account& a : *accounts) names.insert(a.name);
  const auto balances = ledger_.balances();
  if (!balances) return tl::unexpected(balances.error().text);
  const auto unbilled = find_unbilled(names);
  if (!unbilled) return tl::unexpected(unbilled.error());
  report.problems.insert(unbilled->problems.begin(), unbilled->problems.end());
  for (const Account& a : *accounts) {
    const auto used = unbilled->accounts.find(a.name);
    if (used == unbilled->accounts.end()) continue;  // it has no service yet, or a problem
    const std::string& currency = used->second.currency;
    Amount owed = used->second.amount;
    if (const auto sums = balances->find(a.name); sums != balances->end()) {
      if (const auto sum = sums->second.find(currency); sum != sums->second.end())
        owed += sum->second;
    }
    charge_if_due(a, currency, owed, now_ns, report);
  }
  return report;
}

void OnAccount::charge_if_due(const Account& account, const std::string& currency, Amount owed,
                              int64_t now_ns, PayingReport& report) {
  const Amount due = due_on_account(account.terms, owed);
  const Amount coins = round_to_minor(due, minor_digits(currency).value());
  if (coins <= Amount()) return;
  const auto at = next_try_ns(account.tries, account.terms, account.card);
  if (!at) return;
  if (*at > now_ns) return report.look_at(*at);
  auto charged = charge(account, currency, coins, now_ns);
  if (!charged) {
    report.problems[account.name] = charged.error();
    return;
  }
  if (!is_final(charged->now.state)) report.look_at(charged->now.next_ns);
  report.moved.push_back(std::move(*charged));
}

OnAccount::Result<Payment> OnAccount::charge(const Account& account, const std::string& currency,
                                             Amount amount, int64_t now_ns) {
  const std::string client = Ledger::client_of(account.name);
  const Payment payment{.key = client + "-account-" + std::to_string(account.number),
                        .kind = PaymentKind::card,
                        .account = account.name,
                        .issuer = "",
                        .statement = "",
                        .of = "",
                        .currency = currency,
                        .amount = amount,
                        .customer = account.card.customer,
                        .method = account.card.method,
                        .made_ns = now_ns,
                        .step = 1,
                        .now = {.at_ns = now_ns}};
  return payer_.on_account(payment, account.steps_seen, now_ns);
}

OnAccount::Result<Payment> OnAccount::pay(const std::string& name, const std::string& currency,
                                          Amount amount, int64_t now_ns) {
  const auto documents = BillingDocuments::read(ledger_);
  if (!documents) return tl::unexpected(documents.error());
  const auto terms = documents->client(Ledger::client_of(name), now_ns);
  if (!terms) return tl::unexpected(terms.error());
  PayingReport report;
  const auto found = account(*terms, report);
  if (!found) return tl::unexpected(found.error());
  if (!report.problems.empty()) return tl::unexpected(report.problems.begin()->second);
  if (!*found) return tl::unexpected("a card payment of " + name + " is under way; wait for it");
  return charge(**found, currency, amount, now_ns);
}

}  // namespace anabranch::billing
