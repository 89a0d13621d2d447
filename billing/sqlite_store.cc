// SPDX-License-Identifier: BSD-3-Clause
#include "billing/sqlite_store.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <unordered_map>

namespace anabranch::billing {
namespace {

constexpr int kBusyTimeoutMs = 5000;
constexpr int kBackupPages = 1024;       // in one step, between which others may write
constexpr int kBackupWaitsMax = 10'000;  // of 10 ms

struct CloseDatabase {
  void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
};
using Database = std::unique_ptr<sqlite3, CloseDatabase>;
struct Finalize {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Statement = std::unique_ptr<sqlite3_stmt, Finalize>;

StoreError error_of(sqlite3* db, const std::string& file) {
  const int code = sqlite3_errcode(db) & 0xff;
  std::string text = "ledger " + file + ": " + sqlite3_errmsg(db);
  switch (code) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {Failure::busy, text + "; another process holds it for longer than " +
                                 std::to_string(kBusyTimeoutMs / 1000) + " s"};
    case SQLITE_CONSTRAINT:
      return {Failure::refused, text};
    case SQLITE_FULL:
      return {Failure::failed, text + "; make room on its disk, nothing was stored"};
    case SQLITE_IOERR:
      return {Failure::failed,
              text + " (" + sqlite3_errstr(sqlite3_extended_errcode(db)) + "); examine its disk"};
    default:
      return {Failure::failed, text};
  }
}

// amount_sum(amount): SQLite knows no exact decimals. The memory it lends is aligned to 8 octets,
// an Int128 needs 16.
struct Sum {
  unsigned char octets[sizeof(Int128)];
};
void amount_step(sqlite3_context* context, int, sqlite3_value** values) {
  auto* lent = static_cast<Sum*>(sqlite3_aggregate_context(context, sizeof(Sum)));
  const auto* text = reinterpret_cast<const char*>(sqlite3_value_text(values[0]));
  const auto amount = text == nullptr ? std::nullopt : parse_amount(text);
  if (!amount || lent == nullptr) return sqlite3_result_error(context, "amount_sum: no amount", -1);
  Int128 sum;
  std::memcpy(&sum, lent, sizeof sum);
  if (__builtin_add_overflow(sum, amount->attos(), &sum))
    return sqlite3_result_error(context, "amount_sum: overflow", -1);
  std::memcpy(lent, &sum, sizeof sum);
}
void amount_final(sqlite3_context* context) {
  Int128 sum = 0;
  if (const void* lent = sqlite3_aggregate_context(context, 0); lent != nullptr)
    std::memcpy(&sum, lent, sizeof sum);
  const std::string text = to_text(Amount::from_attos(sum), /*decimals_min=*/0);
  sqlite3_result_text(context, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT);
}

void bind(sqlite3_stmt* statement, int index, const Value& value) {
  const auto text = [&](const std::string& s) {
    sqlite3_bind_text64(statement, index, s.data(), s.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  };
  if (const auto* number = std::get_if<int64_t>(&value.variant())) {
    sqlite3_bind_int64(statement, index, *number);
  } else if (const auto* amount = std::get_if<Amount>(&value.variant())) {
    text(to_text(*amount, 0));
  } else if (const auto* string = std::get_if<std::string>(&value.variant())) {
    text(*string);
  } else {
    sqlite3_bind_null(statement, index);
  }
}

Row read_row(sqlite3_stmt* statement) {
  std::vector<std::optional<std::string>> cells;
  for (int i = 0; i < sqlite3_column_count(statement); ++i) {
    const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, i));
    if (text == nullptr) {
      cells.emplace_back();
    } else {
      cells.emplace_back(std::in_place, text,
                         static_cast<size_t>(sqlite3_column_bytes(statement, i)));
    }
  }
  return Row(std::move(cells));
}

class SqliteStore final : public Store {
 public:
  SqliteStore(Database db, std::string file) : db_(std::move(db)), file_(std::move(file)) {}

