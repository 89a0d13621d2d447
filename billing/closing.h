// SPDX-License-Identifier: BSD-3-Clause
// Periods are closed: from the journals of gateways and the documents of a ledger to statements,
// postings and watermarks. An account's period is closed when it has ended and its grace is over;
// what came late is on the next statement, as a correction of its own period.
//
// Each account's period is one transaction of the ledger (all of it, or nothing), in which the
// meters' watermarks advance from where they were: an octet is charged once, whoever else closes at
// the same time, and after any crash closing again goes on where it ended. An account that cannot
// be closed (a price is missing) is reported, and holds up nobody else.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "billing/closing_accounts.h"
#include "billing/closing_draft.h"
#include "billing/tariff_use.h"
#include "billing/usage_pass.h"

namespace anabranch::billing {

struct ClosingOptions {
  std::vector<std::string> journals;  // folders
  std::set<std::string> without;      // gateways whose journal is not among them, and need not be
  size_t threads = 0;                 // 0: as many as the machine has
};

struct ClosedAccount {
  std::string account;
  Period period;
  Zone zone = Zone::utc();
  uint64_t octets = 0;
  std::vector<StoredStatement> statements;
};
struct ClosingReport {
  std::vector<ClosedAccount> closed;
  std::map<std::string, std::string> problems;  // by account; "" of a journal
  std::optional<int64_t> next_due_ns;           // when the next period is
  uint64_t records = 0;                         // read
  int64_t reading_ns = 0;                       // how long that took
};

// What an account used and is on no statement yet, with tax.
struct Unbilled {
  int64_t from_ns = 0;  // since then
  std::string currency;
  Amount amount;
  bool operator==(const Unbilled&) const = default;
};
struct UnbilledReport {
  std::map<std::string, Unbilled> accounts;
  std::map<std::string, std::string> problems;  // by account
};

class Closer {
 public:
  template <typename T>
  using Result = tl::expected<T, std::string>;

  Closer(Ledger& ledger, ClosingOptions options) : ledger_(ledger), options_(std::move(options)) {}

  // Closes what is due. `account`: that one alone; empty: all.
  Result<ClosingReport> run(int64_t now_ns, const std::string& account = "");

  // What is open of an account up to now, as it would be on its statements. Stores nothing.
  Result<std::vector<nlohmann::json>> preview(const std::string& account, int64_t now_ns);

  // The same in one sum for each of `names`, and of what has begun behind a period that waits to be
  // closed as well. Reads the journals once for all, and once more while some period waits.
  Result<UnbilledReport> unbilled(const std::set<std::string>& names, int64_t now_ns);

  // How far each of `names` is into its tariff, in the period that is open; without those of which
  // that is not known. Reads the journals once for all.
  Result<std::map<std::string, TariffUse>> tariff_uses(const std::set<std::string>& names,
                                                       int64_t now_ns);

  // Charges a closed period, the one of that instant, again, by `tariff` in place of the one it was
  // charged by: the difference is posted, and stated by an adjustment. Nothing posted is changed.
  // Nothing: it comes to the same.
  Result<std::vector<StoredStatement>> rerate(const std::string& account, int64_t within_ns,
                                              const Tariff& tariff, int64_t now_ns);

 private:
  struct Open {  // an account whose usage is gathered
    const BilledAccount* account = nullptr;
    std::optional<BilledPeriod> period;
    Zone zone = Zone::utc();
    PeriodCollector usage;
    bool is_behind = false;  // one that is not closed: what is of that one is not late
  };
  struct Gathered {
    std::map<std::string, Open> accounts;
    UsagePass::Result read;
    int64_t took_ns = 0;
  };

  Result<void> look();
  Result<void> check_gateways(const UsagePass::Result& read) const;
  Result<Open> open_account(const BilledAccount& account, const BilledPeriod& period);
  Result<Open> open_until(const BilledAccount& account, BilledPeriod period, int64_t now_ns);
  Result<void> add_unbilled(std::map<std::string, BilledPeriod>& periods, bool are_behind,
                            int64_t now_ns, UnbilledReport& report);
  std::string currency_of(const Open& open) const;
  Result<Gathered> gather(std::map<std::string, Open> accounts, bool all_frames);
  Result<std::map<std::string, Open>> open_due(int64_t now_ns, const std::string& only,
                                               ClosingReport& report);
  void close_due(Gathered& gathered, int64_t now_ns, ClosingReport& report);
  bool asks_ledger(const Open& open) const;
  Result<ClosedPeriod> draft(Open& open, int64_t now_ns);
  std::string lacks_for_invoice(const ClosedPeriod& draft, const Open& open) const;
  Result<std::vector<BilledLine>> corrections(Open& open, std::vector<DocumentDraft>& documents,
                                              int64_t now_ns);
  Result<std::vector<BilledLine>> correct_period(const Open& open, const PeriodEntry& closed,
                                                 std::vector<PeriodCollector::Range> late,
                                                 std::vector<DocumentDraft>& documents,
                                                 int64_t now_ns);
  Result<PeriodBill> charge_again(const BilledAccount& account, const Period& period,
                                  const KeptClosing& kept, BillingDocuments::Prices prices,
                                  const Zone& zone);
  Result<KeptClosing> kept(const std::string& account, const Period& period) const;
  Result<std::vector<ServiceMinutes>> minutes(const BilledAccount& account,
                                              const Period& period) const;
  Result<std::vector<StoredStatement>> post_correction(const Open& open, const Terms& terms,
                                                       const KeptClosing& now,
                                                       const PeriodBill& difference,
                                                       int64_t now_ns);
  StatementOf statement_of(const Open& open, const Terms& terms, int64_t now_ns) const;
  void store(std::vector<ClosedPeriod> drafts, const std::map<std::string, Open>& accounts,
             ClosingReport& report);

  Ledger& ledger_;
  ClosingOptions options_;
  std::optional<BillingDocuments> documents_;
  std::optional<ClosingAccounts> accounts_;
};

}  // namespace anabranch::billing
