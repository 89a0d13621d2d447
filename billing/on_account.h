// SPDX-License-Identifier: BSD-3-Clause
// Charges cards before there is a statement to pay: as soon as what a client owes and has used
// since comes to a threshold, or when less than a floor is left of what it has paid ahead.
//
// What is paid so is a credit on the client's account, of which its statements are paid. They are
// made as if nothing had been paid meanwhile: an octet is on one line of one statement.
//
// A card is charged once for each time that it comes to that, whatever happens in between: the
// key of a payment is its number among the account's, numbers are read before what is owed and
// that before what was used. So whoever looks at the same time comes to the same key, or sees what
// the other has charged. Blocking; one thread.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "billing/closing.h"
#include "billing/payer.h"

namespace anabranch::billing {

class OnAccount {
 public:
  template <typename T>
  using Result = tl::expected<T, std::string>;
  // What of accounts is on no statement yet, such as Closer::unbilled.
  using FindUnbilled = std::function<Result<UnbilledReport>(const std::set<std::string>& accounts)>;

  OnAccount(Ledger& ledger, Payer& payer) : ledger_(ledger), payer_(payer) {}

  // Of all accounts, or of one. To be called behind Payer::run, which goes on with what is open.
  Result<PayingReport> run(const FindUnbilled& find_unbilled, int64_t now_ns,
                           const std::string& account = {});
  // By hand, now: so much ahead by the client's card.
  Result<Payment> pay(const std::string& account, const std::string& currency, Amount amount,
                      int64_t now_ns);

 private:
  struct Account {
    std::string name;
    PaymentTerms terms;
    Card card;
    size_t number = 1;       // of the next payment on account
    int64_t steps_seen = 0;  // of payments of any kind
    Debt tries;              // by card, since one succeeded
  };
  Result<std::vector<Account>> accounts(int64_t now_ns, const std::string& only,
                                        PayingReport& report) const;
  Result<std::optional<Account>> account(const Terms& terms, PayingReport& report) const;
  Result<Payment> charge(const Account& account, const std::string& currency, Amount amount,
                         int64_t now_ns);
  void charge_if_due(const Account& account, const std::string& currency, Amount owed,
                     int64_t now_ns, PayingReport& report);

  Ledger& ledger_;
  Payer& payer_;
};

// What a card is charged by these terms, of an account that owes so much (less than nothing: it has
// a credit), with what it used since its last statement. Nothing: it is not due.
Amount due_on_account(const PaymentTerms& terms, Amount owed);

}  // namespace anabranch::billing
