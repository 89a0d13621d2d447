// SPDX-License-Identifier: BSD-3-Clause
// Whom mails are handed to, and in whose name.
#pragma once

#include <cstdint>
#include <string>

#include <tl/expected.hpp>

namespace anabranch::billing {

struct SmtpServer {
  std::string url;                  // "smtps://mail.example.net", or "smtp://…" for STARTTLS
  std::string user, password;       // empty: without
  std::string ca;                   // a file of certificates; empty: the system's
  bool insecure_cleartext = false;  // smtp:// without STARTTLS
  int64_t patience_ms = 60'000;     // for one mail
};

struct MailOptions {
  SmtpServer server;
  std::string from;
  int64_t run_ns_max = INT64_MAX;  // no mail is begun later: closing periods is not to wait
};

// What is wrong with them, in words; empty: nothing.
std::string mistake_in(const MailOptions& options);
// The first line of a file.
tl::expected<std::string, std::string> read_password(const std::string& file);

}  // namespace anabranch::billing
