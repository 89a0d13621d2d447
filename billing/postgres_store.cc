// SPDX-License-Identifier: BSD-3-Clause
#include "billing/postgres_store.h"

#include <libpq-fe.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <unordered_map>

extern char** environ;

namespace anabranch::billing {
namespace {

struct Finish {
  void operator()(PGconn* connection) const { PQfinish(connection); }
};
using Connection = std::unique_ptr<PGconn, Finish>;
struct Clear {
  void operator()(PGresult* result) const { PQclear(result); }
};
using Result = std::unique_ptr<PGresult, Clear>;

// Those who write wait for each other by this lock. The number says "anabranc"; nobody else's.
constexpr const char* kBeginWrite = "BEGIN; SELECT pg_advisory_xact_lock(7020657084553690723)";
constexpr const char* kBeginRead = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
// synchronous_commit: committed is durable, whatever the server's default.
constexpr const char* kSession =
    "SET client_min_messages TO warning; SET lock_timeout TO '5s'; SET synchronous_commit TO on; "
    "SET TimeZone TO 'UTC'; SET bytea_output TO hex";

std::string trimmed(const char* text) {
  std::string s = text == nullptr ? "" : text;
  while (!s.empty() && s.back() == '\n') s.pop_back();
  for (char& c : s) {
    if (c == '\n') c = ' ';
  }
  return s;
}

Connection connect(const std::string& url) {
  // The URL comes last and may say otherwise. A server that vanished is noticed within some
  // seconds: the control thread may be waiting.
  const char* const keys[] = {"connect_timeout",
                              "tcp_user_timeout",
                              "keepalives_idle",
                              "application_name",
                              "client_encoding",
                              "dbname",
                              nullptr};
  const char* const values[] = {"2", "5000", "5", "anabranch", "UTF8", url.c_str(), nullptr};
  return Connection(PQconnectdbParams(keys, values, /*expand_dbname=*/1));
}

class PostgresStore final : public Store {
 public:
  PostgresStore(Connection connection, std::string url)
      : connection_(std::move(connection)), url_(std::move(url)) {}

  Dialect dialect() const override { return Dialect::postgresql; }
  Stored<void> begin(Mode mode) override {
    auto begun = script(mode == Mode::write ? kBeginWrite : kBeginRead);
    if (!begun) rollback();
    return begun;
  }
  Stored<void> commit() override;
  void rollback() override {
    if (PQtransactionStatus(connection_.get()) != PQTRANS_IDLE) (void)script("ROLLBACK");
  }
  Stored<void> script(const std::string& sql) override {
    const Result result(PQexec(connection_.get(), sql.c_str()));
    const auto status = PQresultStatus(result.get());
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) return {};
    return tl::unexpected(error_of(result.get()));
  }
  Stored<Rows> execute(const std::string& sql, std::span<const Value> values) override;
  Stored<void> reconnect() override;
  Stored<void> backup(const std::string& file) override;

  Stored<void> prepare_session() { return script(kSession); }

 private:
  StoreError error_of(const PGresult* result) const;
  tl::expected<std::string, StoreError> prepare(const std::string& sql);
  std::vector<std::string> environment() const;

