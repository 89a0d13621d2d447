// SPDX-License-Identifier: BSD-3-Clause
// Clients that pay ahead: what is left for them at a gateway. Reserve, use, settle, as RFC 8506 has
// it: of the credit in the ledger a gateway reserves a part, its services use it, and the
// period's statement is what it comes to in the end.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "billing/closing.h"
#include "billing/ledger.h"
#include "billing/payment_terms.h"

namespace anabranch::billing {

// What a gateway knows of an account that has services at it, or had.
struct CreditAsked {
  // What it used, as it was priced last; nullopt: it is to be priced now, by the journals.
  std::optional<Unbilled> used;
  Amount since;              // what it has used since then, by an estimate
  bool has_services = true;  // false: nothing is to be reserved for it any more
  bool operator==(const CreditAsked&) const = default;
};

struct Credit {
  PaymentTerms terms;
  Unbilled used;           // as it was priced, now or last
  bool is_priced = false;  // now
  Reservation reservation;
  bool operator==(const Credit&) const = default;
};

struct CreditReport {
  std::map<std::string, Credit> accounts;       // those that pay ahead alone
  std::map<std::string, std::string> problems;  // by account
};

// By account. Blocking; reads the journals once if anything is to be priced.
tl::expected<CreditReport, std::string> look_at_credit(
    Ledger& ledger, Closer& closer, const std::string& gateway,
    const std::map<std::string, CreditAsked>& asked, int64_t now_ns);

// How an account stands in a currency, for its client to see.
struct Balance {
  std::string currency;
  Amount credit;    // of the ledger; below nothing: it owes
  Amount used;      // since the last statement
  Amount reserved;  // by gateways, of what is left
};
nlohmann::json to_json(const Balance& balance);

// What was used is priced by the journals of `closer`, which are those of `gateway` (empty: of all
// gateways); of others it is what they have said last. nullptr: of all.
tl::expected<std::vector<Balance>, std::string> balances_of(const Ledger& ledger, Closer* closer,
                                                            const std::string& gateway,
                                                            const std::string& account,
                                                            int64_t now_ns);

}  // namespace anabranch::billing
