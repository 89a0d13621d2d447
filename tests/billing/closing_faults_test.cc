// SPDX-License-Identifier: BSD-3-Clause
// Closing, whatever fails and in whatever order usage comes.
#include <random>

#include "tests/billing/closing_fixture.h"
#include "tests/billing/faulty_store.h"

namespace anabranch::billing {
namespace {

using nlohmann::json;
using Fault = FaultyStore::Fault;

class ClosingFaults : public ClosingTest {};

// Each step of a closing fails, in each way; closing again goes on where it ended.
TEST_P(ClosingFaults, AtEachStepEveryOctetIsChargedOnce) {
  put("tariffs", {{"id", "t"}, {"currency", "EUR"}, {"items", {{{"id", "x"}, {"per_gb", "1"}}}}});
  put("clients", {{"id", "acme"}, {"tariff", "t"}, {"profile", "plain"}});
  put("providers", {{"id", "alpha"}, {"tariff", "t"}}, day(10, 1));
  const auto service = open_service("site-a", "acme", day(10, 1));
  unsigned month = 10;
  for (const Fault fault : {Fault::error, Fault::busy, Fault::lost_before, Fault::lost_after}) {
    auto store = std::make_unique<FaultyStore>(Store::open(where_).value(), fault, UINT64_MAX);
    FaultyStore* raw = store.get();
    Ledger faulty = Ledger::open(std::move(store), "site-a").value();
    bool failed = true;
    for (uint64_t n = 1; failed; n += 1 + n / 12) {  // the first each, then further apart
      const int year = 2026 + static_cast<int>(month - 1) / 12;
      const unsigned m = (month++ - 1) % 12 + 1;
      gateway("site-a").used(day(m, 5, year), service, 1, 1'000'000'000 + n);
      gateway("site-a").used(day(m, 6, year), kHouse, 2, n);
      const int64_t end = kBerlin.begin_ns(kBerlin.day_of(day(m, 28, year) + 10 * kDay));
      raw->arm(n);
      (void)closer({}, &faulty).run(end);
      failed = raw->failed();
      raw->arm(UINT64_MAX);
      close(end);
      ASSERT_EQ(octets_stated(), octets_used()) << "step " << n;
    }
  }
  EXPECT_EQ(ledger_->balance("client:acme").at("EUR"), gross("client:acme"));
  const auto owed = ledger_->settle("alpha", 0, INT64_MAX, {}).value();
  uint64_t carried = 0;
  for (const auto& line : owed.lines) carried += line.metered_octets;
  const auto all = statements("client:acme");
  uint64_t stated = 0;
  for (const json& s : all) stated += s.at("usage").at(0).at("octets").get<uint64_t>();
  EXPECT_EQ(carried, stated) << "what alpha carried is owed to it once";
  expect_sound(*ledger_);
}

// Usage of two gateways, closed at any time, with or without the journal of one: in the end each
// month comes to what it would have if all had been there.
TEST_P(ClosingFaults, WhateverComesWhenEachMonthComesToTheSame) {
  const json tiers{
      {"id", "t"},
      {"currency", "EUR"},
      {"tax", {{"category", "S"}, {"percent", "19"}}},
      {"items",
       {{{"id", "x"},
         {"graduated", {{{"up_to_gb", "5"}, {"per_gb", "1.00"}}, {{"per_gb", "0.37"}}}}}}}};
  put("tariffs", tiers);
  add_gateway("site-b");
  std::mt19937_64 random(7);
  std::map<std::string, std::map<std::string, uint64_t>> services;  // by gateway and client
  const std::vector<std::string> clients{"acme", "bolt", "crane"}, sites{"site-a", "site-b"};
  for (const auto& client : clients) {
    put("clients", {{"id", client}, {"tariff", "t"}, {"profile", "plain"}});
    for (const auto& site : sites) services[site][client] = open_service(site, client, day(10, 1));
  }
  int64_t now = day(10, 1);
  for (int step = 0; step < 120; ++step) {
    const auto gap = static_cast<int64_t>(random() % 40 + 1) * kHour;
    now += gap;
    const auto& site = sites[random() % 2];
    const auto service = random() % 5 == 0 ? kHouse : services[site][clients[random() % 3]];
    gateway(site).used(now, service, static_cast<uint16_t>(1 + random() % 2),
                       random() % 2'000'000'000, gap);
    if (random() % 4 == 0) {
      std::vector<std::string> journals{gateway("site-a").folder()};
      if (random() % 2 == 0) journals.push_back(gateway("site-b").folder());
      const auto report = closer(journals).run(now);
      ASSERT_TRUE(report.has_value()) << report.error();
    }
  }
  close(now + 100 * kDay);
  EXPECT_EQ(octets_stated(), octets_used());
  expect_sound(*ledger_);

  const auto by_month = [&](const std::string& account) {
    std::map<std::string, Amount> sums;
    for (const json& s : statements(account)) {
      for (const json& section : s.at("sections")) {
        for (const json& line : section.at("lines")) {
          const std::string from =
              line.contains("period") ? line.at("period").at("from") : s.at("from");
          sums[from] += money(line.at("amount").get<std::string>().c_str());
        }
      }
    }
    return sums;
  };
  std::map<std::string, std::map<std::string, Amount>> found;
  for (const auto& client : clients) found[client] = by_month("client:" + client);
  // Another ledger, which is closed once, when all is there.
  where_ = fresh();
  Ledger other = open("site-a");
  const auto copy = [&](const char* kind) {
    const auto history = ledger_->document_history(kind).value();
    for (const auto& [id, versions] : history)
      ASSERT_TRUE(
          other.put_document(kind, id, versions.front().text, versions.front().valid_from_ns));
  };
  for (const char* kind : {"issuers", "tariffs", "profiles", "clients"}) copy(kind);
  ledger_.emplace(std::move(other));
  for (const auto& site : sites) {
    Ledger own = open(site);
    for (const char* p : {"alpha", "beta"})
      ASSERT_TRUE(own.path_id(std::string(p) + "-link", p, "net"));
    for (const auto& client : clients)
      ASSERT_EQ(own.open_service(client, billing::tariff("std", "1"), "{}", day(10, 1)).value(),
                services[site][client]);
  }
  close(now + 100 * kDay);
  for (const auto& client : clients)
    EXPECT_EQ(by_month("client:" + client), found[client]) << client;
}

ANABRANCH_BOTH_STORES(ClosingFaults);

}  // namespace
}  // namespace anabranch::billing
