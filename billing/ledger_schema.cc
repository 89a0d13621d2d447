// SPDX-License-Identifier: BSD-3-Clause
#include "billing/ledger_schema.h"

#include <array>
#include <span>
#include <string_view>

namespace anabranch::billing {
namespace {

using Dialect = Store::Dialect;

// One text for both stores; what is written with @ differs. Rules that can be said by a key or a
// check are: a statement's predecessor must exist, with its hash, so numbers cannot have gaps.
constexpr const char* kTables = R"(
CREATE TABLE state(name TEXT PRIMARY KEY, value @int NOT NULL) @keyed;
CREATE TABLE paths(gateway TEXT NOT NULL, id @int NOT NULL, name TEXT NOT NULL, provider TEXT NOT NULL,
  network TEXT NOT NULL, PRIMARY KEY(gateway, id), UNIQUE(gateway, name, provider, network)) @keyed;
CREATE TABLE tariffs(id TEXT NOT NULL, version TEXT NOT NULL, text TEXT NOT NULL, PRIMARY KEY(id, version)) @keyed;
CREATE TABLE services(gateway TEXT NOT NULL, id @int NOT NULL, token TEXT NOT NULL UNIQUE, client TEXT NOT NULL,
  tariff TEXT NOT NULL, tariff_version TEXT NOT NULL, request TEXT NOT NULL, opened_ns @int NOT NULL, closed_ns @int,
  PRIMARY KEY(gateway, id), FOREIGN KEY(tariff, tariff_version) REFERENCES tariffs(id, version)) @keyed;
CREATE TABLE documents(kind TEXT NOT NULL, id TEXT NOT NULL, number @int NOT NULL, valid_from_ns @int NOT NULL,
  text TEXT NOT NULL, PRIMARY KEY(kind, id, number)) @keyed;
CREATE TABLE meters(gateway TEXT NOT NULL, region @int NOT NULL, service @int NOT NULL, worker @int NOT NULL,
  path @int NOT NULL, direction @int NOT NULL, kind @int NOT NULL, octets_from @int NOT NULL,
  packets_from @int NOT NULL, octets @int NOT NULL, packets @int NOT NULL,
  CHECK(octets >= octets_from AND packets >= packets_from),
  PRIMARY KEY(gateway, region, service, worker, path, direction, kind)) @keyed;
CREATE TABLE accounts(name TEXT PRIMARY KEY, kind TEXT NOT NULL) @keyed;
CREATE TABLE transactions(number @int PRIMARY KEY, id TEXT NOT NULL UNIQUE, wall_ns @int NOT NULL,
  purpose TEXT NOT NULL, party TEXT NOT NULL, corrects TEXT REFERENCES transactions(id)) @strict;
CREATE TABLE postings(transaction_number @int NOT NULL REFERENCES transactions(number) DEFERRABLE INITIALLY DEFERRED,
  line @int NOT NULL, account TEXT NOT NULL REFERENCES accounts(name), currency TEXT NOT NULL, amount @amount NOT NULL,
  wall_ns @int NOT NULL, PRIMARY KEY(transaction_number, line)) @keyed;
CREATE INDEX postings_by_account ON postings(account, wall_ns);
CREATE TABLE periods(account TEXT NOT NULL, from_ns @int NOT NULL, to_ns @int NOT NULL, state TEXT NOT NULL,
  tariffs TEXT NOT NULL, digest TEXT NOT NULL, closed_ns @int, PRIMARY KEY(account, from_ns, to_ns),
  CHECK(from_ns < to_ns), CHECK(state IN ('open', 'closing', 'closed'))) @keyed;
CREATE TABLE statements(issuer TEXT NOT NULL, series TEXT NOT NULL, number @int NOT NULL, previous_number @int,
  previous_hash TEXT, hash TEXT NOT NULL, account TEXT NOT NULL, from_ns @int NOT NULL, to_ns @int NOT NULL,
  issued_ns @int NOT NULL, document TEXT NOT NULL, PRIMARY KEY(issuer, series, number),
  UNIQUE(issuer, series, number, hash),
  FOREIGN KEY(issuer, series, previous_number, previous_hash) REFERENCES statements(issuer, series, number, hash),
  FOREIGN KEY(account, from_ns, to_ns) REFERENCES periods(account, from_ns, to_ns),
  CHECK(number >= 1 AND (previous_number IS NULL) = (number = 1) AND (previous_hash IS NULL) = (number = 1)),
  CHECK(previous_number IS NULL OR previous_number = number - 1)) @strict;
CREATE INDEX statements_by_account ON statements(account, from_ns);
CREATE TABLE provider_usage(account TEXT NOT NULL, closed_from_ns @int NOT NULL, closed_to_ns @int NOT NULL,
  line @int NOT NULL, provider TEXT NOT NULL, gateway TEXT NOT NULL, path TEXT NOT NULL, from_ns @int NOT NULL,
  to_ns @int NOT NULL, octets @int NOT NULL, currency TEXT NOT NULL, cost @amount NOT NULL,
  PRIMARY KEY(account, closed_from_ns, closed_to_ns, line),
  FOREIGN KEY(account, closed_from_ns, closed_to_ns) REFERENCES periods(account, from_ns, to_ns)) @keyed;
CREATE INDEX provider_usage_by_provider ON provider_usage(provider, from_ns);
CREATE TABLE claims(provider TEXT NOT NULL, reference TEXT NOT NULL, line @int NOT NULL, gateway TEXT NOT NULL,
  path TEXT NOT NULL, from_ns @int NOT NULL, to_ns @int NOT NULL, octets @int NOT NULL, currency TEXT NOT NULL,
  amount @amount NOT NULL, received_ns @int NOT NULL, PRIMARY KEY(provider, reference, line)) @keyed;
CREATE TABLE measurements(subject TEXT NOT NULL, minute_ns @int NOT NULL, rtt_us @int NOT NULL, loss_ppm @int NOT NULL,
  available_ppm @int NOT NULL, PRIMARY KEY(subject, minute_ns)) @keyed;
)";

// Since version 3. What is to be paid is there before anyone is asked for it; what became of it is
// a step more.
constexpr const char* kPaymentTables = R"(
CREATE TABLE payments(key TEXT PRIMARY KEY, kind TEXT NOT NULL, account TEXT NOT NULL, issuer TEXT NOT NULL,
  statement TEXT NOT NULL, refund_of TEXT REFERENCES payments(key), currency TEXT NOT NULL, amount @amount NOT NULL,
  customer TEXT NOT NULL, method TEXT NOT NULL, made_ns @int NOT NULL,
  CHECK(kind IN ('card', 'transfer', 'refund')), CHECK((kind = 'refund') = (refund_of IS NOT NULL))) @keyed;
CREATE INDEX payments_by_account ON payments(account, made_ns);
CREATE TABLE payment_steps(key TEXT NOT NULL REFERENCES payments(key), step @int NOT NULL, at_ns @int NOT NULL,
  next_ns @int NOT NULL, state TEXT NOT NULL, processor_id TEXT NOT NULL, detail TEXT NOT NULL,
  PRIMARY KEY(key, step),
  CHECK(state IN ('pending', 'succeeded', 'failed', 'unknown', 'requires-customer'))) @keyed;
)";

