// SPDX-License-Identifier: BSD-3-Clause
#include "billing/mailing.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <map>

#include "billing/billing_documents.h"
#include "billing/delivery.h"
#include "billing/mail_queue.h"
#include "billing/sha256.h"
#include "billing/smtp.h"
#include "billing/statement_format.h"

namespace anabranch::billing {
namespace {

using nlohmann::json;
using State = QueuedMail::State;

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kFirstPauseNs = 60 * kSecond, kPauseNsMax = 6 * 3600 * kSecond;
constexpr int64_t kGiveUpNs = 5 * 86'400 * kSecond;  // RFC 5321, 4.5.4.1: four to five days
constexpr int64_t kLeaseExtraNs = 120 * kSecond;     // to note down how a mail went

std::string mail_id(const StoredStatement& s) {
  return s.issuer + "/" + s.name();
}

// Of letters and digits, whatever an issuer is called; the digest tells apart who look alike then.
std::string message_id(const StoredStatement& s, const std::string& from) {
  return fmt::format("statement.{}.{}.{}@{}", plain_name(s.name()), plain_name(s.issuer),
                     sha256(mail_id(s)).substr(0, 16), from.substr(from.find('@') + 1));
}

class Mailing {
 public:
  Mailing(Ledger& ledger, const MailOptions& options, const std::function<int64_t()>& now)
      : ledger_(ledger), options_(options), now_(now), queue_(ledger), smtp_(options.server) {}

  tl::expected<MailReport, std::string> run(int64_t since_ns) {
    const int64_t end_ns =
        options_.run_ns_max == INT64_MAX ? INT64_MAX : now_() + options_.run_ns_max;
    const auto statements = ledger_.statements_since(since_ns);
    if (!statements) return tl::unexpected(statements.error().text);
    const auto known = queue_.mails(since_ns);
    if (!known) return tl::unexpected(known.error().text);
    for (const QueuedMail& m : *known) mails_[m.id] = m;
    if (auto queued = queue_up(*statements); !queued) return tl::unexpected(queued.error());
    for (const StoredStatement& s : *statements) {
      const auto found = mails_.find(mail_id(s));
      if (found == mails_.end()) continue;
      const bool due = found->second.open() && found->second.next_ns <= now_();
      if (due && !server_is_down_ && now_() < end_ns) {
        if (auto sent = send(s, found->second); !sent) return tl::unexpected(sent.error());
      }
      note(found->second);
    }
    return std::move(report_);
  }

 private:
  using Status = tl::expected<void, std::string>;

  Status queue_up(const std::vector<StoredStatement>& statements) {
    const auto documents = BillingDocuments::read(ledger_);
    if (!documents) return tl::unexpected(documents.error());
    for (const StoredStatement& s : statements) {
      const std::string client = Ledger::client_of(s.account);
      if (client.empty() || mails_.contains(mail_id(s))) continue;
      const auto terms = documents->client(client, s.to_ns - 1);
      if (!terms || terms->preferences.mail.empty()) continue;
      const std::string to = documents->client_party(client, now_()).email;
      if (to.empty()) {
        problem(s, "is to be mailed, but client " + client + " has no email");
        continue;
      }
      QueuedMail mail{.id = mail_id(s),
                      .to = to,
                      .attached = terms->preferences.mail,
                      .queued_ns = now_(),
                      .next_ns = now_()};
      const auto put = queue_.put(mail, now_());
      if (!put) return tl::unexpected(put.error().text);
      if (!*put) continue;  // another process has it
      ++report_.queued;
      mails_[mail.id] = mail;
    }
    return {};
  }

  tl::expected<Mail, std::string> mail_of(const StoredStatement& s,
                                          const QueuedMail& queued) const {
    const json document = json::parse(s.document, nullptr, false);
    const auto text = render(document, Format::text);
    if (!text) return tl::unexpected(text.error());
    Mail mail{.from = options_.from,
              .to = queued.to,
              .subject = "Statement " + s.name() + " of " +
                         document.at("issuer").at("name").get<std::string>(),
              .text = *text,
              .message_id = message_id(s, options_.from),
              .date_s = queued.queued_ns / kSecond};
    for (const Format format : queued.attached) {
      auto content = render(document, format);
      if (!content) return tl::unexpected(content.error());
      mail.attached.push_back({plain_name(s.issuer) + "-" + s.name() + extension(format),
                               media_type(format), std::move(*content)});
    }
    return mail;
  }

