// SPDX-License-Identifier: BSD-3-Clause
// Mails to a server that passes them on, by SMTP (RFC 5321) over TLS that is verified. One thread;
// several may each have their own.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "billing/mail_options.h"

namespace anabranch::billing {

struct Mail {
  struct Part {
    std::string name, type, content;  // "2026-000123.pdf", "application/pdf"
  };
  std::string from, to;  // addresses, as is_email() says
  std::string subject, text;
  std::string message_id;  // "name@host"
  int64_t date_s = 0;      // since 1970
  std::vector<Part> attached;
};

enum class MailOutcome : uint8_t {
  sent,       // the server has it
  refused,    // it will not take it, now or later
  postponed,  // it did not take it, and may later
  unknown,    // the connection ended before the server's answer: it may have it
};
struct MailAnswer {
  MailOutcome outcome = MailOutcome::postponed;
  std::string text;      // of the server, or what went wrong
  bool of_mail = false;  // and not of the server, to which no other mail needs to be brought now
};

class Smtp {
 public:
  explicit Smtp(SmtpServer server);
  ~Smtp();
  // Over the connection of the mail before, where that is open.
  MailAnswer send(const Mail& mail);

 private:
  struct Connection;
  SmtpServer server_;
  std::unique_ptr<Connection> connection_;
};

// RFC 2047, where a text is not of ASCII.
std::string header_words(const std::string& text);

}  // namespace anabranch::billing
