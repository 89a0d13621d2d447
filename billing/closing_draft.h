// SPDX-License-Identifier: BSD-3-Clause
// What closing a period stores (ledger_closing.h), made of what was gathered. Pure functions.
#pragma once

#include <string>

#include <tl/expected.hpp>

#include "billing/closing_accounts.h"
#include "billing/ledger_closing.h"
#include "billing/statement_document.h"

namespace anabranch::billing {

// What is kept of a closed period, so that it can be charged again: document "closings".
struct KeptClosing {
  std::string currency;
  Period cycle;  // of which the period is a part
  std::vector<PeriodCollector::Range> ranges;
  nlohmann::json lines;  // kept_lines
};
inline constexpr const char* kClosings = "closings";
std::string kept_id(const std::string& account, const Period& period);
std::string to_text(const KeptClosing& kept);
std::optional<KeptClosing> parse_kept(const std::string& text);

// A client's or the house's: `charges` are what the period comes to, `others` corrections of
// earlier periods and credits.
tl::expected<ClosedPeriod, std::string> close_account(const Issuer& issuer, const StatementOf& of,
                                                      const Period& cycle,
                                                      const PeriodBill& charges,
                                                      std::vector<BilledLine> others,
                                                      const PeriodCollector& usage);

// A provider's: what we owe is divided among those whose octets it carried, and by day.
tl::expected<ClosedPeriod, std::string> close_provider(const ClosingAccounts& accounts,
                                                       const StatementOf& of,
                                                       const PeriodBill& cost,
                                                       const PeriodCollector& usage);

// What a closed period is corrected by: an adjustment, that says what it corrects. `now`: what is
// kept from here on; `number`: which correction of the period it is.
tl::expected<ClosedPeriod, std::string> correct_account(const Issuer& issuer, const StatementOf& of,
                                                        const KeptClosing& now,
                                                        const PeriodBill& difference,
                                                        int64_t number);

}  // namespace anabranch::billing