// Since version 4. How much of what was paid ahead a gateway has used, and holds for itself: the
// last word of each, which says nothing any more when it is of a period that is closed.
constexpr const char* kDrawingTables = R"(
CREATE TABLE drawings(account TEXT NOT NULL, gateway TEXT NOT NULL, currency TEXT NOT NULL, from_ns @int NOT NULL,
  used @amount NOT NULL, reserved @amount NOT NULL, until_ns @int NOT NULL, PRIMARY KEY(account, gateway)) @keyed;
)";

// Since version 5: each state that a dispute came to.
constexpr const char* kDisputeTables = R"(
CREATE TABLE disputes(id TEXT NOT NULL, step @int NOT NULL, payment TEXT NOT NULL REFERENCES payments(key),
  currency TEXT NOT NULL, amount @amount NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL, at_ns @int NOT NULL,
  PRIMARY KEY(id, step), CHECK(state IN ('open', 'won', 'lost'))) @keyed;
CREATE INDEX disputes_by_payment ON disputes(payment);
CREATE INDEX payment_steps_by_processor_id ON payment_steps(processor_id);
)";

// A row that meets `when` (empty: any) is not let through. These expressions are the same in both.
struct Rule {
  const char* table;
  const char* event;
  const char* when;
  const char* message;
};
constexpr std::array kRules{
    Rule{"meters", "BEFORE UPDATE",
         "NEW.octets_from <> OLD.octets OR NEW.packets_from <> OLD.packets", kMeterRule},
    Rule{"meters", "AFTER INSERT", "NEW.octets_from <> 0 OR NEW.packets_from <> 0", kMeterRule},
    Rule{"meters", "BEFORE DELETE", "", "meters are never removed"},
    Rule{"services", "BEFORE UPDATE", "OLD.closed_ns IS NOT NULL", "an ended service stays so"},
    Rule{"services", "BEFORE DELETE", "", "services are never removed"},
    Rule{"periods", "BEFORE UPDATE",
         "OLD.state = 'closed' OR (OLD.state = 'closing' AND NEW.state = 'open') OR "
         "OLD.account <> NEW.account OR OLD.from_ns <> NEW.from_ns OR OLD.to_ns <> NEW.to_ns",
         "a period only goes on, from open to closing to closed"},
    Rule{"periods", "BEFORE DELETE", "", "periods are never removed"},
};
constexpr std::array kAppendOnly{"postings",   "transactions",   "accounts",
                                 "statements", "paths",          "tariffs",
                                 "documents",  "provider_usage", "claims"};
