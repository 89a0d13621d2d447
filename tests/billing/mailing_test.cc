// SPDX-License-Identifier: BSD-3-Clause
// Statements by mail to a server that is good, bad or gone: none is lost, none goes out again when
// it was taken, and what may have arrived twice is told.
#include "billing/mailing.h"

#include <filesystem>

#include "billing/delivery.h"
#include "billing/mail_queue.h"
#include "billing/smtp.h"
#include "tests/billing/closing_fixture.h"
#include "tests/billing/smtp_sink.h"

namespace anabranch::billing {
namespace {

using nlohmann::json;
using Manner = SmtpSink::Manner;
using State = QueuedMail::State;

constexpr int64_t kMinuteNs = kHour / 60;
constexpr uint64_t kOctets = 4'000'000'000;

const json kAddress{{"country", "DE"}, {"city", "Berlin"}, {"postcode", "10115"}};

class Mailings : public ClosingTest {
 protected:
  void SetUp() override {
    ClosingTest::SetUp();
    put("issuers", {{"id", "co"},
                    {"name", "Größe & Co"},
                    {"zone", "Europe/Berlin"},
                    {"payment_terms", "within 14 days"},
                    {"address", kAddress},
                    {"vat_id", "DE123456789"},
                    {"email", "billing@co.example"}});
    put("tariffs", {{"id", "business"},
                    {"currency", "EUR"},
                    {"tax", {{"category", "S"}, {"percent", "19"}}},
                    {"items", {{{"id", "a"}, {"per_gb", "1.00"}}}}});
    put("profiles", {{"id", "mail"}, {"billing", {{"mail", {"pdf", "ubl"}}}}});
    options_.server = {.url = sink_.url(), .insecure_cleartext = true, .patience_ms = 2000};
    options_.from = "billing@co.example";
  }

  void client(const char* id, const json& more) {
    json document{{"id", id},
                  {"name", std::string(id) + " Ltd"},
                  {"tariff", "business"},
                  {"profile", "mail"}};
    document.update(more);
    put("clients", document);
  }
  // A statement of October.
  void state(const char* id,
             const json& more = {{"address", kAddress}, {"email", "accounts@acme.example"}}) {
    client(id, more);
    const uint64_t service = open_service("site-a", id, day(10, 1) + kHour);
    gateway("site-a").used(day(10, 5), service, 1, kOctets);
  }
  void close_october() { close(day(11, 2)); }

  MailReport send() {
    auto report = send_mails(*ledger_, options_, 0, [this] { return now_ns_; });
    EXPECT_TRUE(report) << report.error();
    return report.value_or(MailReport());
  }
  QueuedMail queued(size_t at = 0) { return MailQueue(*ledger_).mails(0).value().at(at); }

