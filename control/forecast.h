// SPDX-License-Identifier: BSD-3-Clause
// How well scenarios were predicted: what was expected of each service, beside what was measured
// some seconds later.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include <nlohmann/json.hpp>

#include "control/scenario.h"

namespace anabranch::control {

// Medians of |expected − measured| / measured over the last minute; nullopt: nothing to compare.
// What is next to nothing (below 64 kbit/s, 1 ms, 0.1 % loss) is taken for so much.
struct ForecastError {
  std::optional<double> goodput, latency, loss;
};
nlohmann::json to_json(const ForecastError& error);  // null where there is nothing

// Not thread-safe. 1 kB a service.
class Forecasts {
 public:
  static constexpr int64_t kHorizonS = 10;
  static constexpr size_t kWindow = 60;

  // Once a second and service. `in_force.expected` is what its paths are measured to be now, and so
  // what the prediction of kHorizonS ago is compared with, if the same combination was in force.
  // `delivered_up_bps`: payload that arrived, where links were full; else nullopt.
  void add(uint64_t service, int64_t second, const Scenario& in_force,
           std::optional<double> delivered_up_bps);
  // Those that were not added at `second` have ended.
  void forget_others(int64_t second);

  ForecastError of(uint64_t service) const;
  // The median of all services' errors.
  ForecastError all() const;

 private:
  enum Quantity : size_t { goodput, latency, loss, kQuantities };
  struct Expectation {
    int64_t second = INT64_MIN;
    std::array<float, kQuantities> values{};
  };
  struct Errors {
    Scenario combination;  // of which the expectations are
    int64_t seen = -1;
    std::array<Expectation, kHorizonS> expected;                 // by second
    std::array<std::array<float, kWindow>, kQuantities> errors;  // by second; below 0: none
    Errors();
  };
  static std::optional<double> median_of(std::vector<float>& values);
  static void collect(const Errors& of, size_t quantity, std::vector<float>& values);

  std::map<uint64_t, Errors> services_;
};

}  // namespace anabranch::control
