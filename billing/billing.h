// SPDX-License-Identifier: BSD-3-Clause
// Billing as others use it: readings in, statements out. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include <tl/expected.hpp>

#include "billing/charge.h"
#include "billing/journal.h"
#include "billing/ledger.h"
#include "billing/statement.h"

namespace anabranch::billing {

struct BillingOptions {
  std::string state_dir;  // journal/ is in it, and ledger.sqlite unless `ledger` says otherwise
  std::string ledger;     // "postgresql://…", or empty
  std::string gateway;
  uint32_t journal_segment_octets = 16u << 20;
  bool journal_direct = true;
  JournalRetention retention;
  // What an operator should know, and is no error of a call.
  std::function<void(const std::string&)> notice;
};

class Billing {
 public:
  static tl::expected<std::unique_ptr<Billing>, std::string> open(const BillingOptions& options,
                                                                  Tariff house);

  Ledger& ledger() { return ledger_; }
  // Readings lower than what was journaled, left out: a meter that is not to be believed.
  uint64_t went_backwards() const { return journal_->went_backwards(); }

  // Journals what the meters have counted, then charges it; returns when both are durable. After an
  // error nothing is lost and nothing is charged twice: the next call covers it.
  tl::expected<void, std::string> flush(std::span<const Reading> readings, int64_t wall_ns);

 private:
  Billing(BillingOptions options, std::unique_ptr<Journal> journal, Ledger ledger, Tariff house)
      : options_(std::move(options)),
        journal_(std::move(journal)),
        ledger_(std::move(ledger)),
        charging_(*journal_, ledger_, std::move(house)) {}

  // What the ledger calls paths and services.
  std::optional<Catalogue> catalogue() const;  // nullopt: the ledger cannot be read
  void refresh_catalogue(std::span<const Reading> readings, int64_t wall_ns);
  void maintain(int64_t wall_ns);

  BillingOptions options_;
  int64_t maintain_again_ns_ = 0, catalogue_of_ns_ = 0;
  std::unique_ptr<Journal> journal_;
  Ledger ledger_;
  Charging charging_;
};

}  // namespace anabranch::billing
