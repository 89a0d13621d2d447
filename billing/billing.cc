// SPDX-License-Identifier: BSD-3-Clause
#include "billing/billing.h"

namespace anabranch::billing {

tl::expected<std::unique_ptr<Billing>, std::string> Billing::open(const BillingOptions& options,
                                                                  Tariff house) {
  auto journal = Journal::open({.folder = options.state_dir + "/journal",
                                .segment_octets = options.journal_segment_octets,
                                .direct = options.journal_direct});
  if (!journal) return tl::unexpected(journal.error());
  auto ledger =
      Ledger::open(options.ledger.empty() ? options.state_dir + "/ledger.sqlite" : options.ledger,
                   options.gateway);
  if (!ledger) return tl::unexpected(ledger.error());
  return std::unique_ptr<Billing>(
      new Billing(std::move(*journal), std::move(*ledger), std::move(house)));
}

tl::expected<void, std::string> Billing::flush(std::span<const Reading> readings, int64_t wall_ns) {
  if (auto recorded = journal_->record(readings, wall_ns); !recorded)
    return tl::unexpected(recorded.error());
  return charging_.run(wall_ns);
}

}  // namespace anabranch::billing
