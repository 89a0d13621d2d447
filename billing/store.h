// SPDX-License-Identifier: BSD-3-Clause
// A database as the ledger needs it: SQLite in a file, or PostgreSQL. One SQL text for both.
//
// Writers take turns: a transaction that writes begins by waiting until no other one does (SQLite's
// BEGIN IMMEDIATE; PostgreSQL: an advisory lock). So what it read holds until it commits, numbers
// have no gaps, and both stores behave alike. Parameters are $1, $2 … in the order in which they
// first appear. One thread.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <tl/expected.hpp>

#include "billing/money.h"

namespace anabranch::billing {

enum class Failure {
  failed,   // nothing happened; the text says why and what to do
  refused,  // nothing happened: it is against a rule that the database keeps, or one of ours
  busy,     // nothing happened: others were in the way for too long; the same again may succeed
  lost,     // nothing happened: the connection went before the commit; the same again may succeed
  unknown,  // the connection went during the commit; the same call again finds out
};
struct StoreError {
  Failure kind = Failure::failed;
  std::string text;  // a sentence
};
template <typename T>
using Stored = tl::expected<T, StoreError>;

inline tl::unexpected<StoreError> refused(std::string text) {
  return tl::unexpected(StoreError{Failure::refused, std::move(text)});
}

// A parameter. Unsigned integers are stored as signed ones, bit for bit; amounts as exact decimals.
class Value {
 public:
  Value(std::nullptr_t) {}
  Value(std::integral auto number) : value_(static_cast<int64_t>(number)) {}
  Value(Amount amount) : value_(amount) {}
  Value(std::string text) : value_(std::move(text)) {}
  Value(std::string_view text) : value_(std::string(text)) {}
  Value(const char* text) : value_(std::string(text)) {}
  template <typename T>
  Value(const std::optional<T>& value) {
    if (value) *this = Value(*value);
  }
  const auto& variant() const { return value_; }

 private:
  std::variant<std::monostate, int64_t, Amount, std::string> value_;
};

// A row of an answer. A cell read as what it is not is a programming error and aborts.
class Row {
 public:
  explicit Row(std::vector<std::optional<std::string>> cells) : cells_(std::move(cells)) {}
  bool is_null(size_t column) const { return !cells_.at(column); }
  const std::string& text(size_t column) const { return *cells_.at(column); }
  int64_t integer(size_t column) const;
  uint64_t bits(size_t column) const { return static_cast<uint64_t>(integer(column)); }
  Amount amount(size_t column) const;

 private:
  std::vector<std::optional<std::string>> cells_;
};
using Rows = std::vector<Row>;

// "INSERT INTO t(a, b)" and what stands behind the values, such as "ON CONFLICT DO NOTHING".
struct Insert {
  const char* head;
  const char* tail = "";
};

class Store {
 public:
  enum class Dialect { sqlite, postgresql };
  enum class Mode { read, write };

  // A file's name, or "postgresql://…" (also "postgres://…"). Opens only; see ledger_schema.h.
  static Stored<std::unique_ptr<Store>> open(const std::string& where);
  static bool is_url(std::string_view where);
  virtual ~Store() = default;

  // `work` in one transaction: all of it or nothing. Done again, a few times, when others were in
  // the way or the connection was lost. So `work` must be one that, repeated after it happened,
  // does no more: it first looks up its own id. What it gathers it must gather anew each time.
  Stored<void> transact(Mode mode, const std::function<Stored<void>()>& work);

  template <typename... Values>
  Stored<Rows> query(const std::string& sql, const Values&... values) {
    const std::vector<Value> all{Value(values)...};
    return execute(sql, all);
  }
  // For what answers nothing.
  template <typename... Values>
  Stored<void> run(const std::string& sql, const Values&... values) {
    return query(sql, values...).map([](const Rows&) {});
  }
  // A query outside of a transaction, again after a lost connection.
  template <typename... Values>
  Stored<Rows> read(const std::string& sql, const Values&... values) {
    Rows rows;
    const auto done = transact(Mode::read, [&]() -> Stored<void> {
      return query(sql, values...).map([&](Rows answer) { rows = std::move(answer); });
    });
    if (!done) return tl::unexpected(done.error());
    return rows;
  }
  // Many rows in few statements. All rows are of one length.
  Stored<void> insert(const Insert& into, std::span<const std::vector<Value>> rows);

  // What the two stores do each in its way; transact() and the tests call them.
  virtual Dialect dialect() const = 0;
  virtual Stored<void> begin(Mode mode) = 0;
  virtual Stored<void> commit() = 0;
  virtual void rollback() = 0;
  virtual Stored<Rows> execute(const std::string& sql, std::span<const Value> values) = 0;
  // Several statements without parameters.
  virtual Stored<void> script(const std::string& sql) = 0;
  virtual Stored<void> reconnect() = 0;
  // A copy of all that is committed, while others go on; the file must not exist. SQLite: a
  // database like this one. PostgreSQL: pg_dump's custom format, for pg_restore.
  virtual Stored<void> backup(const std::string& file) = 0;

 private:
  Stored<void> once(Mode mode, const std::function<Stored<void>()>& work);
};

}  // namespace anabranch::billing
