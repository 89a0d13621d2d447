// SPDX-License-Identifier: BSD-3-Clause
#include "billing/ledger.h"

namespace anabranch::billing {
namespace {

using Status = Ledger::Status;

constexpr int64_t kVersion = 1;
// 64-bit ids are stored as SQLite's signed integers, bit for bit.
constexpr const char* kSchema = R"(
CREATE TABLE paths(id INTEGER PRIMARY KEY, name TEXT NOT NULL, provider TEXT NOT NULL, network TEXT NOT NULL,
  UNIQUE(name, provider, network)) STRICT;
CREATE TABLE tariffs(id TEXT NOT NULL, version TEXT NOT NULL, text TEXT NOT NULL, PRIMARY KEY(id, version)) STRICT;
CREATE TABLE services(id INTEGER PRIMARY KEY AUTOINCREMENT, client TEXT NOT NULL, tariff TEXT NOT NULL,
  tariff_version TEXT NOT NULL, request TEXT NOT NULL, opened_ns INTEGER NOT NULL, closed_ns INTEGER,
  FOREIGN KEY(tariff, tariff_version) REFERENCES tariffs(id, version)) STRICT;
CREATE TABLE documents(kind TEXT NOT NULL, id TEXT NOT NULL, text TEXT NOT NULL, PRIMARY KEY(kind, id)) STRICT;
CREATE TABLE meters(region INTEGER NOT NULL, service INTEGER NOT NULL, worker INTEGER NOT NULL, path INTEGER NOT NULL,
  direction INTEGER NOT NULL, kind INTEGER NOT NULL, octets INTEGER NOT NULL, packets INTEGER NOT NULL,
  PRIMARY KEY(region, service, worker, path, direction, kind)) STRICT;
CREATE TABLE usage(account TEXT NOT NULL, service INTEGER NOT NULL, path INTEGER NOT NULL REFERENCES paths(id),
  direction INTEGER NOT NULL, kind INTEGER NOT NULL, tariff TEXT NOT NULL, tariff_version TEXT NOT NULL,
  octets INTEGER NOT NULL, packets INTEGER NOT NULL,
  PRIMARY KEY(account, service, path, direction, kind, tariff, tariff_version)) STRICT;
CREATE TABLE transactions(id INTEGER PRIMARY KEY AUTOINCREMENT, wall_ns INTEGER NOT NULL, sequence INTEGER NOT NULL) STRICT;
CREATE TABLE postings(id INTEGER PRIMARY KEY AUTOINCREMENT, transaction_id INTEGER NOT NULL REFERENCES transactions(id),
  account TEXT NOT NULL, amount TEXT NOT NULL, currency TEXT NOT NULL, service INTEGER NOT NULL, path INTEGER NOT NULL,
  direction INTEGER NOT NULL, kind INTEGER NOT NULL, octets INTEGER NOT NULL, tariff TEXT NOT NULL,
  tariff_version TEXT NOT NULL) STRICT;
CREATE INDEX postings_by_account ON postings(account);
CREATE TRIGGER postings_stay BEFORE UPDATE ON postings BEGIN SELECT RAISE(ABORT, 'postings are never changed'); END;
CREATE TRIGGER postings_remain BEFORE DELETE ON postings BEGIN SELECT RAISE(ABORT, 'postings are never removed'); END;
CREATE TABLE state(name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
INSERT INTO state VALUES('version', 1), ('charged_sequence', 0);
)";

ServiceEntry read_service(const Query& q) {
  ServiceEntry e{static_cast<uint64_t>(q.integer(0)),
                 q.text(1),
                 q.text(2),
                 q.text(3),
                 q.text(4),
                 q.integer(5),
                 {}};
  if (!q.is_null(6)) e.closed_ns = q.integer(6);
  return e;
}
constexpr const char* kServiceColumns =
    "SELECT id, client, tariff, tariff_version, request, opened_ns, closed_ns FROM services";

}  // namespace

tl::expected<Sqlite, std::string> Sqlite::open(const std::string& file) {
  sqlite3* raw = nullptr;
  const int result =
      sqlite3_open_v2(file.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr);
  Sqlite db(raw, file);
  if (result != SQLITE_OK)
    return tl::unexpected("ledger " + file + ": cannot be opened: " + db.error());
  sqlite3_busy_timeout(raw, 5000);
  // FULL: a transaction that is reported as committed survives a power cut.
  if (auto set = db.run("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON");
      !set) {
    return tl::unexpected(set.error());
  }
  return db;
}

tl::expected<void, std::string> Sqlite::run(const char* sql) {
  if (sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr) == SQLITE_OK) return {};
  return tl::unexpected("ledger " + file_ + ": " + error());
}

