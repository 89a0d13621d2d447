// SPDX-License-Identifier: BSD-3-Clause
// A thin cover over SQLite's C interface: statements that finalise themselves, values by type, and
// errors as sentences.
#pragma once

#include <sqlite3.h>

#include <concepts>
#include <cstdint>
#include <memory>
#include <string>

#include <tl/expected.hpp>

namespace anabranch::billing {

class Sqlite {
 public:
  static tl::expected<Sqlite, std::string> open(const std::string& file);

  tl::expected<void, std::string> run(const char* sql);
  std::string error() const { return sqlite3_errmsg(db_.get()); }
  int64_t last_id() const { return sqlite3_last_insert_rowid(db_.get()); }
  sqlite3* handle() const { return db_.get(); }

 private:
  struct Close {
    void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
  };
  explicit Sqlite(sqlite3* db, std::string file) : db_(db), file_(std::move(file)) {}
  std::unique_ptr<sqlite3, Close> db_;
  std::string file_;
};

// One execution of a statement: bind, then step().
class Query {
 public:
  template <typename... Values>
  Query(const Sqlite& db, const char* sql, const Values&... values) : db_(db.handle()) {
    sqlite3_stmt* statement = nullptr;
    failed_ = sqlite3_prepare_v2(db_, sql, -1, &statement, nullptr) != SQLITE_OK;
    statement_.reset(statement);
    int index = 0;
    (bind(++index, values), ...);
  }

  // True while there is a row.
  bool step() {
    if (failed_) return false;
    const int result = sqlite3_step(statement_.get());
    failed_ = result != SQLITE_ROW && result != SQLITE_DONE;
    return result == SQLITE_ROW;
  }
  bool failed() const { return failed_; }
  // Runs a statement that has no rows.
  tl::expected<void, std::string> run() {
    while (step()) {
    }
    if (failed_) return tl::unexpected(std::string("ledger: ") + sqlite3_errmsg(db_));
    return {};
  }

  int64_t integer(int column) const { return sqlite3_column_int64(statement_.get(), column); }
  bool is_null(int column) const {
    return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
  }
  std::string text(int column) const {
    const auto* text = sqlite3_column_text(statement_.get(), column);
    return text == nullptr ? std::string() : reinterpret_cast<const char*>(text);
  }

 private:
  void bind(int index, const std::string& value) {
    sqlite3_bind_text(statement_.get(), index, value.data(), static_cast<int>(value.size()),
                      SQLITE_TRANSIENT);
  }
  void bind(int index, std::integral auto value) {
    sqlite3_bind_int64(statement_.get(), index, static_cast<int64_t>(value));
  }
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  sqlite3* db_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  bool failed_ = false;
};

// Rolls back unless committed.
class Transaction {
 public:
  explicit Transaction(Sqlite& db) : db_(db), begun_(db.run("BEGIN IMMEDIATE")) {}
  ~Transaction() {
    if (begun_ && !done_) (void)db_.run("ROLLBACK");
  }
  const tl::expected<void, std::string>& begun() const { return begun_; }
  tl::expected<void, std::string> commit() {
    auto result = db_.run("COMMIT");
    done_ = result.has_value();
    return result;
  }

 private:
  Sqlite& db_;
  tl::expected<void, std::string> begun_;
  bool done_ = false;
};

}  // namespace anabranch::billing
