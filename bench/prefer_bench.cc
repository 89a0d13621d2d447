// SPDX-License-Identifier: BSD-3-Clause
// What it takes to decide for all services again: 16 paths of 5 providers.
#include <benchmark/benchmark.h>

#include <random>

#include "control/recompute.h"

namespace anabranch::bench {
namespace {

using namespace control;

constexpr size_t kServices = 10'000;
constexpr size_t kPaths = 16, kProviders = 5;

PathState a_path(size_t i, std::mt19937& random) {
  const auto between = [&](double from, double to) {
    return std::uniform_real_distribution<double>(from, to)(random);
  };
  PathState p;
  p.name = "link" + std::to_string(i);
  p.provider = "provider" + std::to_string(i % kProviders);
  p.network = p.provider + "-" + std::to_string(i / kProviders % 2);
  p.index = static_cast<uint8_t>(i);
  p.alive = true;
  p.rtt_min_ms = between(8, 90);
  p.rtt_ms = p.rtt_min_ms * between(1, 1.3);
  p.rtt_variation_ms = between(0.5, 10);
  p.loss_up = i % 3 == 0 ? 0 : between(0, 0.01);
  p.loss_down = i % 3 == 0 ? 0 : between(0, 0.01);
  p.availability = 1;
  p.rate_up_bps = static_cast<uint64_t>(between(10e6, 300e6));
  p.rate_down_bps = static_cast<uint64_t>(between(20e6, 1000e6));
  p.price_attos_per_octet = static_cast<Uint128>(between(20, 300)) * 10'000'000;
  return p;
}

Profile a_profile(size_t i) {
  Profile p{.id = "profile" + std::to_string(i)};
  p.quality_percent = static_cast<uint8_t>(10 * (i % 11));
  if (i % 3 == 1) p.providers = {{"provider0", Standing::prefer}, {"provider3", Standing::avoid}};
  if (i % 5 == 4) p.networks = {{"provider2-1", Standing::never}};
  if (i % 4 == 2) p.prefer_highest_rated = HighestRated::provider;
  if (i % 10 == 7) p.dispersions = {Dispersion::priority, Dispersion::standby};
  if (i % 10 == 8) p.dispersions = {Dispersion::redundant};
  return p;
}

// All of them together ask for a part of what the links carry.
ServiceRequest a_request(size_t i) {
  ServiceRequest r;
  if (i % 10 != 0) r.rate_up_bps = 1'000 * (1 + i * i % 199);
  if (i % 3 != 0) r.rate_down_bps = 1'000 * (1 + 7 * i % 499);
  if (i % 4 == 1) r.latency_ms_max = static_cast<double>(20 + i % 40);
  if (i % 5 == 2) r.loss_percent_max = 0.5;
  if (i % 5 == 3) r.price_per_gb_max = "1.50";
  return r;
}

struct Gateway {
  explicit Gateway(size_t kinds) {
    std::mt19937 random(1);
    markets.resize(3);
    for (size_t i = 0; i < kPaths; ++i) {
      const PathState path = a_path(i, random);
      for (size_t m = 0; m < markets.size(); ++m) {
        markets[m].paths.push_back(path);
        markets[m].paths.back().price_attos_per_octet += m * 1'000'000 * (i % 4);
        markets[m].currency = "EUR";
      }
    }
    for (size_t i = 0; i < 10; ++i) profiles.push_back(a_profile(i));
    for (size_t i = 0; i < kinds; ++i) {
      requests.push_back(a_request(i / 10));
      if (kinds > 100) requests.back().rate_up_bps = 10'000 + 13 * i;
    }
    in_force.resize(kServices);
    ratings = rate(markets[0].paths);
    for (size_t i = 0; i < kServices; ++i) {
      const size_t kind = i % kinds;
      services.push_back({&markets[kind % 3], &profiles[kind % 10], &requests[kind], nullptr});
    }
    for (int round = 0; round < 4; ++round) adopt(rounds.next(services, ratings));
  }

