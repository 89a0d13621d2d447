// SPDX-License-Identifier: BSD-3-Clause
// A statement: what an account used and owes, a section a provider.
//
// Usage is shown by (path, direction, kind); charges by tariff line, that is, by price. The amount
// of a tariff line is rounded, once, to the currency's smallest coin; subtotals and totals are sums
// of rounded amounts, so what is printed adds up. The same usage gives the same statement.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>
#include <tl/expected.hpp>

#include "billing/ledger.h"

namespace anabranch::billing {

struct StatementLine {
  std::string path;
  Direction direction = Direction::sent;
  Kind kind = Kind::first;
  uint64_t octets = 0, packets = 0;
  Amount price_per_gb;  // zero where the tariff charges nothing for this kind
};
struct StatementCharge {
  Amount price_per_gb;
  uint64_t octets = 0;
  Amount amount;  // rounded
};
struct StatementSection {
  std::string provider;
  std::vector<StatementLine> lines;
  std::vector<StatementCharge> charges;  // by price
  uint64_t octets = 0;
  Amount subtotal;
};
struct Statement {
  std::string account;
  std::string currency;
  std::vector<StatementSection> sections;
  uint64_t octets = 0;
  Amount total;
};

// The error: the ledger's postings do not agree with the usage they were made for, or the account
// was charged in several currencies.
tl::expected<Statement, std::string> make_statement(const Ledger& ledger,
                                                    const std::string& account);

std::string to_text(const Statement& statement);
nlohmann::json to_json(const Statement& statement);

}  // namespace anabranch::billing