  Dialect dialect() const override { return Dialect::sqlite; }
  Stored<void> begin(Mode mode) override {
    return script(mode == Mode::write ? "BEGIN IMMEDIATE" : "BEGIN");
  }
  Stored<void> commit() override { return script("COMMIT"); }
  void rollback() override {
    if (sqlite3_get_autocommit(db_.get()) == 0) (void)script("ROLLBACK");
  }
  Stored<void> script(const std::string& sql) override {
    if (sqlite3_exec(db_.get(), sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK) return {};
    return tl::unexpected(error_of(db_.get(), file_));
  }
  Stored<void> reconnect() override { return {}; }
  Stored<Rows> execute(const std::string& sql, std::span<const Value> values) override;
  Stored<void> backup(const std::string& file) override;

 private:
  sqlite3_stmt* prepare(const std::string& sql);

  Database db_;
  std::string file_;
  std::unordered_map<std::string, Statement> statements_;  // goes before db_
};

sqlite3_stmt* SqliteStore::prepare(const std::string& sql) {
  Statement& statement = statements_[sql];
  if (!statement) {
    sqlite3_stmt* raw = nullptr;
    sqlite3_prepare_v3(db_.get(), sql.data(), static_cast<int>(sql.size()),
                       SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
    statement.reset(raw);
  }
  return statement.get();
}

Stored<Rows> SqliteStore::execute(const std::string& sql, std::span<const Value> values) {
  sqlite3_stmt* statement = prepare(sql);
  if (statement == nullptr) return tl::unexpected(error_of(db_.get(), file_));
  for (size_t i = 0; i < values.size(); ++i) bind(statement, static_cast<int>(i) + 1, values[i]);
  Rows rows;
  int result;
  while ((result = sqlite3_step(statement)) == SQLITE_ROW) rows.push_back(read_row(statement));
  Stored<Rows> answer = result == SQLITE_DONE
                            ? Stored<Rows>(std::move(rows))
                            : Stored<Rows>(tl::unexpected(error_of(db_.get(), file_)));
  sqlite3_reset(statement);
  sqlite3_clear_bindings(statement);
  return answer;
}

// Into a file beside it that gets its name when it is whole and durable.
Stored<void> SqliteStore::backup(const std::string& file) {
  namespace fs = std::filesystem;
  const auto failed = [&](const std::string& why) {
    return tl::unexpected(StoreError{Failure::failed, "backup " + file + ": " + why});
  };
  if (fs::exists(file)) return failed("there is such a file already; name another");
  const std::string part = file + ".part";
  sqlite3* raw = nullptr;
  std::error_code none;
  fs::remove(part, none);
  const int opened =
      sqlite3_open_v2(part.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr);
  Database copy(raw);
  if (opened != SQLITE_OK) return failed(sqlite3_errmsg(raw));
  sqlite3_backup* backup = sqlite3_backup_init(copy.get(), "main", db_.get(), "main");
  if (backup == nullptr) return failed(sqlite3_errmsg(copy.get()));
  int result = SQLITE_OK;
  for (int waits = 0; result != SQLITE_DONE && waits < kBackupWaitsMax;) {
    result = sqlite3_backup_step(backup, kBackupPages);
    if (result == SQLITE_BUSY || result == SQLITE_LOCKED) {
      sqlite3_sleep(10);
      ++waits;
    } else if (result != SQLITE_OK && result != SQLITE_DONE) {
      break;
    }
  }
  sqlite3_backup_finish(backup);
  if (result != SQLITE_DONE) {
    const std::string why = sqlite3_errstr(result);
    copy.reset();
    fs::remove(part, none);
    return failed(why + "; nothing is left of it");
  }
  copy.reset();
  const int fd = ::open(part.c_str(), O_RDONLY | O_CLOEXEC);
  const bool durable = fd >= 0 && fsync(fd) == 0;
  if (fd >= 0) close(fd);
  if (!durable || rename(part.c_str(), file.c_str()) != 0)
    return failed("cannot be made durable; examine its disk");
  return {};
}

}  // namespace

Stored<std::unique_ptr<Store>> open_sqlite(const std::string& file) {
  sqlite3* raw = nullptr;
  const int result =
      sqlite3_open_v2(file.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr);
  Database db(raw);
  if (result != SQLITE_OK) {
    return tl::unexpected(StoreError{
        Failure::failed, "ledger " + file + ": cannot be opened: " + sqlite3_errmsg(raw)});
  }
  sqlite3_busy_timeout(raw, kBusyTimeoutMs);
  sqlite3_create_function_v2(raw, "amount_sum", 1,
                             SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, nullptr,
                             nullptr, amount_step, amount_final, nullptr);
  auto store = std::make_unique<SqliteStore>(std::move(db), file);
  // FULL: committed is durable. recursive_triggers: REPLACE must not delete behind the triggers.
  const char* settings =
      "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; "
      "PRAGMA recursive_triggers=ON";
  // A change of the journal's mode does not wait for others by itself.
  auto set = store->script(settings);
  for (int waits = 0; !set && set.error().kind == Failure::busy && waits < kBusyTimeoutMs / 10;
       ++waits) {
    sqlite3_sleep(10);
    set = store->script(settings);
  }
  if (!set) return tl::unexpected(set.error());
  return store;
}

}  // namespace anabranch::billing
