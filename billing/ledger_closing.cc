// SPDX-License-Identifier: BSD-3-Clause
#include "billing/ledger_closing.h"

#include <fmt/format.h>

#include <algorithm>

#include "billing/ledger.h"
#include "billing/ledger_rows.h"
#include "billing/ledger_schema.h"
#include "billing/sha256.h"

namespace anabranch::billing {
namespace {

using Mode = Store::Mode;
using nlohmann::json;

constexpr const char* kStates[] = {"open", "closing", "closed"};

// What is not UTF-8 is replaced: a statement that cannot be issued helps nobody.
std::string dumped(const json& document) {
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

// The content of a period, without its moment: two that are alike have the same.
std::string digest_of(const ClosedPeriod& p) {
  std::string content;  // without copying documents, as they are large
  const auto add = [&](const json& part) { content += dumped(part) + '\n'; };
  for (const auto& t : p.tariffs) add({t.first, t.second});
  for (const Transaction& t : p.transactions) {
    add({t.id, t.purpose, t.party, t.corrects});
    for (const Entry& e : t.entries) add({e.account, e.currency, to_text(e.amount)});
  }
  for (const StatementDraft& s : p.statements) {
    add({s.issuer, s.series});
    add(s.document);
  }
  for (const Watermark& w : p.watermarks) {
    const MeterKey& k = w.key;
    content +=
        fmt::format("{} {} {} {} {} {} {} {} {} {} {}\n", w.gateway, k.region, k.service, k.worker,
                    k.path, static_cast<int>(k.direction), static_cast<int>(k.kind), w.octets_from,
                    w.packets_from, w.octets_to, w.packets_to);
  }
  for (const ProviderUsage& u : p.provider_usage) {
    add({u.provider, u.gateway, u.path, u.from_ns, u.to_ns, u.octets, u.currency, to_text(u.cost)});
  }
  for (const DocumentDraft& d : p.documents) add({d.kind, d.id, d.text, d.valid_from_ns});
  return sha256(content);
}

std::string tariffs_text(const ClosedPeriod& p) {
  json all = json::array();
  for (const auto& [id, version] : p.tariffs) all.push_back({id, version});
  return dumped(all);
}

std::vector<std::pair<std::string, std::string>> tariffs_of(const std::string& text) {
  std::vector<std::pair<std::string, std::string>> all;
  for (const json& t : json::parse(text)) all.emplace_back(t.at(0), t.at(1));
  return all;
}

const std::string kSelectStatements =
    "SELECT issuer, series, number, previous_hash, hash, account, from_ns, to_ns, issued_ns, "
    "document FROM statements ";

StoredStatement read_statement(const Row& r) {
  return {.issuer = r.text(0),
          .series = r.text(1),
          .number = r.integer(2),
          .previous_hash = r.is_null(3) ? "" : r.text(3),
          .hash = r.text(4),
          .account = r.text(5),
          .from_ns = r.integer(6),
          .to_ns = r.integer(7),
          .issued_ns = r.integer(8),
          .document = r.text(9)};
}

std::vector<StoredStatement> read_statements(const Rows& rows) {
  std::vector<StoredStatement> all;
  for (const Row& r : rows) all.push_back(read_statement(r));
  return all;
}

std::string period_name(const ClosedPeriod& p) {
  return "period " + std::to_string(p.from_ns) + " to " + std::to_string(p.to_ns) + " of " +
         p.account;
}

Stored<void> check(const ClosedPeriod& p) {
  const auto wrong = [&](const std::string& what) { return refused(period_name(p) + ": " + what); };
  if (account_kind(p.account) == nullptr) return wrong("that is no account's name");
  if (p.from_ns >= p.to_ns) return wrong("it must begin before it ends");
  for (const StatementDraft& s : p.statements) {
    if (!s.document.is_object()) return wrong("a statement's document must be a JSON object");
    if (s.issuer.empty() || s.series.empty())
      return wrong("a statement needs an issuer and series");
  }
  for (const Watermark& w : p.watermarks) {
    // Signed in the tables.
    if (w.octets_to > INT64_MAX || w.packets_to > INT64_MAX)
      return wrong("a meter reads more than 2^63");
    if (w.octets_from > w.octets_to || w.packets_from > w.packets_to)
      return wrong("a meter goes backwards");
  }
  return {};
}

// No statement may touch a row twice, and a meter's advances must come in order.
Stored<void> insert_watermarks(Store& store, std::span<const ClosedPeriod* const> periods) {
  std::set<std::pair<std::string, MeterKey>> keys;
  std::vector<std::vector<Value>> rows;
  for (const ClosedPeriod* p : periods) {
    for (const Watermark& w : p->watermarks) {
      if (!keys.insert({w.gateway, w.key}).second) {
        if (auto done = store.insert(kIntoMeters, rows); !done) return done;
        rows.clear();
        keys = {{w.gateway, w.key}};
      }
      rows.push_back(row_of(w));
    }
  }
  return store.insert(kIntoMeters, rows);
}

// Which meter it was that does not begin where it is charged to; nothing, if all do.
std::string wrong_watermark(Store& store, std::span<const ClosedPeriod> periods) {
  std::map<std::pair<std::string, MeterKey>, uint64_t> charged;
  for (const ClosedPeriod& p : periods) {
    for (const Watermark& w : p.watermarks) {
      const MeterKey& k = w.key;
      const auto [at, first] = charged.try_emplace({w.gateway, k}, 0);
      if (first) {
        const auto rows = store.read(
            "SELECT octets FROM meters WHERE gateway = $1 AND region = $2 AND service = $3 AND "
            "worker = $4 AND path = $5 AND direction = $6 AND kind = $7",
            w.gateway, k.region, k.service, k.worker, k.path, static_cast<int>(k.direction),
            static_cast<int>(k.kind));
        if (!rows) return "";
        if (!rows->empty()) at->second = rows->front().bits(0);
      }
      if (at->second != w.octets_from) {
        return fmt::format(
            "; {}: service {}, path {}, {} {} at {} is charged up to octet {}, and is to be "
            "charged from {}",
            period_name(p), k.service, k.path, kDirectionNames[static_cast<size_t>(k.direction)],
            kKindNames[static_cast<size_t>(k.kind)], w.gateway, at->second, w.octets_from);
      }
      at->second = w.octets_to;
    }
  }
  return "";
}

}  // namespace

std::string StoredStatement::name() const {
  return fmt::format("{}-{:06}", series, number);
}

const StoredStatement* find_statement(std::span<const StoredStatement> among,
                                      const std::string& issuer, const std::string& name) {
  const auto found = std::find_if(among.begin(), among.end(), [&](const StoredStatement& s) {
    return s.issuer == issuer && s.name() == name;
  });
  return found == among.end() ? nullptr : &*found;
}

std::string statement_hash(const std::string& previous_hash, const std::string& document) {
  return sha256(previous_hash + "\n" + document);
}

Stored<std::optional<Closing>> Ledger::closed_here(const ClosedPeriod& period,
                                                   const std::string& digest) const {
  const auto rows = store_->query(
      "SELECT digest FROM periods WHERE account = $1 AND from_ns = $2 AND to_ns = $3 AND state = "
      "'closed'",
      period.account, period.from_ns, period.to_ns);
  if (!rows) return tl::unexpected(rows.error());
  if (rows->empty()) return std::nullopt;
  const auto statements =
      store_->query(kSelectStatements +
                        "WHERE account = $1 AND from_ns = $2 AND to_ns = $3 ORDER BY issued_ns, "
                        "issuer, series, number",
                    period.account, period.from_ns, period.to_ns);
  if (!statements) return tl::unexpected(statements.error());
  return Closing{.repeated = true,
                 .same = rows->front().text(0) == digest,
                 .statements = read_statements(*statements)};
}

// Numbers follow on those of the series; nobody else writes meanwhile, and what is rolled back was
// never numbered.
Stored<void> Ledger::number_here(std::span<const ClosedPeriod* const> periods,
                                 std::span<Closing* const> closings) {
  std::map<std::pair<std::string, std::string>, std::pair<int64_t, std::string>> last;
  std::vector<std::vector<Value>> rows;
  for (size_t i = 0; i < periods.size(); ++i) {
    const ClosedPeriod& p = *periods[i];
    std::vector<json> documents;
    for (const StatementDraft& draft : p.statements) documents.push_back(draft.document);
    if (auto stated = state_balance_here(p, documents); !stated) return stated;
    auto document = documents.begin();
    for (const StatementDraft& draft : p.statements) {
      const auto [at, first_here] = last.try_emplace({draft.issuer, draft.series}, 0, "");
      auto& [number, hash] = at->second;
      if (first_here) {
        const auto newest = store_->query(
            "SELECT number, hash FROM statements WHERE issuer = $1 AND series = $2 ORDER BY number "
            "DESC LIMIT 1",
            draft.issuer, draft.series);
        if (!newest) return tl::unexpected(newest.error());
        if (!newest->empty()) {
          number = newest->front().integer(0);
          hash = newest->front().text(1);
        }
      }
      StoredStatement s{.issuer = draft.issuer,
                        .series = draft.series,
                        .number = number + 1,
                        .previous_hash = hash,
                        .account = p.account,
                        .from_ns = p.from_ns,
                        .to_ns = p.to_ns,
                        .issued_ns = p.closed_ns};
      (*document)["number"] = s.name();
      s.document = dumped(*document++);
      s.hash = statement_hash(hash, s.document);
      const bool first = number == 0;
      rows.push_back({s.issuer, s.series, s.number, first ? Value(nullptr) : Value(number),
                      first ? Value(nullptr) : Value(hash), s.hash, s.account, s.from_ns, s.to_ns,
                      s.issued_ns, s.document});
      number = s.number;
      hash = s.hash;
      closings[i]->statements.push_back(std::move(s));
    }
  }
  return store_->insert({"INSERT INTO statements(issuer, series, number, previous_number, "
                         "previous_hash, hash, account, from_ns, to_ns, issued_ns, document)"},
                        rows);
}

// A period that is corrected has some.
Stored<int64_t> Ledger::provider_lines_here(const ClosedPeriod& p) const {
  if (p.provider_usage.empty()) return 0;
  const auto last = store_->query(
      "SELECT coalesce(max(line), 0) FROM provider_usage WHERE account = $1 AND closed_from_ns = "
      "$2 AND closed_to_ns = $3",
      p.account, p.from_ns, p.to_ns);
  if (!last) return tl::unexpected(last.error());
  return last->front().integer(0);
}

Stored<void> Ledger::charge_here(std::span<const ClosedPeriod* const> periods) {
  std::vector<const Transaction*> transactions;
  std::vector<std::vector<Value>> usage;
  for (const ClosedPeriod* p : periods) {
    for (const Transaction& t : p->transactions) transactions.push_back(&t);
    for (const DocumentDraft& d : p->documents) {
      if (auto put = put_document_here(d); !put) return put;
    }
    const auto before = provider_lines_here(*p);
    if (!before) return tl::unexpected(before.error());
    int64_t line = *before;
    for (const ProviderUsage& u : p->provider_usage) {
      usage.push_back({p->account, p->from_ns, p->to_ns, ++line, u.provider, u.gateway, u.path,
                       u.from_ns, u.to_ns, u.octets, u.currency, u.cost});
    }
  }
  return post_here(transactions)
      .and_then([&](const auto&) {
        return store_->insert(
            {"INSERT INTO provider_usage(account, closed_from_ns, closed_to_ns, line, provider, "
             "gateway, path, from_ns, to_ns, octets, currency, cost)"},
            usage);
      })
      .and_then([&] { return insert_watermarks(*store_, periods); });
}

Stored<std::vector<Closing>> Ledger::close(std::span<const ClosedPeriod> periods) {
  std::vector<std::string> digests;
  std::set<std::tuple<std::string, int64_t, int64_t>> keys;
  for (const ClosedPeriod& p : periods) {
    if (auto right = check(p); !right) return tl::unexpected(right.error());
    if (!keys.insert({p.account, p.from_ns, p.to_ns}).second)
      return refused(period_name(p) + " is given twice");
    digests.push_back(digest_of(p));
  }
  std::vector<Closing> closings;
  const auto done = store_->transact(Mode::write, [&]() -> Stored<void> {
    closings.assign(periods.size(), {});
    std::vector<const ClosedPeriod*> fresh;
    std::vector<Closing*> fresh_closings;
    std::vector<std::vector<Value>> rows;
    for (size_t i = 0; i < periods.size(); ++i) {
      const ClosedPeriod& p = periods[i];
      auto known = closed_here(p, digests[i]);
      if (!known) return tl::unexpected(known.error());
      if (*known) {
        closings[i] = std::move(**known);
        continue;
      }
      fresh.push_back(&p);
      fresh_closings.push_back(&closings[i]);
      rows.push_back(
          {p.account, p.from_ns, p.to_ns, "closed", tariffs_text(p), digests[i], p.closed_ns});
    }
    return store_
        ->insert({"INSERT INTO periods(account, from_ns, to_ns, state, tariffs, digest, closed_ns)",
                  "ON CONFLICT(account, from_ns, to_ns) DO UPDATE SET state = excluded.state, "
                  "tariffs = excluded.tariffs, digest = excluded.digest, closed_ns = "
                  "excluded.closed_ns"},
                 rows)
        .and_then([&] { return charge_here(fresh); })
        .and_then([&] { return number_here(fresh, fresh_closings); });
  });
  if (!done) {
    StoreError error = done.error();
    if (error.text.find(kMeterRule) != std::string::npos)
      error.text += wrong_watermark(*store_, periods);
    return tl::unexpected(std::move(error));
  }
  return closings;
}

Stored<Closing> Ledger::close(const ClosedPeriod& period) {
  return close(std::span(&period, 1)).map([](std::vector<Closing> all) {
    return std::move(all.front());
  });
}

Stored<Closing> Ledger::correct(const ClosedPeriod& p, const std::string& id) {
  if (auto right = check(p); !right) return tl::unexpected(right.error());
  ClosedPeriod with_mark = p;
  with_mark.documents.push_back({"corrections", id, digest_of(p), p.closed_ns});
  Closing closing;
  const auto done = store_->transact(Mode::write, [&]() -> Stored<void> {
    closing = {};
    const auto known =
        store_->query("SELECT text FROM documents WHERE kind = 'corrections' AND id = $1", id);
    if (!known) return tl::unexpected(known.error());
    if (!known->empty()) {
      closing = {.repeated = true,
                 .same = known->front().text(0) == with_mark.documents.back().text};
      return {};
    }
    const auto closed = closed_here(p, "");
    if (!closed) return tl::unexpected(closed.error());
    if (!*closed) return refused(period_name(p) + " is not closed: there is nothing to correct");
    const ClosedPeriod* one[] = {&with_mark};
    Closing* into[] = {&closing};
    return charge_here(one).and_then([&] { return number_here(one, into); });
  });
  if (!done) return tl::unexpected(done.error());
  return closing;
}

Stored<std::map<std::string, int64_t>> Ledger::closed_through() const {
  const auto rows = store_->read(
      "SELECT account, max(to_ns) FROM periods WHERE state = 'closed' GROUP BY account");
  if (!rows) return tl::unexpected(rows.error());
  std::map<std::string, int64_t> all;
  for (const Row& r : *rows) all[r.text(0)] = r.integer(1);
  return all;
}

Stored<std::map<std::string, uint64_t>> Ledger::charged_sequences() const {
  const auto rows = store_->read("SELECT name, value FROM state WHERE name LIKE 'charged:%'");
  if (!rows) return tl::unexpected(rows.error());
  std::map<std::string, uint64_t> all;
  for (const Row& r : *rows) all[r.text(0).substr(std::string("charged:").size())] = r.bits(1);
  return all;
}

Stored<void> Ledger::set_charged_sequence(const std::string& gateway, uint64_t sequence) {
  return store_->transact(Mode::write, [&] {
    return store_->run(
        "INSERT INTO state VALUES($1, $2) ON CONFLICT(name) DO UPDATE SET value = excluded.value "
        "WHERE excluded.value > state.value",
        "charged:" + gateway, sequence);
  });
}

Stored<void> Ledger::set_period(const std::string& account, int64_t from_ns, int64_t to_ns,
                                PeriodState state) {
  if (state == PeriodState::closed)
    return refused("a period is closed with what it comes to, by close()");
  return store_->transact(Mode::write, [&] {
    return store_->run(
        "INSERT INTO periods(account, from_ns, to_ns, state, tariffs, digest) VALUES($1, $2, $3, "
        "$4, '[]', '') ON CONFLICT(account, from_ns, to_ns) DO UPDATE SET state = excluded.state",
        account, from_ns, to_ns, kStates[static_cast<size_t>(state)]);
  });
}

Stored<std::vector<PeriodEntry>> Ledger::periods(const std::string& account) const {
  const auto rows = store_->read(
      "SELECT account, from_ns, to_ns, state, tariffs, closed_ns FROM periods WHERE account = $1 "
      "ORDER BY from_ns",
      account);
  if (!rows) return tl::unexpected(rows.error());
  std::vector<PeriodEntry> all;
  for (const Row& r : *rows) {
    const auto state = std::find(std::begin(kStates), std::end(kStates), r.text(3));
    all.push_back({.account = r.text(0),
                   .from_ns = r.integer(1),
                   .to_ns = r.integer(2),
                   .state = static_cast<PeriodState>(state - std::begin(kStates)),
                   .tariffs = tariffs_of(r.text(4)),
                   .closed_ns = r.is_null(5) ? 0 : r.integer(5)});
  }
  return all;
}

Stored<std::vector<Watermark>> Ledger::watermarks(const std::string& gateway) const {
  const auto rows = gateway.empty()
                        ? store_->read(kSelectMeters)
                        : store_->read(std::string(kSelectMeters) + "WHERE gateway = $1", gateway);
  if (!rows) return tl::unexpected(rows.error());
  std::vector<Watermark> all;
  for (const Row& r : *rows) all.push_back(watermark_of(r));
  return all;
}

Stored<std::vector<StoredStatement>> Ledger::statements(const std::string& account) const {
  return store_
      ->read(kSelectStatements + "WHERE account = $1 ORDER BY from_ns, issuer, series, number",
             account)
      .map(read_statements);
}

Stored<std::vector<StoredStatement>> Ledger::statements_since(int64_t issued_ns) const {
  return store_
      ->read(kSelectStatements + "WHERE issued_ns >= $1 ORDER BY issued_ns, issuer, series, number",
             issued_ns)
      .map(read_statements);
}

Stored<std::optional<StoredStatement>> Ledger::statement(const std::string& issuer,
                                                         const std::string& series,
                                                         int64_t number) const {
  const auto rows =
      store_->read(kSelectStatements + "WHERE issuer = $1 AND series = $2 AND number = $3", issuer,
                   series, number);
  if (!rows) return tl::unexpected(rows.error());
  if (rows->empty()) return std::nullopt;
  return read_statement(rows->front());
}

// A minute that comes again is the same minute.
Stored<void> Ledger::put_measurements(std::span<const Measurement> measurements) {
  std::vector<std::vector<Value>> rows;
  for (const Measurement& m : measurements)
    rows.push_back({m.subject, m.minute_ns, m.rtt_us, m.loss_ppm, m.available_ppm});
  return store_->transact(Mode::write, [&] {
    return store_->insert(
        {"INSERT INTO measurements(subject, minute_ns, rtt_us, loss_ppm, available_ppm)",
         "ON CONFLICT DO NOTHING"},
        rows);
  });
}

Stored<std::vector<Measurement>> Ledger::measurements(const std::string& subject, int64_t from_ns,
                                                      int64_t to_ns) const {
  const auto rows = store_->read(
      "SELECT subject, minute_ns, rtt_us, loss_ppm, available_ppm FROM measurements WHERE subject "
      "= "
      "$1 AND minute_ns >= $2 AND minute_ns < $3 ORDER BY minute_ns",
      subject, from_ns, to_ns);
  if (!rows) return tl::unexpected(rows.error());
  std::vector<Measurement> all;
  for (const Row& r : *rows) {
    all.push_back({r.text(0), r.integer(1), static_cast<uint32_t>(r.bits(2)),
                   static_cast<uint32_t>(r.bits(3)), static_cast<uint32_t>(r.bits(4))});
  }
  return all;
}

}  // namespace anabranch::billing