constexpr std::array kAppendOnlyPayments{"payments", "payment_steps"};
constexpr std::array kAppendOnlyDisputes{"disputes"};

constexpr const char* kSqliteRules = R"(
CREATE TRIGGER transactions_balance BEFORE INSERT ON transactions
  WHEN NOT EXISTS (SELECT 1 FROM postings WHERE transaction_number = NEW.number)
    OR EXISTS (SELECT 1 FROM postings WHERE transaction_number = NEW.number GROUP BY currency HAVING amount_sum(amount) <> '0')
  BEGIN SELECT RAISE(ABORT, 'a transaction must add up to zero in each currency'); END;
CREATE TRIGGER transactions_once BEFORE INSERT ON transactions
  WHEN EXISTS (SELECT 1 FROM transactions WHERE number = NEW.number OR id = NEW.id)
  BEGIN SELECT RAISE(ABORT, 'transactions are never changed'); END;
CREATE TRIGGER postings_sealed BEFORE INSERT ON postings
  WHEN EXISTS (SELECT 1 FROM transactions WHERE number = NEW.transaction_number)
  BEGIN SELECT RAISE(ABORT, 'nothing is added to a transaction'); END;
CREATE TRIGGER statements_once BEFORE INSERT ON statements
  WHEN EXISTS (SELECT 1 FROM statements WHERE issuer = NEW.issuer AND series = NEW.series AND number = NEW.number)
  BEGIN SELECT RAISE(ABORT, 'statements are never changed'); END;
CREATE TRIGGER periods_apart AFTER INSERT ON periods
  WHEN EXISTS (SELECT 1 FROM periods WHERE account = NEW.account AND from_ns < NEW.to_ns AND to_ns > NEW.from_ns
    AND NOT (from_ns = NEW.from_ns AND to_ns = NEW.to_ns))
  BEGIN SELECT RAISE(ABORT, 'periods of an account must not overlap'); END;
)";

constexpr const char* kPostgresFunctions = R"(
CREATE AGGREGATE amount_sum(NUMERIC) (SFUNC = numeric_add, STYPE = NUMERIC, INITCOND = '0');
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '%', TG_ARGV[0]; END $$;
CREATE FUNCTION transaction_balances() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM postings WHERE transaction_number = NEW.number)
    OR EXISTS (SELECT 1 FROM postings WHERE transaction_number = NEW.number GROUP BY currency HAVING sum(amount) <> 0) THEN
    RAISE EXCEPTION 'a transaction must add up to zero in each currency';
  END IF;
  RETURN NEW;
END $$;
CREATE FUNCTION postings_sealed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM added JOIN transactions ON number = transaction_number) THEN
    RAISE EXCEPTION 'nothing is added to a transaction';
  END IF;
  RETURN NULL;