  // As services do: what is worth it is put in force.
  void adopt(const Round& round) {
    for (size_t i = 0; i < kServices; ++i) {
      const auto& decided = round.of(i).scenario;
      if (!decided) continue;
      if (services[i].in_force == nullptr || worth_replacing(in_force[i], *decided))
        in_force[i] = *decided;
      for (size_t k = 0; k < in_force[i].shares.size(); ++k) {
        in_force[i].shares[k].reserved_up_bps = decided->shares[k].reserved_up_bps;
        in_force[i].shares[k].reserved_down_bps = decided->shares[k].reserved_down_bps;
      }
      services[i].in_force = &in_force[i];
    }
  }

  // As it is a second later: what is measured of so many paths is a little different.
  void measure(std::mt19937& random, size_t paths) {
    for (size_t at = 0; at < paths; ++at) {
      const size_t i = paths == kPaths ? at : random() % kPaths;
      const double times = std::uniform_real_distribution<double>(0.97, 1.03)(random);
      for (PricedPaths& market : markets) {
        market.paths[i].rtt_ms *= times;
        market.paths[i].loss_up *= times;
      }
    }
    ratings = rate(markets[0].paths);
  }

  std::vector<PricedPaths> markets;
  std::vector<Profile> profiles;
  std::vector<ServiceRequest> requests;
  std::vector<Scenario> in_force;
  std::vector<Asking> services;
  Ratings ratings;
  Rounds rounds;
};

void recompute_services(benchmark::State& state, size_t changed) {
  Gateway gateway(static_cast<size_t>(state.range(0)));
  std::mt19937 random(2);
  size_t refused = 0, kinds = 0;
  for (auto _ : state) {
    state.PauseTiming();
    gateway.measure(random, changed);
    state.ResumeTiming();
    const Round round = gateway.rounds.next(gateway.services, gateway.ratings);
    benchmark::DoNotOptimize(round.kind_of.data());
    state.PauseTiming();
    gateway.adopt(round);
    kinds = round.kinds.size();
    refused = 0;
    for (const Decided& kind : round.kinds) refused += kind.refusal.empty() ? 0 : 1;
    state.ResumeTiming();
  }
  state.counters["kinds"] = static_cast<double>(kinds);
  state.counters["rounds_per_second"] =
      benchmark::Counter(static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
  state.counters["refused"] = static_cast<double>(refused);
}
void recompute_all(benchmark::State& state) {
  recompute_services(state, kPaths);
}
void recompute_one_changed_link(benchmark::State& state) {
  recompute_services(state, 1);
}
void recompute_nothing_changed(benchmark::State& state) {
  recompute_services(state, 0);
}
BENCHMARK(recompute_all)
    ->ArgName("kinds")
    ->Arg(1)
    ->Arg(10)
    ->Arg(100)
    ->Arg(1000)
    ->Arg(10'000)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(recompute_one_changed_link)
    ->ArgName("kinds")
    ->Arg(10)
    ->Arg(100)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(recompute_nothing_changed)
    ->ArgName("kinds")
    ->Arg(100)
    ->Arg(10'000)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

// One kind alone, over so many paths.
void prefer_one(benchmark::State& state) {
  Gateway gateway(100);
  for (PricedPaths& market : gateway.markets)
    market.paths.resize(static_cast<size_t>(state.range(0)));
  size_t i = 0;
  for (auto _ : state) {
    const Asking& a = gateway.services[i++ % 100];
    benchmark::DoNotOptimize(prefer(a.market->paths, *a.profile, *a.request, a.market->currency,
                                    a.in_force, &gateway.ratings));
  }
}
BENCHMARK(prefer_one)
    ->ArgName("paths")
    ->Arg(3)
    ->Arg(8)
    ->Arg(12)
    ->Arg(16)
    ->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace anabranch::bench

BENCHMARK_MAIN();
