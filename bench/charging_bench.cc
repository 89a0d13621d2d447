// SPDX-License-Identifier: BSD-3-Clause
// Usage records into what accounts used in the period, and that priced, on one core: records a
// second, from a journal's records to the charges of all accounts.
//
// A record is a second of a meter; each account has a service on three paths of three providers, in
// both directions, of two kinds. A hundred records of each meter are priced once, where a month has
// millions: pricing weighs more here than it does in truth. "plain": a price for each provider.
// "rich": times of day, tiers, a 95th percentile and a provider's tariff passed through, in another
// currency.
#include <benchmark/benchmark.h>

#include <memory>
#include <vector>

#include "billing/price.h"

namespace anabranch::bench {
namespace {

using namespace billing;
using nlohmann::json;

constexpr const char* kProviders[] = {"northfibre", "airmobile", "coppertel"};
constexpr int64_t kSeconds = 100, kSecondNs = 1'000'000'000;

json plain() {
  json prices = json::array();
  for (const char* provider : kProviders)
    prices.push_back({{"provider", provider}, {"per_gb", "0.50"}});
  return {{"id", "plain"}, {"currency", "EUR"}, {"prices", prices}};
}

json rich() {
  return json::parse(R"(
    {"id": "rich", "currency": "EUR", "tax": {"category": "S", "percent": "19"},
     "items": [
       {"id": "night", "providers": ["northfibre"], "times": [{"from": "22:00", "to": "06:00"}],
        "per_gb": "0.10"},
       {"id": "day", "providers": ["northfibre"],
        "graduated": [{"up_to_gb": "100", "per_gb": "0.50"}, {"per_gb": "0.30"}]},
       {"id": "burst", "providers": ["coppertel"],
        "percentile": {"per_mbps": "2.00", "commit_mbps": "10"}},
       {"id": "carriers", "pass_through": {"margin_percent": "7.5"}},
       {"id": "line", "flat": "49.00"},
       {"id": "least", "commit": "100.00"}]})");
}

std::shared_ptr<const PriceList> price_list(bool is_rich) {
  const Zone zone = Zone::find("Europe/Berlin").value();
  const Period month = Cycle{zone, 1}.containing(zone.begin_ns({2026, 6, 15}));
  const json own{
      {"id", "own"}, {"currency", "USD"}, {"items", {{{"id", "data"}, {"per_gb", "2.00"}}}}};
  return PriceList::make({month, month}, zone, parse_tariff(is_rich ? rich() : plain()).value(),
                         {{"airmobile", parse_tariff(own).value()}})
      .value();
}

// As a journal has them: meter by meter, second by second, in the evening, when a band ends.
std::vector<UsageRecord> records(uint64_t accounts, int64_t begin_ns) {
  std::vector<UsageRecord> all;
  for (int64_t second = 0; second < kSeconds; ++second) {
    const int64_t at = begin_ns + (22 * 3600 - kSeconds / 2 + second) * kSecondNs;
    for (uint64_t service = 1; service <= accounts; ++service) {
      for (uint16_t path = 0; path < std::size(kProviders); ++path) {
        for (Direction direction : {Direction::sent, Direction::received}) {
          for (Kind kind : {Kind::first, Kind::overhead}) {
            const uint64_t octets = static_cast<uint64_t>(second) * 1'000'000,
                           packets = octets / 1000;
            all.push_back({{.region = 1,
                            .service = service,
                            .path = path,
                            .direction = direction,
                            .kind = kind},
                           octets,
                           octets + 1'000'000,
                           packets,
                           packets + 1000,
                           at,
                           at + kSecondNs});
          }
        }
      }
    }
  }
  return all;
}

struct Account {
  explicit Account(const std::shared_ptr<const PriceList>& prices) : usage(prices) {
    for (const char* provider : kProviders)
      places.push_back(usage.place({provider, "net", provider, "site-a"}));
  }
  PeriodUsage usage;
  std::vector<PeriodUsage::PlaceId> places;  // by path
};

void charge(benchmark::State& state, bool is_rich) {
  const auto prices = price_list(is_rich);
  const auto count = static_cast<uint64_t>(state.range(0));
  const auto all = records(count, prices->part().from_ns);
  ExchangeRates rates;
  rates.add(
      parse_rates(
          {{"id", "r"}, {"date", "2026-06-30"}, {"base", "EUR"}, {"rates", {{"USD", "1.0834"}}}})
          .value());
  for (auto _ : state) {
    std::vector<Account> accounts(count, Account(prices));
    for (const UsageRecord& r : all) {
      Account& account = accounts[r.key.service - 1];
      account.usage.add(account.places[r.key.path], r.key.service, r.key.direction, r.key.kind,
                        {r.octets_to - r.octets_from, r.packets_to - r.packets_from},
                        {r.wall_from_ns, r.wall_to_ns});
    }
    for (const Account& account : accounts) {
      const auto charges = price(account.usage, rates);
      if (!charges) return state.SkipWithError(charges.error().c_str());
      benchmark::DoNotOptimize(charges->gross);
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(all.size()));
}

BENCHMARK_CAPTURE(charge, plain, false)->ArgName("accounts")->Arg(1)->Arg(100)->Arg(1000);
BENCHMARK_CAPTURE(charge, rich, true)->ArgName("accounts")->Arg(1)->Arg(100)->Arg(1000);

}  // namespace
}  // namespace anabranch::bench

BENCHMARK_MAIN();
