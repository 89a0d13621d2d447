// SPDX-License-Identifier: BSD-3-Clause
// The preferred scenarios of all services at once: services that are equal in all that theirs are
// chosen by are one kind, and each kind is decided once. Pure: the same services, the same choices,
// on however many threads.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "control/scenario.h"

namespace anabranch::control {

// The paths as one tariff prices them.
struct PricedPaths {
  std::vector<PathState> paths;
  std::string currency;
};

// One service. All outlive the call; profiles and markets are told apart by their addresses.
struct Asking {
  const PricedPaths* market = nullptr;
  const Profile* profile = nullptr;
  const ServiceRequest* request = nullptr;
  const Scenario* in_force = nullptr;  // or nullptr
};

// What one kind gets. A service is admitted already: when its request cannot be met it is carried
// as well as can be, and `refusal` says what is not kept. Without a scenario no path may be used.
struct Decided {
  std::optional<Scenario> scenario;
  std::string refusal;
  bool operator==(const Decided&) const = default;
};

struct Round {
  std::vector<Decided> kinds;
  std::vector<uint32_t> kind_of;  // by service
  const Decided& of(size_t service) const { return kinds[kind_of[service]]; }
};

// Cost: some 100 ns a service, and what a kind costs (bench/prefer_bench), on all CPUs the calling
// thread may run on.
Round recompute(const std::vector<Asking>& services, const Ratings& ratings);

}  // namespace anabranch::control
