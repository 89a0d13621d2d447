// SPDX-License-Identifier: BSD-3-Clause
// Paths, profiles and requests the tests choose among.
#pragma once

#include <random>

#include "control/decision.h"
#include "control/scenario.h"

namespace anabranch::control {

// 10^18 units for 10^9 octets are 10^9 for one.
constexpr Uint128 kUnitPerGb = 1'000'000'000;

// The quickstart's links: 100, 50 and 20 Mbit/s of three providers, at 0.50, 2.40 and 0.35 EUR/GB.
inline std::vector<PathState> three_links() {
  const auto link = [](const char* name, const char* provider, const char* network, uint8_t index,
                       uint64_t mbits, double rtt_ms, uint32_t cents) {
    return PathState{.name = name,
                     .provider = provider,
                     .network = network,
                     .index = index,
                     .alive = true,
                     .rtt_ms = rtt_ms,
                     .rtt_min_ms = rtt_ms,
                     .rtt_variation_ms = 1,
                     .availability = 1,
                     .rate_up_bps = mbits * 1'000'000,
                     .rate_down_bps = mbits * 1'000'000,
                     .price_attos_per_octet = kUnitPerGb * cents / 100};
  };
  return {link("fibre", "northfibre", "northfibre-ftth", 1, 100, 20, 50),
          link("mobile", "airmobile", "airmobile-5g", 2, 50, 60, 240),
          link("dsl", "coppertel", "coppertel-vdsl", 3, 20, 40, 35)};
}

// With nothing to choose between them but their names.
inline std::vector<PathState> two_equal_links() {
  std::vector<PathState> paths(2, three_links()[0]);
  paths[1].name = "cable";
  paths[1].provider = "harbourcable";
  paths[1].network = "harbourcable-docsis";
  paths[1].index = 2;
  return paths;
}

inline std::vector<std::string> names_of(const Scenario& s) {
  std::vector<std::string> names;
  for (const auto& share : s.shares) names.push_back(share.name);
  return names;
}

// Anything a gateway may see: up to six paths, two or three to a provider, of any quality and
// price.
inline std::vector<PathState> any_paths(std::mt19937& random) {
  const auto part = [&] { return std::uniform_real_distribution<double>(0, 1)(random); };
  std::vector<PathState> paths(1 + random() % 6);
  for (size_t i = 0; i < paths.size(); ++i) {
    PathState& p = paths[i];
    p.name = "link" + std::to_string(i);
    p.provider = "provider" + std::to_string(random() % 3);
    p.network = p.provider + "-" + std::to_string(random() % 2);
    p.index = static_cast<uint8_t>(i + 1);
    p.alive = random() % 5 != 0;
    p.held_back_s = random() % 8 == 0 ? 4 : 0;
    p.rtt_ms = random() % 10 == 0 ? 0 : 300 * part();
    p.rtt_variation_ms = 50 * part();
    p.loss_up = random() % 2 == 0 ? 0 : part() * part() * part();
    p.loss_down = random() % 2 == 0 ? 0 : part() * part() * part();
    p.availability = random() % 2 == 0 ? 1 : part();
    p.rate_up_bps = 1 + random() % 200'000'000;
    p.rate_down_bps = 1 + random() % 1'000'000'000;
    p.mtu = static_cast<uint32_t>(576 + random() % 925);
    p.price_attos_per_octet = random() % 5 == 0 ? 0 : kUnitPerGb * (random() % 500) / 100;
    for (PathRecord& record : p.records) {
      if (random() % 3 == 0) continue;
      record = {.samples = static_cast<uint32_t>(1 + random() % 60),
                .latency_ms = 150 * part(),
                .jitter_ms = 50 * part(),
                .loss = random() % 2 == 0 ? 0 : part() * part(),
                .availability = random() % 3 == 0 ? static_cast<double>(random() % 2) : part(),
                .rate_kept = random() % 2 == 0 ? 1 : part()};
    }
  }
  return paths;
}

// One to three things an agreement may say.
inline std::vector<Objective> any_objectives(std::mt19937& random) {
  std::vector<Objective> all(1 + random() % 3);
  for (Objective& o : all) {
    o.of = static_cast<Objective::Of>(random() % kObjectiveNames.size());
    o.window = static_cast<Window>(random() % kWindowNames.size());
    constexpr std::array kMost{100'000'000.0, 300'000'000.0, 200.0, 60.0, 10.0, 100.0};
    o.limit =
        kMost[static_cast<size_t>(o.of)] * std::uniform_real_distribution<double>(0.1, 1)(random);
  }
  return all;
}

inline Profile any_profile(std::mt19937& random) {
  Profile profile{.id = "any"};
  for (int i = 0; i < 3; ++i) {
    const std::string provider = "provider" + std::to_string(i);
    profile.providers.emplace_back(provider, static_cast<Standing>(random() % 4));
    profile.networks.emplace_back(provider + "-1", static_cast<Standing>(random() % 4));
  }
  profile.providers.resize(random() % 4);
  profile.networks.resize(random() % 4);
  profile.quality_percent = static_cast<uint8_t>(random() % 101);
  constexpr std::array kAll{
      Dispersion::weighted,  Dispersion::earliest_delivery, Dispersion::flow,   Dispersion::flowlet,
      Dispersion::redundant, Dispersion::priority,          Dispersion::standby};
  if (random() % 3 == 0) profile.dispersions = {kAll[random() % kAll.size()]};
  return profile;
}

inline ServiceRequest any_request(std::mt19937& random) {
  ServiceRequest request;
  if (random() % 4 == 0) request.rate_up_bps = 1 + random() % 150'000'000;
  if (random() % 4 == 0) request.rate_down_bps = 1 + random() % 600'000'000;
  if (random() % 4 == 0) request.latency_ms_max = random() % 150;
  if (random() % 4 == 0) request.loss_percent_max = (random() % 100) / 10.0;
  if (random() % 3 == 0) {
    request.price_per_gb_max =
        std::to_string(random() % 4) + "." + std::to_string(10 + random() % 90);
  }
  return request;
}

// What a decision is made of, as a gateway may see it; ratings and the one in force too.
inline Decision any_inputs(std::mt19937& random) {
  Decision d;
  d.paths = any_paths(random);
  d.profile = any_profile(random);
  d.profile.prefer_highest_rated = static_cast<HighestRated>(random() % 3);
  d.request = any_request(random);
  if (random() % 4 == 0) d.request.objectives = any_objectives(random);
  d.currency = "EUR";
  d.ratings = rate(d.paths);
  if (random() % 3 == 0) {
    for (PathState& p : d.paths) {
      p.held_up_bps = random() % 100'000'000;
      p.shared_by = 3;
    }
  }
  const auto possible = candidates(d.paths, d.profile);
  if (!possible.empty() && random() % 2 == 0) d.in_force = possible[random() % possible.size()];
  return d;
}

}  // namespace anabranch::control
