// SPDX-License-Identifier: BSD-3-Clause
#include "control/mail_table.h"

#include <filesystem>

namespace anabranch::control {
namespace {

// A closing that is due meanwhile waits no longer.
constexpr int64_t kRunNsMax = 300LL * 1'000'000'000;

std::string file_beside(const std::string& config, const std::string& name) {
  if (name.empty()) return name;
  return (std::filesystem::path(config).parent_path() / name).string();
}

}  // namespace

std::optional<billing::MailOptions> read_mail(TableReader& billing, const std::string& file) {
  if (!billing.has("mail")) return std::nullopt;
  TableReader t = billing.table("mail");
  billing::MailOptions mail{.run_ns_max = kRunNsMax};
  mail.server.url = t.text("server", "\"smtps://mail.example.net\", or smtp:// for STARTTLS");
  mail.from = t.text("from", "an address such as \"billing@example.net\"");
  mail.server.user = t.text("user", "a name at the server", false);
  mail.server.ca = file_beside(file, t.text("ca", "a file of CA certificates (PEM)", false));
  mail.server.insecure_cleartext = t.boolean("insecure_cleartext", t.has("insecure_cleartext"));
  const std::string password = t.text("password_file", "a file with the password", false);
  if (!password.empty()) {
    auto read = billing::read_password(file_beside(file, password));
    if (!read) t.wrong("password_file", read.error(), "a file with the password");
    mail.server.password = read.value_or("");
  }
  const std::string mistake = billing::mistake_in(mail);
  if (!mail.server.url.empty() && !mail.from.empty() && !mistake.empty())
    t.fail(billing.place("mail"), mistake);
  t.finish();
  return mail;
}

}  // namespace anabranch::control