  Connection connection_;
  std::string url_;
  std::unordered_map<std::string, std::string> statements_;  // text → name at the server
};

// SQLSTATE: appendix A of PostgreSQL's manual.
StoreError PostgresStore::error_of(const PGresult* result) const {
  const char* field = result == nullptr ? nullptr : PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const std::string state = field == nullptr ? "" : field;
  const std::string text =
      "ledger (PostgreSQL): " +
      trimmed(result == nullptr ? PQerrorMessage(connection_.get()) : PQresultErrorMessage(result));
  if (PQstatus(connection_.get()) != CONNECTION_OK || state.starts_with("08") ||
      state.starts_with("57P0")) {
    return {Failure::lost, text};
  }
  if (state == "40001" || state == "40P01" || state == "55P03") return {Failure::busy, text};
  if (state.starts_with("23") || state == "P0001") return {Failure::refused, text};
  if (state.starts_with("53")) return {Failure::failed, text + "; the server lacks room"};
  return {Failure::failed, text};
}

Stored<void> PostgresStore::commit() {
  const Result result(PQexec(connection_.get(), "COMMIT"));
  if (PQresultStatus(result.get()) == PGRES_COMMAND_OK) {
    // A transaction that had failed answers ROLLBACK.
    if (std::string(PQcmdStatus(result.get())) == "COMMIT") return {};
    return tl::unexpected(
        StoreError{Failure::failed, "ledger (PostgreSQL): the transaction had failed before"});
  }
  StoreError error = error_of(result.get());
  if (error.kind == Failure::lost) error.kind = Failure::unknown;
  return tl::unexpected(std::move(error));
}

tl::expected<std::string, StoreError> PostgresStore::prepare(const std::string& sql) {
  if (const auto known = statements_.find(sql); known != statements_.end()) return known->second;
  const std::string name = "s" + std::to_string(statements_.size());
  const Result result(PQprepare(connection_.get(), name.c_str(), sql.c_str(), 0, nullptr));
  if (PQresultStatus(result.get()) != PGRES_COMMAND_OK)
    return tl::unexpected(error_of(result.get()));
  statements_.emplace(sql, name);
  return name;
}

Stored<Rows> PostgresStore::execute(const std::string& sql, std::span<const Value> values) {
  const auto name = prepare(sql);
  if (!name) return tl::unexpected(name.error());
  std::vector<std::string> numbers(values.size());
  std::vector<const char*> texts(values.size(), nullptr);
  for (size_t i = 0; i < values.size(); ++i) {
    if (const auto* string = std::get_if<std::string>(&values[i].variant())) {
      if (string->find('\0') != std::string::npos)
        return refused("ledger: a text with a zero octet cannot be stored");
      texts[i] = string->c_str();
      continue;
    }
    if (const auto* number = std::get_if<int64_t>(&values[i].variant())) {
      numbers[i] = std::to_string(*number);
    } else if (const auto* amount = std::get_if<Amount>(&values[i].variant())) {
      numbers[i] = to_text(*amount, 0);
    } else {
      continue;  // null
    }
    texts[i] = numbers[i].c_str();
  }
  const Result result(PQexecPrepared(connection_.get(), name->c_str(),
                                     static_cast<int>(texts.size()), texts.data(), nullptr, nullptr,
                                     /*resultFormat: text=*/0));
  const auto status = PQresultStatus(result.get());
  if (status == PGRES_COMMAND_OK) return Rows();
  if (status != PGRES_TUPLES_OK) return tl::unexpected(error_of(result.get()));
  Rows rows;
  for (int r = 0; r < PQntuples(result.get()); ++r) {
    std::vector<std::optional<std::string>> cells;
    for (int c = 0; c < PQnfields(result.get()); ++c) {
      if (PQgetisnull(result.get(), r, c) != 0) {
        cells.emplace_back();
      } else {
        cells.emplace_back(std::in_place, PQgetvalue(result.get(), r, c),
                           static_cast<size_t>(PQgetlength(result.get(), r, c)));
      }
    }
    rows.emplace_back(std::move(cells));
  }
  return rows;
}

Stored<void> PostgresStore::reconnect() {
  Connection next = connect(url_);
  if (PQstatus(next.get()) != CONNECTION_OK) {
    return tl::unexpected(StoreError{Failure::lost, "ledger (PostgreSQL): cannot be reached: " +
                                                        trimmed(PQerrorMessage(next.get()))});
  }
  connection_ = std::move(next);
  statements_.clear();
  return prepare_session();
}

// What pg_dump needs to find the same database; a password is not shown among processes.
std::vector<std::string> PostgresStore::environment() const {
  std::vector<std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (!std::string_view(*entry).starts_with("PG")) all.emplace_back(*entry);
  }
  PQconninfoOption* options = PQconninfo(connection_.get());
  for (PQconninfoOption* o = options; o != nullptr && o->keyword != nullptr; ++o) {
    if (o->envvar != nullptr && o->val != nullptr && *o->val != '\0')
      all.push_back(std::string(o->envvar) + "=" + o->val);
  }
  PQconninfoFree(options);
  return all;
}

Stored<void> PostgresStore::backup(const std::string& file) {
  const auto failed = [&](const std::string& why) {
    return tl::unexpected(StoreError{Failure::failed, "backup " + file + ": " + why});
  };
  if (std::filesystem::exists(file)) return failed("there is such a file already; name another");
  const auto schema = read("SELECT current_schema()");
  if (!schema) return tl::unexpected(schema.error());
  const std::string part = file + ".part";
  std::vector<std::string> arguments{"pg_dump", "--format=custom", "--no-owner", "--file=" + part};
  // Of "public" the whole database: that schema exists already where it is restored.
  if (schema->front().text(0) != "public")
    arguments.push_back("--schema=" + schema->front().text(0));
  std::vector<std::string> variables = environment();
  std::vector<char*> argv, envp;
  for (auto& a : arguments) argv.push_back(a.data());
  for (auto& v : variables) envp.push_back(v.data());
  argv.push_back(nullptr);
  envp.push_back(nullptr);
  pid_t child = 0;
  if (posix_spawnp(&child, "pg_dump", nullptr, nullptr, argv.data(), envp.data()) != 0)
    return failed("pg_dump cannot be started; install the package postgresql-client");
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    unlink(part.c_str());
    return failed("pg_dump failed; it says why on standard error");
  }
  if (rename(part.c_str(), file.c_str()) != 0) return failed("cannot be given its name");
  return {};
}

}  // namespace

Stored<std::unique_ptr<Store>> open_postgres(const std::string& url) {
  Connection connection = connect(url);
  if (PQstatus(connection.get()) != CONNECTION_OK) {
    return tl::unexpected(StoreError{Failure::lost, "ledger (PostgreSQL): cannot be reached: " +
                                                        trimmed(PQerrorMessage(connection.get())) +
                                                        "; billing.ledger says where"});
  }
  auto store = std::make_unique<PostgresStore>(std::move(connection), url);
  if (auto prepared = store->prepare_session(); !prepared) return tl::unexpected(prepared.error());
  return store;
}

}  // namespace anabranch::billing
