// SPDX-License-Identifier: BSD-3-Clause
// Statements by mail, to clients whose preferences say so: what is issued is queued, and what is
// queued is sent, tried again for days where a server does not take it, and named where one never
// will. A mail of a statement has the same Message-ID and date however often it is sent, and when
// it may have been received twice, that is said.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "billing/ledger.h"
#include "billing/mail_options.h"

namespace anabranch::billing {

struct MailReport {
  size_t queued = 0, sent = 0, waiting = 0;
  std::vector<std::string> problems;  // one a sentence
  std::optional<int64_t> next_ns;     // when something is to be tried again
};

// Of statements issued since then, to which each mail's last change must not be older. The error:
// the ledger cannot be read or written. For tests, `now` may be another clock.
tl::expected<MailReport, std::string> send_mails(Ledger& ledger, const MailOptions& options,
                                                 int64_t since_ns,
                                                 const std::function<int64_t()>& now);

// When to try again after so many attempts; the same for the same mail.
int64_t mail_pause_ns(const std::string& id, uint32_t attempts);

}  // namespace anabranch::billing
