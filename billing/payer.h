// SPDX-License-Identifier: BSD-3-Clause
// Has statements paid: by the client's card, as its profile says, or by what somebody saw arrive.
//
// Whatever happens in between, a card is charged at most once for a debt, and what it paid is
// posted exactly once: the intent and its key are in the ledger before the processor is asked; what
// was not answered is looked for, and only what the processor does not have is asked for again,
// under the same key; the answer and its posting are stored together. What others did at the
// processor, such as refunds by hand and disputes, is posted too. Blocking; one thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "billing/billing_documents.h"
#include "billing/card_events.h"
#include "billing/debts.h"
#include "billing/ledger.h"
#include "billing/processor.h"

namespace anabranch::billing {

// How a client stands, and what its profile says of it.
struct Standing {
  std::string account;
  std::string statement;  // the one that is overdue for longest; empty: its credit is used up
  int64_t overdue_ns = 0;
  WhenOverdue then = WhenOverdue::nothing;
  uint32_t restrict_kbps = 0;
  bool operator==(const Standing&) const = default;
};

struct PayingReport {
  std::vector<Payment> moved;                   // that were begun or went on
  std::vector<std::string> notes;               // of disputes, sentences
  std::map<std::string, std::string> problems;  // by account
  std::vector<Standing> overdue;
  std::optional<int64_t> next_ns;  // when there is something to do, unless something happens first
  void look_at(int64_t at_ns) { next_ns = std::min(next_ns.value_or(INT64_MAX), at_ns); }
};

class Payer {
 public:
  template <typename T>
  using Result = tl::expected<T, std::string>;

  // `processor` may be nullptr: cards cannot be charged, which is a problem of whom pays by one.
  Payer(Ledger& ledger, CardProcessor* processor) : ledger_(ledger), processor_(processor) {}

  // Goes on with all that is open, and begins what is due; of all accounts, or of one. `at_once`:
  // what is open, whenever it was asked for last.
  Result<PayingReport> run(int64_t now_ns, const std::string& account = {}, bool at_once = false);
  // Who is overdue; asks nobody for anything. By account.
  Result<std::map<std::string, Standing>> overdue(int64_t now_ns) const;
  // One statement by card, now: whatever was tried, unless it is under way. Of one account, or of
  // whom it is. The same `once` is the same payment, whatever became of it.
  Result<Payment> pay(const std::string& issuer, const std::string& statement, int64_t now_ns);
  // The same in two parts: the intent, for which no processor is needed; and what becomes of it.
  Result<Payment> intend(const std::string& account, const std::string& issuer,
                         const std::string& statement, const std::string& once, int64_t now_ns);
  Result<Payment> intend_refund(const std::string& key, Amount amount, const std::string& once,
                                int64_t now_ns);
  Result<Payment> go_on_with(const std::string& key, int64_t now_ns);
  // By card for no statement: a credit, which is for the oldest and for those to come. Refused when
  // the account's payments have gone more steps than those that were seen before it was decided.
  Result<Payment> on_account(const Payment& payment, int64_t steps_seen, int64_t now_ns);
  // Money that arrived otherwise; once for each reference. Of no statement: for the oldest.
  Result<Payment> received(const Payment& transfer, const std::string& reference, int64_t now_ns);
  // What it tells of is asked for at once.
  Result<PayingReport> heard(const CardEvent& event, int64_t now_ns);
  // Back, of a payment that succeeded.
  Result<Payment> refund(const std::string& key, Amount amount, int64_t now_ns);

 private:
  struct Owing {
    std::string account;
    Terms terms;
    std::vector<Debt> debts;
    int64_t steps_seen = 0;  // of its payments, when that is what it owed
  };
  Result<std::vector<Owing>> owing(const BillingDocuments& documents, int64_t now_ns,
                                   const std::string& account, PayingReport& report) const;
  Result<Payment> begin(Owing& owing, const Debt& debt, int64_t now_ns);
  static Payment payment_of(const Owing& owing, const Debt& debt, const std::string& once,
                            int64_t now_ns);
  Result<Payment> store(const Payment& payment, std::optional<int64_t> steps_seen = {});
  Result<std::map<std::string, Standing>> standings(const BillingDocuments& documents,
                                                    int64_t now_ns, const std::string& account,
                                                    PayingReport& report) const;
  Result<void> check_transfer(const Payment& transfer, int64_t now_ns) const;
  static void add_standings(const Owing& owing, int64_t now_ns,
                            std::map<std::string, Standing>& worst, PayingReport& report);
  void pay_what_is_due(Owing& owing, int64_t now_ns, PayingReport& report);
  Result<Payment> store_and_go_on(const Payment& payment, int64_t now_ns,
                                  std::optional<int64_t> steps_seen = {});
  Result<Payment> go_on(Payment payment, int64_t now_ns, bool is_new);
  static Transaction posting_of(const Payment& payment, int64_t now_ns);
  Result<CardAnswer> ask(const Payment& payment, bool is_new);
  Result<CardAnswer> ask_refund(const Payment& refund, bool is_new);
  Result<Payment> stored(const std::string& key) const;

  // payer_aftermath.cc
  Result<std::vector<Payment>> told_of(const CardEvent& event) const;
  void follow_all(int64_t now_ns, bool at_once, PayingReport& report);
  Result<std::set<std::string>> to_follow(int64_t since_ns) const;
  Result<void> follow(const Payment& payment, int64_t now_ns, PayingReport& report);
  Result<void> follow_refund(const Payment& payment, const CardRefund& refund, int64_t now_ns,
                             PayingReport& report);
  Result<void> follow_dispute(const Payment& payment, const CardDispute& dispute, int64_t now_ns,
                              PayingReport& report);
  Result<std::optional<Payment>> paid_before(const Payment& payment, const CardCharge& charge,
                                             int64_t now_ns);

  Ledger& ledger_;
  CardProcessor* processor_;
};

}  // namespace anabranch::billing
