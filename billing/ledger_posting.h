// SPDX-License-Identifier: BSD-3-Clause
// What is posted. Debits are positive, credits negative: what a client owes is positive on its
// account, what we owe a provider negative on "payable:<provider>".
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "billing/money.h"

namespace anabranch::billing {

// An account's name is "<kind>:<whose>", such as "client:acme", "revenue:northfibre", "tax:vat-de".
// The kinds, and what hledger calls them (asset, liability, revenue, expense, equity).
struct AccountKind {
  const char* prefix;
  const char* kind;
  char hledger;
};
inline constexpr AccountKind kAccountKinds[] = {
    {"client", "receivable", 'A'},     {"house", "house", 'X'},
    {"revenue", "revenue", 'R'},       {"cost", "cost", 'X'},
    {"payable", "payable", 'L'},       {"tax", "tax", 'L'},
    {"adjustment", "adjustment", 'X'}, {"cash", "cash", 'A'},
    {"dispute", "disputed", 'A'},      {"fee", "fee", 'X'},
};
// nullptr: no account can have this name.
const AccountKind* account_kind(const std::string& account);

struct Entry {
  std::string account;
  std::string currency;  // ISO 4217
  Amount amount;
  bool operator==(const Entry&) const = default;
};

struct Transaction {
  std::string id;  // made from its content, such as "period:client:acme:…"; the same is posted once
  int64_t wall_ns = 0;   // when, in UTC
  std::string purpose;   // what for, for people
  std::string party;     // whose it is, an account: what revenue and cost are a margin of
  std::string corrects;  // the id of one that this corrects; or empty
  std::vector<Entry> entries;
};

struct Posted {
  int64_t number = 0;     // of the transaction, in the order of posting
  bool repeated = false;  // it was there already
};

// Of one party, with one provider.
struct MarginLine {
  std::string party, provider, currency;
  Amount revenue, cost;
  Amount margin() const { return revenue + -cost; }
};

}  // namespace anabranch::billing