END $$;
CREATE FUNCTION periods_apart() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM periods WHERE account = NEW.account AND from_ns < NEW.to_ns AND to_ns > NEW.from_ns
      AND NOT (from_ns = NEW.from_ns AND to_ns = NEW.to_ns)) THEN
    RAISE EXCEPTION 'periods of an account must not overlap';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER transactions_balance BEFORE INSERT ON transactions FOR EACH ROW EXECUTE FUNCTION transaction_balances();
CREATE TRIGGER postings_sealed AFTER INSERT ON postings REFERENCING NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION postings_sealed();
CREATE TRIGGER periods_apart AFTER INSERT ON periods FOR EACH ROW EXECUTE FUNCTION periods_apart();
)";

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

std::string of_dialect(const char* tables, Dialect dialect) {
  const bool lite = dialect == Dialect::sqlite;
  std::string text = replaced(tables, "@int", lite ? "INTEGER" : "BIGINT");
  text = replaced(text, "@amount", lite ? "TEXT" : "NUMERIC");
  text = replaced(text, "@keyed", lite ? "STRICT, WITHOUT ROWID" : "");
  return replaced(text, "@strict", lite ? "STRICT" : "");
}

std::string tables(Dialect dialect) {
  return of_dialect(kTables, dialect);
}

std::string trigger(Dialect dialect, const Rule& rule, int number) {
  const std::string head = "CREATE TRIGGER " + std::string(rule.table) + "_rule_" +
                           std::to_string(number) + " " + rule.event + " ON " + rule.table;
  const std::string when = *rule.when == '\0' ? "" : " WHEN (" + std::string(rule.when) + ")";
  if (dialect == Dialect::sqlite)
    return head + when + " BEGIN SELECT RAISE(ABORT, '" + rule.message + "'); END;\n";
  return head + " FOR EACH ROW" + when + " EXECUTE FUNCTION refuse('" + rule.message + "');\n";
}

std::string stays(Dialect dialect, const char* table) {
  if (dialect == Dialect::sqlite) return {};
  return "CREATE TRIGGER " + std::string(table) + "_stay BEFORE TRUNCATE ON " + table +
         " FOR EACH STATEMENT EXECUTE FUNCTION refuse('" + table + " are never removed');\n";
}

std::string append_only(Dialect dialect, std::span<const char* const> tables) {
  std::string text;
  for (const char* table : tables) {
    const std::string message = std::string(table) + " are never changed or removed";
    text += trigger(dialect, {table, "BEFORE UPDATE", "", message.c_str()}, 101);
    text += trigger(dialect, {table, "BEFORE DELETE", "", message.c_str()}, 102);
    text += stays(dialect, table);
  }
  return text;
}

std::string rules(Dialect dialect) {
  std::string text = dialect == Dialect::sqlite ? kSqliteRules : kPostgresFunctions;
  int number = 0;
  for (const Rule& rule : kRules) text += trigger(dialect, rule, ++number);
  text += append_only(dialect, kAppendOnly);
  for (const char* table : {"meters", "services", "periods"}) text += stays(dialect, table);
  return text;
}

std::string payments(Dialect dialect) {
  return of_dialect(kPaymentTables, dialect) + append_only(dialect, kAppendOnlyPayments);
}

std::string disputes(Dialect dialect) {
  return of_dialect(kDisputeTables, dialect) + append_only(dialect, kAppendOnlyDisputes);
}

