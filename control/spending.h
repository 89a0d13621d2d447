// SPDX-License-Identifier: BSD-3-Clause
// What services with a budget have cost so far, by the guide price that each octet had when it was
// carried: what a budget is held against while the period's bill is not made yet. Control thread.
#pragma once

#include <array>
#include <cstdint>
#include <map>

#include <nlohmann/json.hpp>
#include <tl/expected.hpp>

#include "billing/money.h"
#include "dataplane/bounds.h"

namespace anabranch::control {

class Spending {
 public:
  // By path: octets counted until now, and what one costs.
  using Octets = std::array<uint64_t, dataplane::kPathsMax>;
  using Prices = std::array<billing::Amount, dataplane::kPathsMax>;

  // What came since the last time is charged. Octets lower than then: meters that began anew.
  void count(uint64_t service, const Octets& octets, const Prices& per_octet);
  billing::Amount spent(uint64_t service) const;
  void forget(uint64_t service) { services_.erase(service); }
  bool empty() const { return services_.empty(); }

  nlohmann::json to_json() const;
  // The error is a sentence.
  static tl::expected<Spending, std::string> from_json(const nlohmann::json& kept);

 private:
  struct Service {
    Octets octets{};
    billing::Amount spent;
  };
  std::map<uint64_t, Service> services_;
};

}  // namespace anabranch::control