tl::expected<Ledger, std::string> Ledger::open(const std::string& file,
                                               const std::string& gateway) {
  auto db = Sqlite::open(file);
  if (!db) return tl::unexpected(db.error());
  Ledger ledger(std::move(*db), gateway);
  if (auto migrated = ledger.migrate(); !migrated) return tl::unexpected(migrated.error());
  return ledger;
}

Status Ledger::migrate() {
  Transaction transaction(db_);
  if (!transaction.begun()) return transaction.begun();
  Query exists(db_, "SELECT 1 FROM sqlite_master WHERE name = 'state'");
  if (!exists.step()) {
    if (auto made = db_.run(kSchema); !made) return made;
    return transaction.commit();
  }
  Query version(db_, "SELECT value FROM state WHERE name = 'version'");
  if (!version.step() || version.integer(0) != kVersion) {
    return tl::unexpected<std::string>(
        "ledger: made by another version of this program; use that version, or a new state_dir");
  }
  return {};
}

tl::expected<uint16_t, std::string> Ledger::path_id(const std::string& name,
                                                    const std::string& provider,
                                                    const std::string& network) {
  auto inserted =
      Query(db_,
            "INSERT INTO paths(name, provider, network) VALUES(?, ?, ?) ON CONFLICT DO NOTHING",
            name, provider, network)
          .run();
  if (!inserted) return tl::unexpected(inserted.error());
  Query q(db_, "SELECT id FROM paths WHERE name = ? AND provider = ? AND network = ?", name,
          provider, network);
  if (!q.step()) return tl::unexpected("ledger: " + db_.error());
  if (q.integer(0) > UINT16_MAX)
    return tl::unexpected<std::string>("ledger: more than 65535 paths were ever used");
  return static_cast<uint16_t>(q.integer(0));
}

std::optional<PathEntry> Ledger::path(uint16_t id) const {
  Query q(db_, "SELECT name, provider, network FROM paths WHERE id = ?", id);
  if (!q.step()) return std::nullopt;
  return PathEntry{q.text(0), q.text(1), q.text(2)};
}

tl::expected<uint64_t, std::string> Ledger::open_service(const std::string& client,
                                                         const Tariff& tariff,
                                                         const std::string& request,
                                                         int64_t wall_ns) {
  if (auto put = put_tariff(tariff); !put) return tl::unexpected(put.error());
  auto inserted = Query(db_,
                        "INSERT INTO services(client, tariff, tariff_version, request, opened_ns) "
                        "VALUES(?, ?, ?, ?, ?)",
                        client, tariff.id, tariff.version, request, wall_ns)
                      .run();
  if (!inserted) return tl::unexpected(inserted.error());
  return static_cast<uint64_t>(db_.last_id());
}

Status Ledger::close_service(uint64_t id, int64_t wall_ns) {
  return Query(db_, "UPDATE services SET closed_ns = ? WHERE id = ? AND closed_ns IS NULL", wall_ns,
               id)
      .run();
}

std::vector<ServiceEntry> Ledger::services() const {
  std::vector<ServiceEntry> all;
  Query q(db_, (std::string(kServiceColumns) + " ORDER BY id").c_str());
  while (q.step()) all.push_back(read_service(q));
  return all;
}

std::optional<ServiceEntry> Ledger::service(uint64_t id) const {
  Query q(db_, (std::string(kServiceColumns) + " WHERE id = ?").c_str(), id);
  if (!q.step()) return std::nullopt;
  return read_service(q);
}

Status Ledger::put_tariff(const Tariff& tariff) {
  return Query(db_, "INSERT INTO tariffs VALUES(?, ?, ?) ON CONFLICT DO NOTHING", tariff.id,
               tariff.version, tariff.text)
      .run();
}

std::optional<Tariff> Ledger::tariff(const std::string& id, const std::string& version) const {
  Query q(db_, "SELECT text FROM tariffs WHERE id = ? AND version = ?", id, version);
  if (!q.step()) return std::nullopt;
  auto parsed = parse_tariff(nlohmann::json::parse(q.text(0), nullptr, false));
  if (!parsed) return std::nullopt;
  return std::move(*parsed);
}

Status Ledger::put_document(const std::string& kind, const std::string& id,
                            const std::string& text) {
  return Query(
             db_,
             "INSERT INTO documents VALUES(?, ?, ?) ON CONFLICT DO UPDATE SET text = excluded.text",
             kind, id, text)
      .run();
}

std::vector<std::pair<std::string, std::string>> Ledger::documents(const std::string& kind) const {
  std::vector<std::pair<std::string, std::string>> all;
  Query q(db_, "SELECT id, text FROM documents WHERE kind = ? ORDER BY id", kind);
  while (q.step()) all.emplace_back(q.text(0), q.text(1));
  return all;
}

}  // namespace anabranch::billing
