// SPDX-License-Identifier: BSD-3-Clause
// What a client's statements are still owed of, and what its payments have come to.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "billing/billing_documents.h"
#include "billing/card.h"
#include "billing/ledger_closing.h"
#include "billing/ledger_payments.h"
#include "billing/payment_terms.h"

namespace anabranch::billing {

// An account's own statements, and those of others that it pays. Of its own some may be paid by
// another. Reads the ledger.
tl::expected<std::vector<StoredStatement>, std::string> statements_of(
    const Ledger& ledger, const BillingDocuments& documents, const std::string& account);

struct Debt {
  std::string account;  // whose statement it is; who pays may be another
  std::string issuer, statement, hash;
  std::string currency;
  Amount gross, open;
  int64_t issued_ns = 0;
  std::vector<Payment> tries;  // by card, the oldest first
  bool is_being_paid = false;  // one of them is not final
  bool is_refunded = false;    // some of it went back: not for a card by itself any more
  bool is_disputed = false;    // nothing of it is asked for until that is decided
};

// The oldest first; those alone that are owed of, of statements that `account` pays. `balance` is
// what it owes in all: what was credited, and what is paid for nothing in particular, is for the
// oldest.
std::vector<Debt> debts_of(const std::string& account, std::span<const StoredStatement> statements,
                           std::span<const Payment> payments, const std::string& currency,
                           Amount balance);

// When a card is to be tried (again) for it; nullopt: not by itself.
std::optional<int64_t> next_try_ns(const Debt& debt, const PaymentTerms& terms, const Card& card);
// From when on it is overdue; nullopt: not as long as it is as it is.
std::optional<int64_t> overdue_ns(const Debt& debt, const PaymentTerms& terms,
                                  const std::optional<Card>& card);

}  // namespace anabranch::billing
