// SPDX-License-Identifier: BSD-3-Clause
// anabranch bill usage|close|statement|deliver|rerate|settle|export: what a ledger and journals
// come to.
#include <chrono>
#include <memory>

#include "billing/closing.h"
#include "billing/delivery.h"
#include "billing/mailing.h"
#include "billing/reconcile.h"
#include "billing/statement_format.h"
#include "billing/wall_clock.h"
#include "tools/common.h"

namespace anabranch::tools {
namespace {

using namespace billing;
using nlohmann::json;

struct BillWanted {
  std::string ledger, client, account, period, from, to, tariff, number, issuer, format = "text";
  std::string provider, claim, reference, folder, password_file;
  MailOptions mail;
  unsigned days = 40;
  std::vector<std::string> journals, without;
  double tolerance_percent = 1;
  size_t threads = 0;
};

Ledger open_ledger(const BillWanted& wanted) {
  auto ledger = Ledger::open_existing(wanted.ledger);
  if (!ledger) fail(kUnreadable, ledger.error());
  return std::move(*ledger);
}

// "acme" is a client; "house:site-a" and "payable:airmobile" are what they are.
std::string account_of(const BillWanted& wanted) {
  const std::string& name = wanted.client;
  if (name.empty() || name.find(':') != std::string::npos) return name;
  return Ledger::client_account(name);
}

Closer closer_of(Ledger& ledger, const BillWanted& wanted) {
  return {ledger,
          {.journals = wanted.journals,
           .without = {wanted.without.begin(), wanted.without.end()},
           .threads = wanted.threads}};
}

Format format_of(const BillWanted& wanted, bool as_json) {
  return as_json ? Format::json : billing::format_of(wanted.format).value();
}

void print_statement(const json& statement, Format format) {
  const std::string made = valid(render(statement, format));
  if (std::fwrite(made.data(), 1, made.size(), stdout) != made.size() || std::fflush(stdout) != 0)
    fail(kUnreadable, "the statement cannot be written");
}

// --- close ---

// The fields of a statement that are no lists of others: there may be thousands of statements.
json head_of(const StoredStatement& statement) {
  return json::parse(
      statement.document,
      [](int depth, json::parse_event_t event, json&) {
        return depth == 0 || (event != json::parse_event_t::array_start &&
                              event != json::parse_event_t::object_start);
      },
      false);
}

json to_json(const ClosedAccount& c) {
  json statements = json::array();
  for (const StoredStatement& s : c.statements) {
    const json document = head_of(s);
    statements.push_back({{"issuer", s.issuer},
                          {"number", s.name()},
                          {"gross", document.value("gross", "")},
                          {"currency", document.value("currency", "")}});
  }
  return {{"account", c.account},
          {"from", c.zone.text(c.period.from_ns)},
          {"to", c.zone.text(c.period.to_ns)},
          {"octets", c.octets},
          {"statements", statements}};
}

void print(const ClosedAccount& c) {
  const json closed = to_json(c);
  fmt::print("{:<28} {} up to {}  {:>20} octets\n", c.account,
             to_text(c.zone.day_of(c.period.from_ns)), to_text(c.zone.day_of(c.period.to_ns)),
             grouped(c.octets));
  for (const json& s : closed["statements"]) {
    fmt::print("    statement {} of {}: {} {}\n", s["number"].get<std::string>(),
               s["issuer"].get<std::string>(), s["gross"].get<std::string>(),
               s["currency"].get<std::string>());
  }
}

int close(const BillWanted& wanted, bool as_json) {
  Ledger ledger = open_ledger(wanted);
  const auto report = valid(closer_of(ledger, wanted).run(wall_now_ns(), account_of(wanted)));
  size_t files = 0;
  if (!wanted.folder.empty()) files = valid(deliver(ledger, wanted.folder, 0));
  if (as_json) {
    json closed = json::array();
    for (const ClosedAccount& c : report.closed) closed.push_back(to_json(c));
    print_json(
        {{"closed", closed},
         {"problems", report.problems},
         {"records", report.records},
         {"reading_ms", report.reading_ns / 1'000'000},
         {"files", files},
         {"next_due", report.next_due_ns ? json(Zone::utc().text(*report.next_due_ns)) : json()}});
  } else {
    for (const ClosedAccount& c : report.closed) print(c);
    if (report.closed.empty() && report.problems.empty()) {
      fmt::print(
          "nothing is due{}\n",
          report.next_due_ns ? "; the next is at " + Zone::utc().text(*report.next_due_ns) : "");
    }
  }
  for (const auto& [account, problem] : report.problems)
    fmt::print(stderr, "anabranch: {}: {}\n", account.empty() ? "journal" : account, problem);
  return report.problems.empty() ? 0 : kRefused;
}

// --- what is open ---

std::vector<json> preview_of(const BillWanted& wanted) {
  Ledger ledger = open_ledger(wanted);
  return valid(closer_of(ledger, wanted).preview(account_of(wanted), wall_now_ns()));
}

int usage(const BillWanted& wanted, bool as_json) {
  json all = json::array();
  for (const json& statement : preview_of(wanted)) {
    for (const json& line : statement.at("usage")) all.push_back(line);
  }
  if (as_json) {
    print_json(all);
    return 0;
  }
  fmt::print("{:<12} {:<16} {:<16} {:<9} {:<10} {:>22} {:>16}\n", "gateway", "provider", "path",
             "direction", "kind", "octets", "packets");
  uint64_t octets = 0;
  for (const json& l : all) {
    octets += l["octets"].get<uint64_t>();
    fmt::print("{:<12} {:<16} {:<16} {:<9} {:<10} {:>22} {:>16}\n", l["gateway"].get<std::string>(),
               l["provider"].get<std::string>(), l["path"].get<std::string>(),
               l["direction"].get<std::string>(), l["kind"].get<std::string>(),
               grouped(l["octets"]), grouped(l["packets"]));
  }
  fmt::print("{:<67} {:>22}\n", "all", grouped(octets));
  return 0;
}

// --- statements ---

// Nobody is told of a misspelt client that there is nothing to pay.
void check_account(const Ledger& ledger, const BillWanted& wanted) {
  const auto documents = valid(BillingDocuments::read(ledger));
  if (valid(ClosingAccounts::read(ledger, documents)).find(account_of(wanted)) == nullptr)
    fail(kRefused, unknown_account(account_of(wanted)));
}

std::vector<StoredStatement> statements_of(const Ledger& ledger, const BillWanted& wanted) {
  auto all = wanted.client.empty() ? valid(ledger.statements_since(INT64_MIN))
                                   : valid(ledger.statements(account_of(wanted)));
  std::erase_if(all, [&](const StoredStatement& s) {
    return (!wanted.number.empty() && s.name() != wanted.number) ||
           (!wanted.issuer.empty() && s.issuer != wanted.issuer);
  });
  if (all.empty() && !wanted.client.empty()) check_account(ledger, wanted);
  return all;
}

std::string of_whom(const BillWanted& wanted) {
  return (wanted.issuer.empty() ? "" : " of issuer " + wanted.issuer) +
         (wanted.client.empty() ? "" : " to " + account_of(wanted));
}

int statement(const BillWanted& wanted, bool as_json) {
  const Ledger ledger = open_ledger(wanted);
  const auto all = statements_of(ledger, wanted);
  if (all.empty() && !wanted.number.empty())
    fail(kRefused, "the ledger has no statement " + wanted.number + of_whom(wanted));
  if (all.empty() && !as_json) fmt::print("no statement{} is issued yet\n", of_whom(wanted));
  if (!wanted.number.empty() && all.size() > 1) {
    std::string issuers;
    for (const StoredStatement& s : all) issuers += " " + s.issuer;
    fail(kRefused, "statements of this number are there of" + issuers + "; say which by --issuer");
  }
  if (!wanted.number.empty()) {
    print_statement(json::parse(all.front().document), format_of(wanted, as_json));
    return 0;
  }
  json listed = json::array();
  for (const StoredStatement& s : all) {
    const json d = head_of(s);
    listed.push_back({{"issuer", s.issuer},
                      {"number", s.name()},
                      {"account", s.account},
                      {"kind", d.value("kind", "")},
                      {"from", d.value("from", "")},
                      {"to", d.value("to", "")},
                      {"gross", d.value("gross", "")},
                      {"currency", d.value("currency", "")}});
    if (as_json) continue;
    fmt::print("{:<16} {:<18} {:<10} {:<24} {:.10} to {:.10} {:>16} {}\n", s.issuer, s.name(),
               d.value("kind", ""), s.account, d.value("from", ""), d.value("to", ""),
               d.value("gross", ""), d.value("currency", ""));
  }
  if (as_json) print_json(listed);
  return 0;
}

// To the folder and by mail, as each client's preferences say; again where it failed before.
int deliver_statements(const BillWanted& wanted, bool as_json) {
  constexpr int64_t kDayNs = 86'400'000'000'000;
  MailOptions mail = wanted.mail;
  if (wanted.folder.empty() && mail.server.url.empty())
    throw CLI::ValidationError("--to", "expected --to, --mail-server or both");
  if (!wanted.password_file.empty())
    mail.server.password = valid(read_password(wanted.password_file));
  const std::string mistake = mail.server.url.empty() ? "" : mistake_in(mail);
  if (!mistake.empty()) throw CLI::ValidationError("--mail-server", mistake);
  Ledger ledger = open_ledger(wanted);
  const int64_t since_ns = wall_now_ns() - wanted.days * kDayNs;
  size_t files = 0;
  MailReport report;
  if (!wanted.folder.empty()) files = valid(deliver(ledger, wanted.folder, since_ns));
  if (!mail.server.url.empty()) report = valid(send_mails(ledger, mail, since_ns, wall_now_ns));
  if (as_json)
    print_json({{"files", files},
                {"queued", report.queued},
                {"sent", report.sent},
                {"waiting", report.waiting},
                {"problems", report.problems}});
  else
    fmt::print("{} files made, {} mails sent, {} waiting\n", files, report.sent, report.waiting);
  for (const std::string& problem : report.problems) fmt::print(stderr, "anabranch: {}\n", problem);
  return report.problems.empty() ? 0 : kRefused;
}

int export_all(const BillWanted& wanted, bool) {
  const Ledger ledger = open_ledger(wanted);
  for (const StoredStatement& s : statements_of(ledger, wanted)) fmt::print("{}\n", s.document);
  if (std::fflush(stdout) != 0) fail(kUnreadable, "the export cannot be written");
  return 0;
}

int rerate(const BillWanted& wanted, bool as_json) {
  const CivilDay day = day_of_option("--period", wanted.period);
  Ledger ledger = open_ledger(wanted);
  const auto documents = valid(BillingDocuments::read(ledger));
  const Tariff tariff = read_document(wanted.tariff, parse_tariff);
  const int64_t within = documents.issuer().zone.begin_ns(day);
  const auto issued =
      valid(closer_of(ledger, wanted).rerate(account_of(wanted), within, tariff, wall_now_ns()));
  json adjustments = json::array();
  for (const StoredStatement& s : issued) adjustments.push_back(json::parse(s.document));
  if (as_json) {
    print_json(adjustments);
    return 0;
  }
  if (issued.empty()) fmt::print("it comes to the same; nothing is posted\n");
  for (const json& a : adjustments) print_statement(a, format_of(wanted, as_json));
  return 0;
}

// --- providers ---

// {"reference": "R-17", "lines": [{"gateway": "site-a", "path": "mobile", "from": "2026-10-01",
//  "to": "2026-11-01", "octets": 123, "currency": "EUR", "amount": "0.12"}]}
std::vector<ProviderClaim> parse_claim(const std::string& file, const Zone& zone,
                                       std::string& reference) {
  const json document = read_json(file);
  DocumentErrors errors;
  DocumentReader r(document, "", "a provider's bill", {"reference", "lines"}, errors);
  reference = r.text("reference", "the number of the provider's bill");
  std::vector<ProviderClaim> claims;
  const auto lines = r.list("lines", SIZE_MAX, "lines");
  for (size_t i = 0; i < lines.size(); ++i) {
    DocumentReader line(lines[i], r.at("lines") + "/" + std::to_string(i), "a line of it",
                        {"gateway", "path", "from", "to", "octets", "currency", "amount"}, errors);
    const auto at = [&](const char* name) -> int64_t {
      const std::string text = line.text(name, "a day such as \"2026-10-01\"");
      const auto day = parse_day(text);
      if (!day && !text.empty()) line.wrong(name, day.error());
      return day ? zone.begin_ns(*day) : 0;
    };
    claims.push_back(
        {.gateway = line.text("gateway", "the gateway's name"),
         .path = line.text("path", "the path's name"),
         .from_ns = at("from"),
         .to_ns = at("to"),
         .octets = line.whole("octets", 0, INT64_MAX).value_or(0),
         .currency = line.text("currency", "an ISO 4217 code such as \"EUR\""),
         .amount = line.decimal("amount", 18, "an amount such as \"12.50\"").value_or(Amount())});
  }
  std::string mistakes;
  for (const DocumentError& e : errors)
    mistakes += (mistakes.empty() ? "" : "\n") + file + ": " + e.pointer + ": " + e.detail;
  if (!mistakes.empty()) fail(kRefused, mistakes);
  return claims;
}

int settle(const BillWanted& wanted, bool as_json) {
  Ledger ledger = open_ledger(wanted);
  const auto documents = valid(BillingDocuments::read(ledger));
  const Zone zone = valid(documents.provider(wanted.provider, wall_now_ns())).cycle.zone;
  if (!wanted.claim.empty()) {
    std::string reference;
    const auto claims = parse_claim(wanted.claim, zone, reference);
    const auto stored = ledger.put_claims(wanted.provider, reference, claims, wall_now_ns());
    if (!stored) fail(kRefused, stored.error().text);
  }
  const auto report =
      valid(ledger.settle(wanted.provider, zone.begin_ns(day_of_option("--from", wanted.from)),
                          zone.begin_ns(day_of_option("--to", wanted.to)), {}));
  if (as_json)
    print_json(billing::to_json(report));
  else
    fmt::print("{}", billing::to_text(report));
  return report.agreed() ? 0 : kRefused;
}

// --- the command line ---

// --- two gateways ---

int reconcile(const BillWanted& wanted, bool as_json) {
  if (wanted.journals.size() != 2)
    throw CLI::ValidationError("folder", "expected the journals of two gateways");
  WallRange time;
  const Zone utc = Zone::utc();
  if (!wanted.from.empty()) time.from_ns = utc.begin_ns(day_of_option("--from", wanted.from));
  if (!wanted.to.empty()) time.to_ns = utc.begin_ns(day_of_option("--to", wanted.to));
  const auto paths = valid(billing::reconcile(wanted.journals[0], wanted.journals[1], time));
  json all = json::array();
  bool wrong = false;
  if (!as_json)
    fmt::print("{:<16} {:<16} {:<22} {:>20} {:>20} {:>16} {:>9}\n", "path", "provider", "way",
               "octets sent", "octets received", "lost", "%");
  for (const ReconciledPath& p : paths) {
    const bool beyond = std::abs(p.lost_ppm()) > wanted.tolerance_percent * 10'000;
    wrong |= beyond;
    all.push_back(to_json(p));
    all.back()["beyond_tolerance"] = beyond;
    if (as_json) continue;
    fmt::print("{:<16} {:<16} {:<22} {:>20} {:>20} {:>16} {:>9.4f}{}\n", p.path, p.provider,
               p.from + " to " + p.to, grouped(p.sent.octets), grouped(p.received.octets),
               p.lost_octets(), static_cast<double>(p.lost_ppm()) / 10'000,
               beyond ? "  beyond tolerance" : "");
  }
  if (as_json) print_json(all);
  return wrong ? kRefused : 0;
}

struct Command {
  const char* name;
  const char* what;
  int (*run)(const BillWanted&, bool);
};

CLI::App* add(CLI::App& bill, const Command& command, const std::shared_ptr<BillWanted>& wanted,
              const bool& as_json) {
  auto* sub = bill.add_subcommand(command.name, command.what);
  sub->add_option("--ledger", wanted->ledger, "STATE_DIR/ledger.sqlite, or billing.ledger")
      ->required();
  sub->callback([wanted, &as_json, run = command.run] {
    if (const int status = run(*wanted, as_json); status != 0) std::exit(status);
  });
  return sub;
}

void add_journals(CLI::App* sub, const std::shared_ptr<BillWanted>& wanted) {
  sub->add_option("folder", wanted->journals, "STATE_DIR/journal of each gateway")->required();
  sub->add_option("--without", wanted->without,
                  "a gateway whose journal is not given: its usage is charged when it comes");
}

void add_client(CLI::App* sub, const std::shared_ptr<BillWanted>& wanted, bool required) {
  sub->add_option("--client", wanted->client, "whose; house:GATEWAY: what belongs to no client")
      ->required(required);
}

void add_format(CLI::App* sub, const std::shared_ptr<BillWanted>& wanted) {
  sub->add_option("--format", wanted->format, "text, json, csv, html, pdf or ubl")
      ->check(CLI::IsMember(std::vector<std::string>(kFormatNames.begin(), kFormatNames.end())));
}

}  // namespace

int preview_open(const std::string& ledger, const std::string& client,
                 const std::vector<std::string>& journals, bool as_json) {
  BillWanted wanted;
  wanted.ledger = ledger;
  wanted.client = client;
  wanted.journals = journals;
  const auto statements = preview_of(wanted);
  if (as_json) print_json(statements);
  for (const json& s : statements) {
    if (!as_json) print_statement(s, Format::text);
  }
  return 0;
}

void add_bill_ledger(CLI::App& bill, const bool& as_json) {
  {
    auto wanted = std::make_shared<BillWanted>();
    auto* sub = bill.add_subcommand(
        "reconcile", "what two gateways counted of the same paths, and what was lost between them");
    sub->add_option("folder", wanted->journals, "STATE_DIR/journal of both")->required();
    sub->add_option("--from", wanted->from, "from this day (UTC), such as 2026-10-01");
    sub->add_option("--to", wanted->to, "up to the begin of this one");
    sub->add_option("--tolerance-percent", wanted->tolerance_percent,
                    "more is an alarm: exit status 1")
        ->capture_default_str();
    sub->callback([wanted, &as_json] {
      if (const int status = reconcile(*wanted, as_json); status != 0) std::exit(status);
    });
  }
  const auto make = [&](const Command& command) {
    auto wanted = std::make_shared<BillWanted>();
    return std::pair(add(bill, command, wanted, as_json), wanted);
  };
  {
    const auto [sub, wanted] = make({"usage", "what is not stated yet, by path and kind", usage});
    add_journals(sub, wanted);
    add_client(sub, wanted, true);
  }
  {
    const auto [sub, wanted] = make({"close", "issue the statements that are due", close});
    add_journals(sub, wanted);
    add_client(sub, wanted, false);
    sub->add_option("--to", wanted->folder, "the folder statements are delivered to");
    sub->add_option("--threads", wanted->threads, "by default, as many as the machine has")
        ->check(CLI::Range(1, 256));
  }
  {
    const auto [sub, wanted] = make({"statement", "issued statements, or one of them", statement});
    sub->add_option("number", wanted->number, "such as 2026-000001");
    add_client(sub, wanted, false);
    sub->add_option("--issuer", wanted->issuer, "of whom, where several have this number");
    add_format(sub, wanted);
  }
  {
    const auto [sub, wanted] =
        make({"deliver", "issued statements, to a folder and by mail, as clients want them",
              deliver_statements});
    sub->add_option("--to", wanted->folder, "the folder statements are delivered to");
    sub->add_option("--mail-server", wanted->mail.server.url,
                    "smtps://HOST, or smtp://HOST for STARTTLS");
    sub->add_option("--mail-from", wanted->mail.from, "the sender's address");
    sub->add_option("--mail-user", wanted->mail.server.user, "a name at the server");
    sub->add_option("--mail-password-file", wanted->password_file, "a file with the password");
    sub->add_option("--mail-ca", wanted->mail.server.ca, "a file of CA certificates");
    sub->add_flag("--insecure-cleartext", wanted->mail.server.insecure_cleartext,
                  "smtp:// without TLS");
    sub->add_option("--mail-patience-ms", wanted->mail.server.patience_ms, "for one mail")
        ->check(CLI::Range(100, 600'000));
    sub->add_option("--days", wanted->days, "of what was issued so long ago at most")
        ->capture_default_str()
        ->check(CLI::Range(1u, 36'500u));
  }
  {
    const auto [sub, wanted] =
        make({"rerate", "charge a closed period by another tariff; posts the difference", rerate});
    add_journals(sub, wanted);
    add_client(sub, wanted, true);
    sub->add_option("--period", wanted->period, "a day of it, such as 2026-10-01")->required();
    sub->add_option("--tariff", wanted->tariff, "the tariff, a JSON file")->required();
    add_format(sub, wanted);
  }
  {
    const auto [sub, wanted] =
        make({"settle", "what a provider claims beside what was metered", settle});
    sub->add_option("provider", wanted->provider, "whose bill")->required();
    sub->add_option("--from", wanted->from, "from this day, such as 2026-10-01, …")->required();
    sub->add_option("--to", wanted->to, "… up to the begin of this one")->required();
    sub->add_option("--claim", wanted->claim,
                    "the provider's bill (JSON), stored by its reference");
  }
  {
    const auto [sub, wanted] =
        make({"export", "statements as they were issued, a JSON document a line", export_all});
    add_client(sub, wanted, false);
    sub->add_option("--issuer", wanted->issuer, "of whom");
  }
}

}  // namespace anabranch::tools