// Version 1 was SQLite only and one gateway's. Its postings, which said for each what it was for,
// stay as they were in postings_v1 and transactions_v1; "provider:x" of then is "revenue:x" now.
Stored<void> move_version_1(Store& store, const std::string& gateway) {
  for (const std::string table :
       {"paths", "tariffs", "services", "documents", "meters", "usage", "state"}) {
    if (auto moved = store.script("ALTER TABLE " + table + " RENAME TO old_" + table); !moved)
      return moved;
  }
  return store
      .script(
          "ALTER TABLE postings RENAME TO postings_v1; DROP INDEX postings_by_account; "
          "ALTER TABLE transactions RENAME TO transactions_v1")
      .and_then([&] { return store.script(tables(store.dialect())); })
      .and_then([&]() -> Stored<void> {
        for (const char* copy :
             {"INSERT INTO paths SELECT $1, id, name, provider, network FROM old_paths",
              "INSERT INTO services SELECT $1, id, 'v1:' || id, client, tariff, tariff_version, "
              "request, opened_ns, closed_ns FROM old_services",
              "INSERT INTO meters SELECT $1, region, service, worker, path, direction, kind, 0, 0, "
              "octets, packets FROM old_meters",
              "INSERT INTO transactions SELECT id, $1 || ':v1:' || id, wall_ns, 'usage', '', NULL "
              "FROM transactions_v1 WHERE id IN (SELECT transaction_id FROM postings_v1)",
              "INSERT INTO state SELECT 'charged:' || $1, value FROM old_state WHERE name = "
              "'charged_sequence'"}) {
          if (std::string_view(copy).starts_with("INSERT INTO services")) {
            if (auto t = store.run("INSERT INTO tariffs SELECT id, version, text FROM old_tariffs");
                !t)
              return t;
          }
          if (auto copied = store.run(copy, gateway); !copied) return copied;
        }
        return {};
      })
      .and_then([&] {
        return store.script(R"(
INSERT INTO documents SELECT kind, id, 1, 0, text FROM old_documents;
INSERT INTO accounts SELECT DISTINCT replace(account, 'provider:', 'revenue:'), CASE substr(account, 1, 6)
  WHEN 'client' THEN 'receivable' WHEN 'house:' THEN 'house' ELSE 'revenue' END FROM postings_v1;
INSERT INTO postings SELECT p.transaction_id, p.id, replace(p.account, 'provider:', 'revenue:'), p.currency,
  p.amount, t.wall_ns
  FROM postings_v1 p JOIN transactions t ON t.number = p.transaction_id;
DROP TABLE old_usage; DROP TABLE old_services; DROP TABLE old_tariffs; DROP TABLE old_documents;
DROP TABLE old_meters; DROP TABLE old_state; DROP TABLE old_paths;
)");
      });
}

Stored<int64_t> version_of(Store& store) {
  const auto exists = store.query(store.dialect() == Dialect::sqlite
                                      ? "SELECT count(*) FROM sqlite_master WHERE name = 'state'"
                                      : "SELECT count(*) FROM pg_tables WHERE tablename = 'state' "
                                        "AND schemaname = current_schema()");
  if (!exists) return tl::unexpected(exists.error());
  if (exists->front().integer(0) == 0) return 0;
  const auto version = store.query("SELECT value FROM state WHERE name = 'version'");
  if (!version) return tl::unexpected(version.error());
  return version->empty() ? -1 : version->front().integer(0);
}

}  // namespace

Stored<void> migrate(Store& store, const std::string& gateway) {
  return store.transact(Store::Mode::write, [&]() -> Stored<void> {
    const auto version = version_of(store);
    if (!version) return tl::unexpected(version.error());
    if (*version == kLedgerVersion) return {};
    if (*version < 0 || *version > kLedgerVersion) {
      return refused(
          "ledger: made by a later version of this program; use that version, or another ledger");
    }
    const Store::Dialect dialect = store.dialect();
    if (*version < 2) {
      auto made = *version == 1 ? move_version_1(store, gateway) : store.script(tables(dialect));
      if (!made) return made;
      if (auto ruled = store.script(rules(dialect)); !ruled) return ruled;
    }
    if (*version < 3) {
      if (auto made = store.script(payments(dialect)); !made) return made;
    }
    if (*version < 4) {
      if (auto made = store.script(of_dialect(kDrawingTables, dialect)); !made) return made;
    }
    if (auto made = store.script(disputes(dialect)); !made) return made;
    if (*version >= 2)
      return store.run("UPDATE state SET value = $1 WHERE name = 'version'", kLedgerVersion);
    return store.run("INSERT INTO state VALUES('version', $1)", kLedgerVersion);
  });
}

Stored<void> check_version(Store& store) {
  return store.transact(Store::Mode::read, [&]() -> Stored<void> {
    const auto version = version_of(store);
    if (!version) return tl::unexpected(version.error());
    if (*version == kLedgerVersion) return {};
    if (*version == 0) return refused("ledger: there is none in it");
    return refused(
        "ledger: made by another version of this program; a gateway of this one brings "
        "an older one up to date when it starts");
  });
}

}  // namespace anabranch::billing
