// SPDX-License-Identifier: BSD-3-Clause
// The preferred scenarios of all services at once: services that are equal in all that theirs are
// chosen by are one kind, and each kind is decided once. Pure: the same services, the same choices,
// on however many threads.
//
// Paths are shared by what services ask for. A kind is decided beside what is set aside for all of
// higher priority, and for its equals of the same priority that are in force or have had their
// turn: the least rate for its weight first. What it gets it may move onto, but takes from nobody.
// Where a path cannot carry any more what those of one priority have set aside, it is divided among
// them by weight (max-min: none gets more than it asks for, and what one leaves goes to the
// others), and whoever gets less has a request that is not kept. Those that ask for no rate have
// set nothing aside, and see what all others leave.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/reservation.h"
#include "control/scenario.h"

namespace anabranch::control {

class Remembered;

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

// How one kind sees the paths: beside what others hold, and as so many equals.
struct View {
  Holds held{};
  uint32_t equals = 1;
  bool operator==(const View&) const = default;
};

// What one kind gets. A service is admitted already: when its request cannot be met it is carried
// as well as can be, and `refusal` says what is not kept. What it asks for is set aside all the
// same, and divided. Without a scenario no path may be used.
struct Decided {
  std::optional<Scenario> scenario;
  std::string refusal;
  // By which it was decided; in force is that of the first of them.
  View view;
  std::optional<Scenario> in_force;
  bool operator==(const Decided&) const = default;
};

struct Round {
  std::vector<Decided> kinds;
  std::vector<uint32_t> kind_of;  // by service
  const Decided& of(size_t service) const { return kinds[kind_of[service]]; }
};

// Cost: some 100 ns a service, and what a kind costs (bench/prefer_bench), on all CPUs the calling
// thread may run on; more, where one moves and others see the paths otherwise for it.
Round recompute(const std::vector<Asking>& services, const Ratings& ratings);

// The same, round by round: a kind is given what it was given in the last one, and costs two
// microseconds, where all that it is decided by is the same. Its addresses may be others.
class Rounds {
 public:
  Rounds();
  ~Rounds();
  Round next(const std::vector<Asking>& services, const Ratings& ratings);

 private:
  std::unique_ptr<Remembered> last_;
};

}  // namespace anabranch::control
