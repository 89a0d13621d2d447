// SPDX-License-Identifier: BSD-3-Clause
// Whatever fails, at each step there is: the ledger balances, every period is closed once, numbers
// have no gaps, and the same call again gives the same.
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "billing/ledger.h"
#include "billing/ledger_schema.h"
#include "tests/billing/faulty_store.h"
#include "tests/billing/ledger_fixture.h"
#include "tests/billing/lossy_proxy.h"

namespace anabranch::billing {
namespace {

using Fault = FaultyStore::Fault;

class LedgerFaults : public LedgerTest {
 protected:
  // A ledger that fails at a step which is yet to be said.
  std::pair<Ledger, FaultyStore*> faulty(Fault fault, std::function<void()> cut = {}) {
    auto store = std::make_unique<FaultyStore>(Store::open(where_).value(), fault, UINT64_MAX,
                                               std::move(cut));
    FaultyStore* raw = store.get();
    return {Ledger::open(std::move(store), "here").value(), raw};
  }
  // In another process; what it returns is the exit status, -1 when it was killed.
  static int in_child(const std::function<int()>& work) {
    const pid_t child = fork();
    if (child == 0) _exit(work());
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  // All of these were closed once, whatever happened on the way; numbers 1 to their number.
  void expect_closed(Ledger& ledger, const std::vector<std::string>& clients, int months) {
    std::set<int64_t> numbers;
    for (const std::string& client : clients) {
      const auto statements = ledger.statements("client:" + client).value();
      for (const auto& s : statements) EXPECT_TRUE(numbers.insert(s.number).second);
      EXPECT_EQ(ledger.periods("client:" + client)->size(), static_cast<size_t>(months));
      EXPECT_EQ(ledger.balance("client:" + client).at("EUR"),
                money("11.90").times(static_cast<uint64_t>(months)));
    }
    EXPECT_EQ(numbers.size(), clients.size() * static_cast<size_t>(months));
    EXPECT_EQ(*numbers.rbegin(), static_cast<int64_t>(numbers.size()));
    expect_sound(ledger);
  }
  static std::vector<ClosedPeriod> batch(const std::string& name) {
    return {month(name, 0), month(name + "-b", 0), month(name, 1)};
  }
};

TEST_P(LedgerFaults, AtEachStepOfClosingAllOrNothingHappens) {
  std::vector<std::string> pairs, singles;
  for (const Fault fault : {Fault::error, Fault::busy, Fault::lost_before, Fault::lost_after}) {
    auto [ledger, store] = faulty(fault);
    for (uint64_t n = 1;; ++n) {
      const std::string name =
          "c" + std::to_string(static_cast<int>(fault)) + "-" + std::to_string(n);
      const auto periods = batch(name);
      store->arm(n);
      const auto closed = ledger.close(periods);
      const bool reached = store->failed();
      store->arm(UINT64_MAX);
      // An error is told; what was in the way or lost is done again, and found if it had happened.
      if (fault == Fault::error && reached) {
        ASSERT_FALSE(closed.has_value());
        EXPECT_EQ(closed.error().kind, Failure::failed);
        EXPECT_TRUE(ledger.periods("client:" + name)->empty());
        EXPECT_TRUE(ledger.statements("client:" + name)->empty());
      } else {
        ASSERT_TRUE(closed.has_value()) << closed.error().text;
      }
      const auto again = ledger.close(periods);
      ASSERT_TRUE(again.has_value()) << again.error().text;
      for (size_t i = 0; i < periods.size(); ++i) {
        EXPECT_EQ((*again)[i].repeated, closed.has_value());
        if (closed) {
          EXPECT_EQ((*again)[i].statements[0].hash, (*closed)[i].statements[0].hash);
        }
      }
      pairs.push_back(name);
      singles.push_back(name + "-b");
      if (!reached) {
        EXPECT_GT(n, 15u);  // it was a way of some steps
        break;
      }
    }
  }
  Ledger ledger = open();
  std::set<int64_t> numbers;
  for (const auto& names : {pairs, singles}) {
    for (const std::string& client : names) {
      const auto statements = ledger.statements("client:" + client).value();
      EXPECT_EQ(statements.size(), &names == &pairs ? 2u : statements.size());
      for (const auto& s : statements) numbers.insert(s.number);
    }
  }
  EXPECT_EQ(numbers.size(), pairs.size() * 2 + singles.size());
  EXPECT_EQ(*numbers.rbegin(), static_cast<int64_t>(numbers.size()));
  expect_sound(ledger);
}

TEST_P(LedgerFaults, KilledAtEachStepNothingIsHalfDone) {
  std::vector<std::string> clients;
  open();
  for (const Fault fault : {Fault::kill_before, Fault::kill_after}) {
    for (uint64_t n = 1;; ++n) {
      const std::string client =
          "k" + std::to_string(static_cast<int>(fault)) + "-" + std::to_string(n);
      clients.push_back(client);
      const int status = in_child([&] {
        auto [ledger, store] = faulty(fault);
        store->arm(n);
        return ledger.close(month(client, 0)) ? 0 : 1;
      });
      Ledger ledger = open();
      const auto stored = ledger.periods("client:" + client)->size();
      EXPECT_EQ(ledger.statements("client:" + client)->size(), stored);
      EXPECT_EQ(ledger.balance("client:" + client).size(), stored);
      const auto closed = ledger.close(month(client, 0));
      ASSERT_TRUE(closed.has_value()) << closed.error().text;
      EXPECT_EQ(closed->repeated, stored == 1);
      EXPECT_TRUE(closed->same);
      if (status != -1) {
        EXPECT_EQ(status, 0);
        break;
      }
    }
  }
  EXPECT_GT(clients.size(), 25u);
  Ledger ledger = open();
  expect_closed(ledger, clients, 1);
}

// Everything else that writes, at each of its steps: done once, and told so.
TEST_P(LedgerFaults, WhateverWritesHappensOnceWhenTheAnswerIsLost) {
  for (const Fault fault : {Fault::busy, Fault::lost_before, Fault::lost_after}) {
    where_ = fresh();
    auto [ledger, store] = faulty(fault);
    uint64_t services = 0, posted = 0, frames = 0;
    const Tariff std_tariff = tariff("std", "0.50");
    ASSERT_EQ(ledger.path_id("p0", "alpha", "n").value(), 1);
    const std::vector<std::function<bool(uint64_t)>> writes{
        [&](uint64_t n) {
          return ledger.path_id("p" + std::to_string(n), "alpha", "n").has_value();
        },
        [&](uint64_t) { return ledger.open_service("acme", std_tariff, "{}", 1) == ++services; },
        [&](uint64_t n) { return ledger.put_document("k", "d", std::to_string(n), 1).has_value(); },
        [&](uint64_t n) {
          ++posted;
          return ledger
              .post({.id = std::to_string(n),
                     .purpose = "",
                     .party = "",
                     .entries = {{"client:acme", "EUR", money("1")},
                                 {"revenue:alpha", "EUR", money("-1")}}})
              .has_value();
        },
        [&](uint64_t) {
          ++frames;
          return ledger.set_charged_sequence("here", frames).has_value();
        }};
    for (size_t w = 0; w < writes.size(); ++w) {
      for (uint64_t n = 1;; ++n) {
        store->arm(n);
        EXPECT_TRUE(writes[w](n)) << "write " << w << ", step " << n;
        const bool reached = store->failed();
        store->arm(UINT64_MAX);
        if (!reached) {
          EXPECT_GE(n, 4u);
          break;
        }
      }
    }
    EXPECT_EQ(ledger.services()->size(), services);
    EXPECT_EQ(ledger.balance("client:acme").at("EUR"), money("1").times(posted));
    EXPECT_EQ(ledger.charged_sequences()->at("here"), frames);
    expect_sound(ledger);
  }
}

TEST_P(LedgerFaults, MigrationIsAllOrNothingAtEachStep) {
  for (const Fault fault : {Fault::error, Fault::lost_after, Fault::busy}) {
    for (uint64_t n = 1;; ++n) {
      where_ = fresh();
      auto store = std::make_unique<FaultyStore>(Store::open(where_).value(), fault, n);
      FaultyStore* raw = store.get();
      const auto opened = Ledger::open(std::move(store), "here");
      const bool reached = !opened || raw->failed();
      EXPECT_TRUE(opened.has_value() || fault == Fault::error);
      Ledger ledger = open();
      ASSERT_TRUE(ledger.close(month("acme", 0)));
      if (!reached) break;
    }
  }
}

TEST_P(LedgerFaults, TwoProcessesThatCloseTheSamePeriodsCloseThemOnce) {
  open();
  std::vector<ClosedPeriod> all;
  std::vector<std::string> clients;
  for (int i = 0; i < 60; ++i) {
    clients.push_back("t" + std::to_string(i));
    for (int m = 0; m < 2; ++m) all.push_back(month(clients.back(), m));
  }
  std::vector<pid_t> children;
  for (int c = 0; c < 3; ++c) {
    const pid_t child = fork();
    if (child == 0) {
      Ledger ledger = open();
      bool good = true;
      // In steps of 7, 8 and 9 periods, so that they cross.
      for (size_t i = 0; i < all.size();) {
        const size_t count = std::min<size_t>(7 + static_cast<size_t>(c), all.size() - i);
        const auto closed = ledger.close(std::span(all).subspan(i, count));
        good &= closed.has_value();
        if (closed) {
          for (const Closing& one : *closed) good &= one.same;
        }
        i += count;
      }
      _exit(good ? 0 : 1);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  Ledger ledger = open();
  expect_closed(ledger, clients, 2);
}

TEST_P(LedgerFaults, TwoProcessesMayMakeTheLedgerAtOnce) {
  std::vector<pid_t> children;
  for (int c = 0; c < 4; ++c) {
    const pid_t child = fork();
    if (child == 0) _exit(Ledger::open(where_, "here") ? 0 : 1);
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  Ledger ledger = open();
  ASSERT_TRUE(ledger.close(month("acme", 0)));
}

ANABRANCH_BOTH_STORES(LedgerFaults);

// --- PostgreSQL ---

class LedgerOnPostgres : public LedgerFaults {
 protected:
  void SetUp() override {
    LedgerFaults::SetUp();
    admin_ = Store::open(where_).value();
  }
  // As an administrator, a restart or a firewall would.
  void end_connections() {
    const auto ended = admin_->read(
        "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE "
        "application_name = 'anabranch' AND pid <> pg_backend_pid()");
    ASSERT_TRUE(ended.has_value());
    ASSERT_EQ(ended->front().integer(0), 1);
  }
  std::unique_ptr<Store> admin_;
};

TEST_P(LedgerOnPostgres, AConnectionThatEndsAtEachStepIsMadeAgainAndNothingIsTwice) {
  auto [ledger, store] = faulty(Fault::cut, [this] { end_connections(); });
  std::vector<std::string> clients;
  for (uint64_t n = 1;; ++n) {
    clients.push_back("cut" + std::to_string(n));
    store->arm(n);
    const auto closed = ledger.close(month(clients.back(), 0));
    ASSERT_TRUE(closed.has_value()) << n << ": " << closed.error().text;
    EXPECT_FALSE(closed->repeated);
    if (!store->failed()) break;
  }
  EXPECT_GT(clients.size(), 10u);
  expect_closed(ledger, clients, 1);
}

TEST_P(LedgerOnPostgres, AServerThatCannotBeReachedIsToldWithWhereItIsSaid) {
  const auto none = Ledger::open("postgresql:///x?host=/nonexistent", "here");
  ASSERT_FALSE(none.has_value());
  EXPECT_NE(none.error().find("billing.ledger"), std::string::npos) << none.error();
}

// The server has committed and nobody hears of it.
TEST_P(LedgerOnPostgres, ACommitWhoseAnswerIsLostIsLookedUp) {
  LossyProxy proxy(folder_, postgres().folder());
  where_.replace(where_.find(postgres().folder()), postgres().folder().size(), folder_);
  Ledger ledger = open();
  proxy.lose_next_commit = true;
  const auto closed = ledger.close(month("acme", 0));
  ASSERT_TRUE(closed.has_value()) << closed.error().text;
  EXPECT_EQ(proxy.lost, 1);
  EXPECT_EQ(closed->statements.at(0).number, 1);
  expect_closed(ledger, {"acme"}, 1);

  // The server stays away: nobody knows, and that is said.
  proxy.lose_next_commit = true;
  proxy.refuse = true;
  const auto unknown = ledger.close(month("zeta", 0));
  ASSERT_FALSE(unknown.has_value());
  EXPECT_EQ(unknown.error().kind, Failure::unknown) << unknown.error().text;
  EXPECT_NE(unknown.error().text.find("the same again finds out"), std::string::npos);
  EXPECT_EQ(proxy.lost, 2);
  // Away before anything was done: that nothing happened is known.
  const auto away = ledger.close(month("omega", 0));
  ASSERT_FALSE(away.has_value());
  EXPECT_EQ(away.error().kind, Failure::lost) << away.error().text;
  proxy.refuse = false;
  EXPECT_TRUE(ledger.close(month("zeta", 0))->repeated);
  EXPECT_FALSE(ledger.close(month("omega", 0))->repeated);
  expect_closed(ledger, {"acme", "zeta", "omega"}, 1);
}

INSTANTIATE_TEST_SUITE_P(Stores, LedgerOnPostgres, testing::Values(Store::Dialect::postgresql));

// --- SQLite ---

class LedgerOnSqlite : public LedgerFaults {};

TEST_P(LedgerOnSqlite, AFullDiskStopsClosingAndNothingIsHalfDone) {
  Ledger ledger = open();
  int refused = 0, number = 0;
  std::vector<std::string> clients;
  for (int64_t pages = ledger.store().read("PRAGMA page_count")->front().integer(0); refused < 40;
       ++pages) {
    ASSERT_TRUE(ledger.store().script("PRAGMA max_page_count = " + std::to_string(pages)));
    for (int i = 0; i < 100; ++i) {
      const std::string client = "full" + std::to_string(number);
      const auto closed = ledger.close(month(client, 0));
      if (!closed) {
        EXPECT_EQ(closed.error().kind, Failure::failed);
        EXPECT_NE(closed.error().text.find("make room"), std::string::npos) << closed.error().text;
        EXPECT_TRUE(ledger.periods("client:" + client)->empty());
        ++refused;
        break;
      }
      clients.push_back(client);
      ++number;
    }
  }
  ASSERT_TRUE(ledger.store().script("PRAGMA max_page_count = 1000000"));
  clients.push_back("full" + std::to_string(number));
  ASSERT_TRUE(ledger.close(month(clients.back(), 0)));
  expect_closed(ledger, clients, 1);
}

// As version 1 of the ledger made it.
TEST_P(LedgerOnSqlite, ALedgerOfVersion1IsBroughtUpToDateWithAllItHas) {
  {
    auto store = Store::open(where_).value();
    ASSERT_TRUE(store->script(R"(
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
INSERT INTO state VALUES('version', 1), ('charged_sequence', 17);
INSERT INTO paths VALUES(1, 'fibre', 'alpha', 'net');
INSERT INTO documents VALUES('profiles', 'x', '{}');
INSERT INTO meters VALUES(-16, 1, 0, 1, 0, 0, 1000000000, 10);
INSERT INTO transactions VALUES(1, 5, 16), (2, 6, 17);
)"));
    const Tariff t = tariff("std", "0.50");
    ASSERT_TRUE(store->run("INSERT INTO tariffs VALUES($1, $2, $3)", t.id, t.version, t.text));
    ASSERT_TRUE(store->run("INSERT INTO services VALUES(1, 'acme', $1, $2, '{}', 1, NULL)", t.id,
                           t.version));
    ASSERT_TRUE(
        store->run("INSERT INTO usage VALUES('client:acme', 1, 1, 0, 0, $1, $2, 1000000000, "
                   "10)",
                   t.id, t.version));
    for (const auto& [account, amount] :
         {std::pair("client:acme", "0.50"), {"provider:alpha", "-0.50"}}) {
      ASSERT_TRUE(
          store->run("INSERT INTO postings(transaction_id, account, amount, currency, service, "
                     "path, direction, kind, octets, tariff, tariff_version) VALUES(2, $1, $2, "
                     "'EUR', 1, 1, 0, 0, 1000000000, 'std', '1')",
                     account, amount));
    }
  }
  Ledger ledger = open();
  EXPECT_EQ(ledger.balance("client:acme").at("EUR"), money("0.50"));
  EXPECT_EQ(ledger.balance("revenue:alpha").at("EUR"), money("-0.50"));
  EXPECT_EQ(ledger.charged_sequences()->at("here"), 17u);
  EXPECT_EQ(ledger.watermarks("here")->at(0).octets_to, 1'000'000'000u);
  EXPECT_EQ(ledger.path_id("fibre", "alpha", "net").value(), 1);
  EXPECT_EQ(ledger.documents("profiles")->size(), 1u);
  EXPECT_EQ(ledger.services()->size(), 1u);
  EXPECT_FALSE(ledger.store().run("DELETE FROM postings_v1"));
  expect_sound(ledger);
}

TEST_P(LedgerOnSqlite, ALaterVersionIsRefused) {
  ASSERT_TRUE(
      open().store().run("UPDATE state SET value = $1 WHERE name = 'version'", kLedgerVersion + 1));
  const auto opened = Ledger::open(where_, "here");
  ASSERT_FALSE(opened.has_value());
  EXPECT_NE(opened.error().find("later version"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Stores, LedgerOnSqlite, testing::Values(Store::Dialect::sqlite));

}  // namespace
}  // namespace anabranch::billing
