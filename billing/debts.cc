// SPDX-License-Identifier: BSD-3-Clause
#include "billing/debts.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "billing/ledger.h"

namespace anabranch::billing {
namespace {

constexpr int64_t kOneDayNs = 86'400'000'000'000;

Amount amount_of(const nlohmann::json& document, const char* name) {
  return parse_amount(document.value(name, "")).value_or(Amount());
}

std::string payer_of(const StoredStatement& s, const nlohmann::json& document) {
  const auto payer = document.find("payer");
  return payer == document.end() || !payer->is_object()
             ? s.account
             : Ledger::client_account(payer->value("id", ""));
}

void count_payments(Debt& debt, std::span<const Payment> payments, Amount& paid) {
  for (const Payment& p : payments) {
    // On account: when it succeeds it may pay this.
    if (p.kind == PaymentKind::card && p.statement.empty() && !is_final(p.now.state))
      debt.is_being_paid = true;
    if (p.issuer != debt.issuer || p.statement != debt.statement) continue;
    const bool is_back = p.kind == PaymentKind::refund;
    if (p.now.state == PaymentState::succeeded) paid += is_back ? -p.amount : p.amount;
    paid += -p.lost;
    debt.is_refunded = debt.is_refunded || is_back || p.lost != Amount();
    debt.is_disputed = debt.is_disputed || p.is_disputed;
    debt.is_being_paid = debt.is_being_paid || !is_final(p.now.state);
    if (p.kind == PaymentKind::card) debt.tries.push_back(p);
  }
}

}  // namespace

tl::expected<std::vector<StoredStatement>, std::string> statements_of(
    const Ledger& ledger, const BillingDocuments& documents, const std::string& account) {
  auto all = ledger.statements(account);
  if (!all) return tl::unexpected(all.error().text);
  for (const std::string& other : documents.paid_for_by(Ledger::client_of(account))) {
    auto theirs = ledger.statements(Ledger::client_account(other));
    if (!theirs) return tl::unexpected(theirs.error().text);
    std::copy_if(theirs->begin(), theirs->end(), std::back_inserter(*all),
                 [&](const StoredStatement& s) {
                   return payer_of(s, nlohmann::json::parse(s.document, nullptr, false)) == account;
                 });
  }
  return std::move(*all);
}

std::vector<Debt> debts_of(const std::string& account, std::span<const StoredStatement> statements,
                           std::span<const Payment> payments, const std::string& currency,
                           Amount balance) {
  std::vector<Debt> all;
  for (const StoredStatement& s : statements) {
    const auto document = nlohmann::json::parse(s.document, nullptr, false);
    if (!document.is_object() || document.value("currency", "") != currency) continue;
    if (payer_of(s, document) != account) continue;
    Debt debt{.account = s.account,
              .issuer = s.issuer,
              .statement = s.name(),
              .hash = s.hash,
              .currency = currency,
              .gross = amount_of(document, "gross"),
              .open = {},
              .issued_ns = s.issued_ns,
              .tries = {}};
    Amount paid;
    count_payments(debt, payments, paid);
    debt.open = debt.gross + -paid;
    all.push_back(std::move(debt));
  }
  std::stable_sort(all.begin(), all.end(),
                   [](const Debt& a, const Debt& b) { return a.issued_ns < b.issued_ns; });
  // From the newest back, what is owed in all is divided; so credits are the oldest ones'.
  Amount left = std::max(balance, Amount());
  for (auto debt = all.rbegin(); debt != all.rend(); ++debt) {
    debt->open = std::clamp(debt->open, Amount(), left);
    left += -debt->open;
  }
  std::erase_if(all, [](const Debt& d) { return d.open == Amount(); });
  return all;
}

std::optional<int64_t> next_try_ns(const Debt& debt, const PaymentTerms& terms, const Card& card) {
  if (terms.by != PayBy::card || debt.is_being_paid || debt.is_refunded || debt.is_disputed)
    return std::nullopt;
  if (debt.tries.empty()) return debt.issued_ns;
  const Payment& last = debt.tries.back();
  if (last.now.state == PaymentState::succeeded) return last.now.at_ns;  // it did not pay all
  if (Card{last.customer, last.method} != card) return last.now.at_ns;
  if (last.now.state == PaymentState::requires_customer) return std::nullopt;
  const size_t again = debt.tries.size() - 1;
  if (again >= terms.retry_days.size()) return std::nullopt;
  return debt.tries.front().made_ns + terms.retry_days[again] * kOneDayNs;
}

std::optional<int64_t> overdue_ns(const Debt& debt, const PaymentTerms& terms,
                                  const std::optional<Card>& card) {
  if (debt.is_being_paid || debt.is_disputed || (card && next_try_ns(debt, terms, *card)))
    return std::nullopt;
  return debt.issued_ns + terms.due_days * kOneDayNs;
}

}  // namespace anabranch::billing