  SmtpSink sink_;
  MailOptions options_;
  int64_t now_ns_ = day(11, 2) + kHour;
};

std::string header_of(const std::string& mail, const std::string& name) {
  const size_t at = mail.find("\n" + name + ": ");
  if (at == std::string::npos) return "";
  const size_t from = at + name.size() + 3;
  return mail.substr(from, mail.find('\n', from) - from);
}

TEST_P(Mailings, AreSentOnceWithWhatTheClientWants) {
  state("acme");
  close_october();
  EXPECT_EQ(send().sent, 1u);
  EXPECT_EQ(send().sent, 0u);
  ASSERT_EQ(sink_.mails().size(), 1u);
  const std::string mail = sink_.mails()[0];
  EXPECT_EQ(header_of(mail, "To"), "<accounts@acme.example>");
  EXPECT_TRUE(header_of(mail, "Message-ID").starts_with("<statement.2026-000001.co.")) << mail;
  EXPECT_EQ(header_of(mail, "Subject"),
            "=?UTF-8?B?U3RhdGVtZW50IDIwMjYtMDAwMDAxIG9mIEdyw7bDn2UgJiBDbw==?=");
  EXPECT_NE(mail.find("filename=\"co-2026-000001.pdf\""), std::string::npos);
  EXPECT_NE(mail.find("filename=\"co-2026-000001.xml\""), std::string::npos);
  EXPECT_NE(mail.find("gross, EUR"), std::string::npos) << "the text is its body";
  EXPECT_EQ(queued().state, State::sent);
}

TEST_P(Mailings, AreNotSentToWhoHasNoAddressOrWantsNone) {
  state("acme", {{"address", kAddress}});
  state("beta", {{"address", kAddress}, {"email", "b@example.net"}, {"profile", "plain"}});
  close_october();
  const MailReport report = send();
  ASSERT_EQ(report.problems.size(), 1u);
  EXPECT_NE(report.problems[0].find("client acme has no email"), std::string::npos);
  EXPECT_TRUE(sink_.mails().empty());
  put("clients",
      {{"id", "acme"},
       {"name", "Acme"},
       {"tariff", "business"},
       {"profile", "mail"},
       {"address", kAddress},
       {"email", "late@acme.example"}},
      now_ns_);
  now_ns_ += kHour;
  EXPECT_EQ(send().sent, 1u) << "from when its document has one";
}

TEST_P(Mailings, AreSentLaterToWhoIsNotThere) {
  state("acme");
  close_october();
  for (const Manner manner : {Manner::turns_away, Manner::is_silent, Manner::defers_recipient,
                              Manner::refuses_sender, Manner::cuts_in_content}) {
    SCOPED_TRACE(static_cast<int>(manner));
    sink_.be(manner);
    const MailReport report = send();
    EXPECT_EQ(report.sent, 0u);
    EXPECT_EQ(report.waiting, 1u);
    EXPECT_FALSE(report.problems.empty());
    EXPECT_EQ(queued().state, State::waiting);
    const int tried = sink_.connections();
    now_ns_ = report.next_ns.value() - 1;
    EXPECT_EQ(send().waiting, 1u);
    EXPECT_EQ(sink_.connections(), tried) << "not before its time";
    ++now_ns_;
  }
  EXPECT_TRUE(sink_.mails().empty());
  sink_.be(Manner::takes);
  EXPECT_EQ(send().sent, 1u);
  EXPECT_EQ(sink_.mails().size(), 1u);
}

TEST_P(Mailings, OfOthersWaitForNoServerThatIsDown) {
  for (const char* id : {"acme", "beta", "gamma"}) state(id);
  close_october();
  sink_.be(Manner::turns_away);
  const MailReport report = send();
  EXPECT_EQ(report.queued, 3u);
  EXPECT_EQ(sink_.connections(), 1) << "the others are not brought to it now";
  EXPECT_EQ(report.waiting, 3u);
  sink_.be(Manner::takes);
  EXPECT_EQ(send().sent, 2u);
  now_ns_ = report.next_ns.value() + kHour;
  EXPECT_EQ(send().sent, 1u);
  EXPECT_EQ(sink_.connections(), 3) << "two mails over one connection";
}

TEST_P(Mailings, ThatAreRefusedAreNamedAndNotSentAgain) {
  for (const char* id : {"acme", "beta"}) state(id);
  close_october();
  sink_.be(Manner::refuses_content);
  EXPECT_EQ(send().problems.size(), 2u);
  now_ns_ += 24 * kHour;
  sink_.be(Manner::takes);
  const MailReport again = send();
  EXPECT_EQ(again.sent, 0u);
  ASSERT_EQ(again.problems.size(), 2u) << "still named";
  EXPECT_NE(again.problems[0].find("was refused for accounts@acme.example"), std::string::npos);
  EXPECT_NE(again.problems[0].find("554"), std::string::npos);
  EXPECT_EQ(queued().state, State::refused);
}

TEST_P(Mailings, ToARecipientWhoIsUnknownAreRefused) {
  state("acme");
  close_october();
  sink_.be(Manner::refuses_recipient);
  send();
  EXPECT_EQ(queued().state, State::refused);
  EXPECT_NE(queued().last.find("550"), std::string::npos);
}

TEST_P(Mailings, WithoutAnAnswerGoOutAgainAsTheSameAndThatIsTold) {
  state("acme");
  close_october();
  sink_.be(Manner::cuts_before_answer);
  const MailReport report = send();
  EXPECT_EQ(report.sent, 0u);
  EXPECT_EQ(queued().unanswered, 1u);
  sink_.be(Manner::takes);
  now_ns_ = report.next_ns.value();
  const MailReport again = send();
  EXPECT_EQ(again.sent, 1u);
  ASSERT_EQ(again.problems.size(), 1u);
  EXPECT_NE(again.problems[0].find("goes out again"), std::string::npos);
  ASSERT_EQ(sink_.mails().size(), 2u);
  for (const char* name : {"Message-ID", "Date", "Subject", "To"})
    EXPECT_EQ(header_of(sink_.mails()[0], name), header_of(sink_.mails()[1], name)) << name;
}

TEST_P(Mailings, OfAProcessThatEndedAreTakenUpBehindItsTime) {
  state("acme");
  close_october();
  sink_.be(Manner::turns_away);
  now_ns_ = send().next_ns.value();
  sink_.be(Manner::takes);
  QueuedMail mail = queued();
  mail.state = State::sending;  // as a process leaves it that is killed while it sends
  mail.next_ns = now_ns_ + kMinuteNs;
  ASSERT_TRUE(MailQueue(*ledger_).put(mail, now_ns_).value());
  EXPECT_EQ(send().sent, 0u) << "it is another's";
  now_ns_ += kMinuteNs;
  const MailReport report = send();
  EXPECT_EQ(report.sent, 1u);
  EXPECT_EQ(report.problems.size(), 1u) << "it may have been sent before";
  EXPECT_EQ(queued().unanswered, 1u);
}

TEST_P(Mailings, AreTakenByOneOfSeveral) {
  state("acme");
  close_october();
  sink_.be(Manner::turns_away);
  send();
  QueuedMail one = queued(), other = queued();
  one.state = other.state = State::sending;
  MailQueue first(*ledger_), second(*ledger_);
  EXPECT_TRUE(first.put(one, now_ns_).value());
  EXPECT_FALSE(second.put(other, now_ns_).value());
  EXPECT_FALSE(second.put(other, now_ns_).value());
}

TEST_P(Mailings, AreGivenUpAfterDays) {
  state("acme");
  close_october();
  sink_.be(Manner::turns_away);
  int attempts = 0;
  MailReport report = send();
  for (; report.next_ns && attempts < 100; ++attempts) {
    now_ns_ = *report.next_ns;
    report = send();
  }
  EXPECT_GT(attempts, 20);
  EXPECT_LT(attempts, 40);
  EXPECT_EQ(queued().state, State::given_up);
  EXPECT_NE(report.problems.back().find("was given up"), std::string::npos);
}

TEST(MailPause, GrowsAndIsSpread) {
  for (uint32_t attempts = 1; attempts < 30; ++attempts) {
    const int64_t least = std::min<int64_t>(kMinuteNs << std::min(attempts - 1, 12u), 6 * kHour);
    EXPECT_GE(mail_pause_ns("a", attempts), least);
    EXPECT_LE(mail_pause_ns("a", attempts), least + least / 4);
  }
  EXPECT_NE(mail_pause_ns("a", 3), mail_pause_ns("b", 3));
}

// --- What an invoice needs ---

TEST_P(Mailings, AStatementThatIsToBeAnInvoiceWaitsForWhatItLacks) {
  state("acme", {{"email", "accounts@acme.example"}});
  const auto report = closer().run(day(11, 2)).value();
  EXPECT_TRUE(statements("client:acme").empty());
  EXPECT_NE(report.problems.at("client:acme")
                .find("needs the address of the client; add it to the "
                      "document of acme"),
            std::string::npos);
  put("clients",
      {{"id", "acme"},
       {"name", "Acme"},
       {"tariff", "business"},
       {"profile", "mail"},
       {"address", kAddress}},
      day(11, 3));
  close(day(11, 4));
  ASSERT_EQ(statements("client:acme").size(), 1u) << "the month is over, and it can still be said";
  EXPECT_EQ(statements("client:acme")[0].at("customer").at("address"), kAddress);
  EXPECT_EQ(statements("client:acme")[0].at("issuer").at("vat_id"), "DE123456789");
}

TEST_P(Mailings, StatementsAreFilesOfPdfAndUbl) {
  put("profiles", {{"id", "mail"}, {"billing", {{"delivery", {"pdf", "ubl"}}}}});
  state("acme");
  close_october();
  const std::string to = folder_ + "/statements";
  EXPECT_EQ(deliver(*ledger_, to, 0).value(), 2u);
  for (const char* file : {"pdf", "xml"})
    EXPECT_TRUE(std::filesystem::exists(to + "/acme/co-2026-000001." + file)) << file;
}

TEST(HeaderWords, AreOfAsciiWhateverTheyAreOf) {
  EXPECT_EQ(header_words("Statement 1"), "Statement 1");
  EXPECT_EQ(header_words("ä"), "=?UTF-8?B?w6Q=?=");
  EXPECT_EQ(header_words("a\r\nBcc: x"), "a  Bcc: x");
  const std::string words = header_words(std::string(90, 'a') + "ä");
  EXPECT_EQ(std::count(words.begin(), words.end(), '\n'), 2);
}

INSTANTIATE_TEST_SUITE_P(Stores, Mailings,
                         testing::Values(Store::Dialect::sqlite, Store::Dialect::postgresql));

}  // namespace
}  // namespace anabranch::billing
