// SPDX-License-Identifier: BSD-3-Clause
// Which accounts a ledger has, what period of each is next, and how far their meters are charged.
//
// Accounts are clients ("client:acme"), what belongs to no client of each gateway ("house:site-a"),
// and providers whom we owe ("payable:airmobile"). An octet is charged to a client or the house,
// and, apart from that, owed to a provider: each side has its own watermark of the meter.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "billing/billing_documents.h"
#include "billing/ledger.h"
#include "billing/period.h"
#include "billing/period_usage.h"

namespace anabranch::billing {

struct BilledAccount {
  enum class Kind : uint8_t { client, house, provider };
  Kind kind = Kind::client;
  std::string id;        // of the client, gateway or provider
  int64_t since_ns = 0;  // first service, or first document
  std::vector<ClientService> services;
  std::map<MeterKey, Count> charged;  // how far

  std::string name() const;
  bool operator<(const BilledAccount& other) const { return name() < other.name(); }
};

// In words: there is no such account.
std::string unknown_account(const std::string& name);

// Under which gateway's name a ledger has the watermarks of what is owed to providers.
std::string provider_side(const std::string& gateway);

class ClosingAccounts {
 public:
  template <typename T>
  using Result = tl::expected<T, std::string>;

  static Result<ClosingAccounts> read(const Ledger& ledger, const BillingDocuments& documents);

  const std::map<std::string, BilledAccount>& all() const { return accounts_; }
  const BilledAccount* find(const std::string& name) const;
  // Whose a service is; empty: nobody knows.
  std::string account_of(const std::string& gateway, uint64_t service) const;
  // Gateways whose usage there may be.
  const std::set<std::string>& gateways() const { return gateways_; }

  Result<Terms> terms(const BilledAccount& account, const BillingDocuments& documents,
                      int64_t at_ns) const;
  // The stretch that follows what is closed, up to the end of its cycle; and the one behind it.
  Result<BilledPeriod> next_period(const BilledAccount& account,
                                   const BillingDocuments& documents) const;
  Result<BilledPeriod> period_behind(const BilledAccount& account, const BilledPeriod& period,
                                     const BillingDocuments& documents) const;
  Result<BillingDocuments::Prices> prices(const BilledAccount& account, const BilledPeriod& period,
                                          const Zone& zone, BillingDocuments& documents) const;

 private:
  Result<void> read_watermarks(const Ledger& ledger);

  std::map<std::string, BilledAccount> accounts_;
  std::map<std::pair<std::string, uint64_t>, std::string>
      owners_;  // client, by gateway and service
  std::map<std::string, int64_t> closed_through_;
  std::set<std::string> gateways_;
};

// True where an account has fees to pay for a period: a client had a service in it.
bool is_active(const BilledAccount& account, const Period& period);

}  // namespace anabranch::billing
