// SPDX-License-Identifier: BSD-3-Clause
// Settlement: what a provider claims, beside what we metered and what its tariff comes to.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "billing/money.h"

namespace anabranch::billing {

// A line of a provider's bill.
struct ProviderClaim {
  std::string gateway, path;
  int64_t from_ns = 0, to_ns = 0;
  uint64_t octets = 0;
  std::string currency;
  Amount amount;
};

// Of octets and of amounts, each in millionths of ours. Less is agreed.
struct Tolerance {
  uint32_t octets_ppm = 1000;
  uint32_t amount_ppm = 1000;
};

enum class SettlementState { agreed, disputed, not_claimed, not_metered };
inline constexpr const char* kSettlementStateNames[] = {"agreed", "disputed", "not claimed",
                                                        "not metered"};

struct SettlementLine {
  std::string gateway, path, currency;
  uint64_t metered_octets = 0, claimed_octets = 0;
  Amount cost, claimed;  // ours, theirs
  SettlementState state = SettlementState::agreed;
};

struct Settlement {
  std::string provider;
  int64_t from_ns = 0, to_ns = 0;
  std::vector<SettlementLine> lines;  // by gateway, path, currency
  // Usage or claims that lie partly outside: not in the lines, so the report is not complete.
  uint64_t straddling = 0;
  bool agreed() const;
};

std::string to_text(const Settlement& settlement);
nlohmann::json to_json(const Settlement& settlement);

}  // namespace anabranch::billing
