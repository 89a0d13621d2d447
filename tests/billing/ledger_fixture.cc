// SPDX-License-Identifier: BSD-3-Clause
#include "tests/billing/ledger_fixture.h"

#include <stdexcept>

namespace anabranch::billing {
namespace {

std::unique_ptr<PostgresServer>& server() {
  static std::unique_ptr<PostgresServer> one;
  return one;
}

class EndsPostgres : public testing::Environment {
 public:
  void TearDown() override { server().reset(); }
};
const auto* const ends = testing::AddGlobalTestEnvironment(new EndsPostgres);

}  // namespace

PostgresServer& postgres() {
  if (!server()) server() = PostgresServer::start(/*durable=*/false);
  if (!server()) throw std::runtime_error("no PostgreSQL for the tests");
  return *server();
}

ClosedPeriod LedgerTest::month(const std::string& client, int number, int meters) {
  const int64_t from = kJanuary + number * 30 * kDay;
  const std::string account = "client:" + client;
  const std::string id = "period:" + account + ":" + std::to_string(from);
  ClosedPeriod p{.account = account,
                 .from_ns = from,
                 .to_ns = from + 30 * kDay,
                 .closed_ns = from + 31 * kDay,
                 .tariffs = {{"std", "1"}}};
  p.transactions.push_back({.id = id,
                            .wall_ns = p.to_ns,
                            .purpose = "usage of " + account,
                            .party = account,
                            .corrects = "",
                            .entries = {{account, "EUR", money("11.90")},
                                        {"revenue:alpha", "EUR", money("-6")},
                                        {"revenue:beta", "EUR", money("-4")},
                                        {"tax:vat", "EUR", money("-1.9")}}});
  p.transactions.push_back({.id = id + ":cost",
                            .wall_ns = p.to_ns,
                            .purpose = "what providers get for " + account,
                            .party = account,
                            .corrects = "",
                            .entries = {{"cost:alpha", "EUR", money("3.000000000000000001")},
                                        {"payable:alpha", "EUR", money("-3.000000000000000001")},
                                        {"cost:beta", "USD", money("1")},
                                        {"payable:beta", "USD", money("-1")}}});
  p.statements.push_back({"anabranch", "2026", {{"account", account}, {"total", "11.90"}}});
  for (int i = 0; i < meters; ++i) {
    const auto before = static_cast<uint64_t>(number) * 1000;
    p.watermarks.push_back({.gateway = "here",
                            .key = {.region = 0xffff'ffff'ffff'fff0,
                                    .service = std::hash<std::string>()(client),
                                    .path = static_cast<uint16_t>(i)},
                            .octets_from = before,
                            .packets_from = before / 100,
                            .octets_to = before + 1000,
                            .packets_to = before / 100 + 10});
  }
  p.provider_usage.push_back(
      {"alpha", "here", "fibre", from, p.to_ns, 1000, "EUR", money("3.000000000000000001")});
  p.documents.push_back(
      {"usage", account + ":" + std::to_string(from), "{\"octets\": 1000}", from});
  return p;
}

void LedgerTest::expect_sound(Ledger& ledger) {
  const auto wrong = ledger.verify();
  ASSERT_TRUE(wrong.has_value()) << wrong.error().text;
  for (const std::string& w : *wrong) ADD_FAILURE() << w;
  for (const auto& [currency, sum] : ledger.imbalance()) EXPECT_EQ(sum, Amount()) << currency;
}

}  // namespace anabranch::billing