  // Taken before it is sent, noted down behind it: what ends in between is taken up again, and
  // known to be in doubt.
  Status send(const StoredStatement& s, QueuedMail& queued) {
    const auto mail = mail_of(s, queued);
    if (!mail) {
      problem(s, "cannot be mailed: " + mail.error());
      ++queued.attempts;
      return later(queued, mail.error());
    }
    if (queued.state == State::sending) ++queued.unanswered;
    queued.state = State::sending;
    ++queued.attempts;
    queued.next_ns = now_() + options_.server.patience_ms * 1'000'000 + kLeaseExtraNs;
    const auto taken = queue_.put(queued, now_());
    if (!taken) return tl::unexpected(taken.error().text);
    if (!*taken) return {};  // another process sends it
    if (queued.unanswered > 0)
      problem(s, fmt::format("was mailed before without an answer; it goes out again as <{}>",
                             mail->message_id));
    return noted(s, queued, smtp_.send(*mail));
  }

  Status noted(const StoredStatement& s, QueuedMail& queued, const MailAnswer& answer) {
    server_is_down_ = !answer.of_mail;
    queued.last = answer.text;
    switch (answer.outcome) {
      case MailOutcome::sent:
        ++report_.sent;
        queued.state = State::sent;
        break;
      case MailOutcome::refused:
        queued.state = State::refused;
        break;
      case MailOutcome::unknown:
        ++queued.unanswered;
        [[fallthrough]];
      case MailOutcome::postponed:
        problem(s, "is not mailed to " + queued.to + " yet: " + answer.text);
        return later(queued, answer.text);
    }
    return stored(queued);
  }

  Status later(QueuedMail& queued, const std::string& why) {
    const bool long_ago = now_() - queued.queued_ns > kGiveUpNs;
    queued.state = long_ago ? State::given_up : State::waiting;
    queued.next_ns = now_() + mail_pause_ns(queued.id, queued.attempts);
    queued.last = why;
    return stored(queued);
  }

  Status stored(QueuedMail& queued) {
    const auto put = queue_.put(queued, now_());
    if (!put) return tl::unexpected(put.error().text);
    return {};
  }

  void problem(const StoredStatement& s, const std::string& what) {
    report_.problems.push_back("statement " + s.name() + " of " + s.issuer + " " + what);
  }

  void note(const QueuedMail& m) {
    if (m.state == State::refused || m.state == State::given_up)
      report_.problems.push_back("statement " + m.id + " was " +
                                 (m.state == State::refused ? "refused" : "given up, not taken") +
                                 " for " + m.to + ": " + m.last);
    if (!m.open()) return;
    ++report_.waiting;
    report_.next_ns = std::min(report_.next_ns.value_or(INT64_MAX), m.next_ns);
  }

  Ledger& ledger_;
  const MailOptions& options_;
  const std::function<int64_t()>& now_;
  MailQueue queue_;
  Smtp smtp_;
  std::map<std::string, QueuedMail> mails_;
  bool server_is_down_ = false;
  MailReport report_;
};

}  // namespace

int64_t mail_pause_ns(const std::string& id, uint32_t attempts) {
  int64_t pause = kFirstPauseNs;
  for (uint32_t i = 1; i < attempts && pause < kPauseNsMax; ++i) pause *= 2;
  pause = std::min(pause, kPauseNsMax);
  // So that what failed at once is not tried again at once: up to a quarter more.
  const std::string digest = sha256(id + " " + std::to_string(attempts));
  const auto part = static_cast<int64_t>(std::stoul(digest.substr(0, 4), nullptr, 16));
  return pause + pause / 4 * part / 65'536;
}

std::string mistake_in(const MailOptions& options) {
  const std::string& url = options.server.url;
  if (!url.starts_with("smtps://") && !url.starts_with("smtp://"))
    return "\"" + url +
           "\" is no mail server; expected \"smtps://mail.example.net\", or smtp:// for STARTTLS";
  if (options.server.insecure_cleartext && url.starts_with("smtps://"))
    return "a server of smtps:// is not asked in clear text";
  if (!is_email(options.from))
    return "\"" + options.from +
           "\" is no sender; expected an address such as \"billing@example.net\"";
  return {};
}

tl::expected<std::string, std::string> read_password(const std::string& file) {
  std::ifstream in(file);
  std::string line;
  if (!std::getline(in, line) || line.empty())
    return tl::unexpected(file + ": no password can be read");
  return line;
}

tl::expected<MailReport, std::string> send_mails(Ledger& ledger, const MailOptions& options,
                                                 int64_t since_ns,
                                                 const std::function<int64_t()>& now) {
  if (const std::string mistake = mistake_in(options); !mistake.empty())
    return tl::unexpected(mistake);
  return Mailing(ledger, options, now).run(since_ns);
}

}  // namespace anabranch::billing
