// SPDX-License-Identifier: BSD-3-Clause
#include "billing/mail_queue.h"

#include <openssl/rand.h>

#include <array>
#include <cstdlib>

#include "billing/sha256.h"
#include "billing/statement_format.h"

namespace anabranch::billing {
namespace {

using nlohmann::json;

constexpr const char* kMails = "mails";
constexpr std::array<std::string_view, 5> kMailStates{"waiting", "sending", "sent", "refused",
                                                      "given up"};

std::string random_name() {
  std::array<uint8_t, 16> octets{};
  if (RAND_bytes(octets.data(), octets.size()) != 1) std::abort();
  return hexadecimal(octets);
}

std::string text_of_mail(const QueuedMail& m, const std::string& who) {
  json attached = json::array();
  for (const Format f : m.attached) attached.push_back(kFormatNames[static_cast<size_t>(f)]);
  return json{{"to", m.to},
              {"attached", attached},
              {"state", kMailStates[static_cast<size_t>(m.state)]},
              {"queued_ns", m.queued_ns},
              {"next_ns", m.next_ns},
              {"attempts", m.attempts},
              {"unanswered", m.unanswered},
              {"last", m.last},
              {"who", who}}
      .dump(-1, ' ', false, json::error_handler_t::replace);
}

QueuedMail mail_of(const std::string& id, int64_t version, const std::string& text) {
  const json d = json::parse(text);
  QueuedMail m{.id = id,
               .to = d.at("to"),
               .queued_ns = d.at("queued_ns"),
               .next_ns = d.at("next_ns"),
               .attempts = d.at("attempts"),
               .unanswered = d.at("unanswered"),
               .last = d.at("last"),
               .version = version};
  const auto state =
      std::find(kMailStates.begin(), kMailStates.end(), d.at("state").get<std::string>());
  m.state = static_cast<QueuedMail::State>(state - kMailStates.begin());
  for (const json& name : d.at("attached")) {
    if (const auto format = format_of(name.get<std::string>())) m.attached.push_back(*format);
  }
  return m;
}

}  // namespace

MailQueue::MailQueue(Ledger& ledger) : ledger_(ledger), who_(random_name()) {}

Stored<std::vector<QueuedMail>> MailQueue::mails(int64_t since_ns) const {
  const auto rows = ledger_.store().read(
      "SELECT id, number, text FROM documents WHERE kind = $1 AND valid_from_ns >= $2 ORDER BY id, "
      "number",
      kMails, since_ns);
  if (!rows) return tl::unexpected(rows.error());
  std::vector<QueuedMail> all;
  for (const Row& r : *rows) {
    if (!all.empty() && all.back().id == r.text(0)) all.pop_back();
    all.push_back(mail_of(r.text(0), r.integer(1), r.text(2)));
  }
  return all;
}

Stored<bool> MailQueue::put(QueuedMail& mail, int64_t now_ns) {
  const std::string text = text_of_mail(mail, who_);
  bool ours = false;
  Store& store = ledger_.store();
  const auto done = store.transact(Store::Mode::write, [&]() -> Stored<void> {
    const auto rows = store.query(
        "SELECT number, text FROM documents WHERE kind = $1 AND id = $2 ORDER BY number DESC LIMIT "
        "1",
        kMails, mail.id);
    if (!rows) return tl::unexpected(rows.error());
    const int64_t newest = rows->empty() ? 0 : rows->front().integer(0);
    // It is there when the answer to the commit was lost.
    ours = newest == mail.version + 1 && rows->front().text(1) == text;
    if (ours || newest != mail.version) return {};
    ours = true;
    return store.run("INSERT INTO documents VALUES($1, $2, $3, $4, $5)", kMails, mail.id,
                     mail.version + 1, now_ns, text);
  });
  if (!done) return tl::unexpected(done.error());
  if (ours) ++mail.version;
  return ours;
}

}  // namespace anabranch::billing
