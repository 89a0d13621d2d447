// SPDX-License-Identifier: BSD-3-Clause
// Billing without a gateway: closes the periods of several gateways that share a ledger, from their
// journals, and delivers the statements.
//
//   [billing]
//   ledger = "postgresql://…"             # or an SQLite ledger's file
//   journals = ["/srv/site-a/journal", "/srv/site-b/journal"]
//   documents = "/etc/anabranch/documents"                # optional: clients/, tariffs/ and so on
//   statements_dir = "/var/lib/anabranch/statements"
//
//   [billing.mail]                                        # optional
//   server = "smtps://mail.example.net"                   # or smtp://, for STARTTLS
//   from = "billing@example.net"
//   user = "billing"
//   password_file = "mail.password"
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

#include "billing/ledger_closing.h"
#include "billing/mail_options.h"

namespace anabranch::control {

struct BillingOnlyConfig {
  std::string ledger, documents_dir, statements_dir;
  std::vector<std::string> journals;
  std::optional<billing::MailOptions> mail;  // none: statements are not mailed
};
// The error: every mistake, with file, line and column.
tl::expected<BillingOnlyConfig, std::string> parse_billing_only(std::string_view text,
                                                                const std::string& file);

// Until SIGINT or SIGTERM. `documents` are in force from now on.
tl::expected<void, std::string> run_billing_only(const BillingOnlyConfig& config,
                                                 std::vector<billing::DocumentDraft> documents);

}  // namespace anabranch::control
