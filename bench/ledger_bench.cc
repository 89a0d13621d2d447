// SPDX-License-Identifier: BSD-3-Clause
// What closing costs: accounts' periods into SQLite, and into a PostgreSQL of its own, both
// durable.
//
//     build/bench/ledger_bench [accounts] [lines]
//
// A line is a posting, and a meter whose watermark moves; each account has a statement too.
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "billing/ledger.h"
#include "tests/billing/postgres_server.h"

using namespace anabranch::billing;

namespace {

constexpr int kBatch = 64;  // periods in one transaction
constexpr int64_t kMonth = 2'592'000'000'000'000;

ClosedPeriod period(int account, int month, int lines) {
  const std::string name = "client:c" + std::to_string(account);
  const int64_t from = month * kMonth;
  ClosedPeriod p{
      .account = name, .from_ns = from, .to_ns = from + kMonth, .closed_ns = from + kMonth};
  p.tariffs = {{"std", "1"}};
  const Amount cent = parse_amount("0.01").value();
  Transaction t{.id = "period:" + name + ":" + std::to_string(from),
                .wall_ns = p.to_ns,
                .purpose = "usage",
                .party = name};
  nlohmann::json document{{"account", name}, {"lines", nlohmann::json::array()}};
  for (int i = 0; i + 1 < lines; ++i) {
    t.entries.push_back({"revenue:p" + std::to_string(i % 5), "EUR", -cent});
    document["lines"].push_back({{"path", "fibre"}, {"octets", 123456789}, {"amount", "0.01"}});
  }
  t.entries.push_back({name, "EUR", cent.times(static_cast<uint64_t>(lines - 1))});
  p.transactions.push_back(std::move(t));
  p.statements.push_back({"anabranch", "2026", std::move(document)});
  for (int i = 0; i < lines; ++i) {
    const auto before = static_cast<uint64_t>(month) * 1000;
    p.watermarks.push_back({.gateway = "here",
                            .key = {.region = 1,
                                    .service = static_cast<uint64_t>(account) + 1,
                                    .path = static_cast<uint16_t>(i)},
                            .octets_from = before,
                            .packets_from = before,
                            .octets_to = before + 1000,
                            .packets_to = before + 1000});
  }
  return p;
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

bool run(const char* name, const std::string& where, int accounts, int lines) {
  auto ledger = Ledger::open(where, "here");
  if (!ledger) return std::fprintf(stderr, "%s\n", ledger.error().c_str()), false;
  // The second month finds tables that are full, and watermarks that move.
  for (int month = 0; month < 2; ++month) {
    const auto start = std::chrono::steady_clock::now();
    for (int at = 0; at < accounts; at += kBatch) {
      std::vector<ClosedPeriod> batch;
      for (int a = at; a < std::min(at + kBatch, accounts); ++a)
        batch.push_back(period(a, month, lines));
      if (const auto closed = ledger->close(batch); !closed)
        return std::fprintf(stderr, "%s\n", closed.error().text.c_str()), false;
    }
    const double took = seconds_since(start);
    std::printf("%-10s month %d: %d accounts of %d lines closed in %.2f s, %.0f us an account\n",
                name, month + 1, accounts, lines, took, took / accounts * 1e6);
  }
  auto start = std::chrono::steady_clock::now();
  const auto balances = ledger->balances();
  std::printf("%-10s balances of %zu accounts in %.2f s", name, balances->size(),
              seconds_since(start));
  start = std::chrono::steady_clock::now();
  const auto wrong = ledger->verify();
  std::printf("; all verified in %.2f s\n", seconds_since(start));
  return wrong && wrong->empty();
}

}  // namespace

int main(int argc, char** argv) {
  const int accounts = argc > 1 ? std::atoi(argv[1]) : 10'000;
  const int lines = argc > 2 ? std::atoi(argv[2]) : 20;
  char name[] = "/var/tmp/anabranch-ledger-bench-XXXXXX";
  const std::string folder = mkdtemp(name);
  bool good = run("SQLite", folder + "/ledger.sqlite", accounts, lines);
  std::filesystem::remove_all(folder);
  if (const auto server = PostgresServer::start(/*durable=*/true))
    good &= run("PostgreSQL", server->fresh(), accounts, lines);
  else
    good = false;
  return good ? 0 : 1;
}
