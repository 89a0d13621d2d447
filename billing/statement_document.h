// SPDX-License-Identifier: BSD-3-Clause
// A statement as it is issued: a JSON document that all presentations are made of, and what of it
// is posted. By the account's preferences it is one over all providers, or one a provider; other
// providers' charges are itemised, summarised, or on a statement of their own. Whatever is chosen:
// each line is on exactly one statement, and their nets add up to the same, to the last coin.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "billing/billing_documents.h"
#include "billing/ledger_closing.h"
#include "billing/period_bill.h"

namespace anabranch::billing {

struct IssuedStatement {
  StatementDraft draft;
  PeriodCharges sums;  // of its lines
};

struct StatementOf {
  std::string account;
  Terms terms;
  Period period;
  int64_t issued_ns = 0;
  std::string kind = "statement";     // or "adjustment"
  std::vector<std::string> corrects;  // numbers of statements
  std::string series;                 // such as "2026"
  Party customer;
  std::map<std::string, Party> providers;  // who issue statements of their own
};

// `usage` may be null: a correction shows none. None for what has neither lines nor usage. The
// error: sums beyond what an amount holds.
tl::expected<std::vector<IssuedStatement>, std::string> make_statements(
    const Issuer& issuer, const StatementOf& of, const PeriodBill& bill,
    const PeriodCollector* usage);

}  // namespace anabranch::billing
