// SPDX-License-Identifier: BSD-3-Clause
// A service level agreement's half that is about money: how the client is billed, and what is
// credited when a promise was not kept. Its other half, "objectives", is control's.
//
//   {"id": "gold", "billing": {"statements": "by-provider"},
//    "promises": [
//      {"of": "availability", "credits": [{"below": "99.9", "percent": "10"},
//                                         {"below": "99", "percent": "25"}]},
//      {"of": "latency", "ms": "60", "credits": [{"below": "95", "percent": "5"}]},
//      {"of": "loss", "percent": "0.5", "credits": [{"below": "99", "percent": "5"}]}]}
//
// Each promise is of a percentage: of the time the service was available, or of its minutes in
// which latency one way (half the round trip), or loss, was not above the limit. What is credited
// is a percentage of what the service came to in the period, without tax: that of the lowest bound
// that was missed.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>
#include <tl/expected.hpp>

#include "billing/document_reader.h"
#include "billing/ledger_closing.h"
#include "billing/money.h"
#include "billing/preferences.h"

namespace anabranch::billing {

struct Promise {
  enum class Of : uint8_t { availability, latency, loss };
  struct Credit {
    Amount below, percent;  // "99.9" is 99.9: decimal numbers, not money
  };
  Of of = Of::availability;
  Amount limit;                 // ms, or percent
  std::vector<Credit> credits;  // the highest bound first; that one is what is promised
};
inline constexpr std::array<std::string_view, 3> kPromiseNames{"availability", "latency", "loss"};

struct Agreement {
  std::string id;
  Preferences billing;
  std::vector<Promise> promises;
};
tl::expected<Agreement, DocumentErrors> parse_agreement(const nlohmann::json& document);

// How a promise was kept, by a service's minutes of the period.
struct Kept {
  Amount percent;                    // cut off behind four decimals
  uint64_t minutes = 0, missed = 0;  // missed: not fully available, or above the limit
};
// nullopt: nothing was measured, so nothing can be said.
std::optional<Kept> kept(const Promise& promise, std::span<const Measurement> minutes);
// The percentage to be credited: zero when the promise was kept.
Amount credit_percent(const Promise& promise, const Kept& kept);

}  // namespace anabranch::billing
