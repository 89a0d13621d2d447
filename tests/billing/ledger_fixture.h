// SPDX-License-Identifier: BSD-3-Clause
// The ledger's tests run on both stores.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "billing/ledger.h"
#include "tests/billing/postgres_server.h"

namespace anabranch::billing {

inline constexpr int64_t kDay = 86'400'000'000'000;
inline constexpr int64_t kJanuary = 1'767'225'600'000'000'000;  // 2026-01-01 UTC

// One for all tests of the program; started when it is first asked for.
PostgresServer& postgres();

inline Amount money(const char* text) {
  return parse_amount(text).value();
}
inline Tariff tariff(const char* id, const char* per_gb) {
  return parse_tariff({{"id", id},
                       {"currency", "EUR"},
                       {"prices",
                        {{{"provider", "alpha"}, {"per_gb", per_gb}},
                         {{"provider", "beta"}, {"per_gb", "2"}}}}})
      .value();
}

class LedgerTest : public testing::TestWithParam<Store::Dialect> {
 protected:
  void SetUp() override {
    char name[] = "/var/tmp/anabranch-ledger-XXXXXX";
    folder_ = mkdtemp(name);
    where_ = fresh();
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  bool lite() const { return GetParam() == Store::Dialect::sqlite; }
  std::string fresh() {
    return lite() ? folder_ + "/ledger" + std::to_string(++files_) + ".sqlite" : postgres().fresh();
  }
  Ledger open(const std::string& gateway = "here") {
    auto ledger = Ledger::open(where_, gateway);
    if (!ledger) throw std::runtime_error(ledger.error());
    return std::move(*ledger);
  }

  // A month of an account that used two meters; each month's usage follows on the last one's.
  static ClosedPeriod month(const std::string& client, int number, int meters = 2);
  // Nothing is wrong with what is stored, whatever happened.
  static void expect_sound(Ledger& ledger);

  std::string folder_, where_;
  int files_ = 0;
};

#define ANABRANCH_BOTH_STORES(fixture)                                                      \
  INSTANTIATE_TEST_SUITE_P(                                                                 \
      Stores, fixture, testing::Values(Store::Dialect::sqlite, Store::Dialect::postgresql), \
      [](const auto& info) {                                                                \
        return std::string(info.param == Store::Dialect::sqlite ? "Sqlite" : "Postgres");   \
      })

}  // namespace anabranch::billing
