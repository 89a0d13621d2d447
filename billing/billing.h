// SPDX-License-Identifier: BSD-3-Clause
// Billing as a gateway uses it: readings go to the journal; periods are closed from there, and what
// is open is shown. One thread, but for what is said to be for any.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>
#include <tl/expected.hpp>

#include "billing/closing_service.h"
#include "billing/credit.h"
#include "billing/journal.h"
#include "billing/ledger.h"
#include "billing/payer.h"

namespace anabranch::billing {

struct BillingOptions {
  std::string state_dir;  // journal/ is in it, and ledger.sqlite unless `ledger` says otherwise
  std::string ledger;     // "postgresql://…", or empty
  std::string gateway;
  uint32_t journal_segment_octets = 16u << 20;
  bool journal_direct = true;
  JournalRetention retention;
  bool close_periods = false;  // by itself, when they are due
  std::string statements;      // the folder they are delivered to; empty: statements/ of state_dir
  std::optional<MailOptions> mail;  // none: nothing is mailed
  // What an operator should know, and is no error of a call. On any thread.
  std::function<void(const std::string&)> notice;
};

class Billing {
 public:
  static tl::expected<std::unique_ptr<Billing>, std::string> open(const BillingOptions& options);

  // The ledger's: a file, or "postgresql://…".
  static std::string where(const BillingOptions& options);

  Ledger& ledger() { return ledger_; }
  // Readings lower than what was journaled, left out: a meter that is not to be believed.
  uint64_t went_backwards() const { return journal_->went_backwards(); }

  // Journals what the meters have counted; returns when it is durable. After an error nothing is
  // lost: the next call covers it.
  tl::expected<void, std::string> flush(std::span<const Reading> readings, int64_t wall_ns);

  // What of an account is not on a statement yet, as it would be on one, by this gateway's journal.
  // For any thread: with connections of its own. cost: reads the journal from the last closing on.
  static tl::expected<std::vector<nlohmann::json>, std::string> open_statements(
      const BillingOptions& options, const std::string& account, int64_t wall_ns);
  // What is issued to an account, in the order of issue. For any thread.
  static tl::expected<std::vector<StoredStatement>, std::string> issued_statements(
      const BillingOptions& options, const std::string& account);

  // Clients of which a statement is overdue, by account. For any thread.
  static tl::expected<std::map<std::string, Standing>, std::string> overdue(
      const BillingOptions& options, int64_t wall_ns);
  // Reserves for this gateway what it may use of what was paid ahead, by account (credit.h), by its
  // journal. For any thread.
  static tl::expected<CreditReport, std::string> look_at_credit(
      const BillingOptions& options, const std::map<std::string, CreditAsked>& asked,
      int64_t wall_ns);
  // How far accounts are into their tariffs, by this gateway's journal. For any thread.
  static tl::expected<std::map<std::string, TariffUse>, std::string> tariff_uses(
      const BillingOptions& options, const std::set<std::string>& accounts, int64_t wall_ns);
  // How an account stands, by currency. For any thread.
  static tl::expected<std::vector<Balance>, std::string> balances(const BillingOptions& options,
                                                                  const std::string& account,
                                                                  int64_t wall_ns);

 private:
  Billing(BillingOptions options, std::unique_ptr<Journal> journal, Ledger ledger);

  // What the ledger calls paths and services.
  std::optional<Catalogue> catalogue() const;  // nullopt: the ledger cannot be read
  void refresh_catalogue(std::span<const Reading> readings, int64_t wall_ns);
  void maintain(int64_t wall_ns);

  BillingOptions options_;
  int64_t maintain_again_ns_ = 0, catalogue_of_ns_ = 0;
  std::unique_ptr<Journal> journal_;
  Ledger ledger_;
  std::optional<ClosingService> closing_;
};

}  // namespace anabranch::billing
