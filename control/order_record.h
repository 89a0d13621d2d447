// SPDX-License-Identifier: BSD-3-Clause
// What was ordered of a provider, and how it is kept. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>
#include <tl/expected.hpp>

#include "control/negotiation/negotiation.h"

namespace anabranch::control {

// A path of a provider that is ours for a window, half-open.
struct Order {
  std::string provider, id;  // the provider's id
  std::string client;        // for whose request
  negotiation::Wish wish;    // as it was asked for
  std::vector<negotiation::Price> prices;
  billing::Amount total;  // for the wish's volume and months
  int64_t made_ns = 0;    // UTC
  bool is_at(int64_t wall_ns) const { return wish.from_ns <= wall_ns && wall_ns < wish.until_ns; }
};

nlohmann::json to_json(const Order& order);
// The error is a sentence.
tl::expected<Order, std::string> order_from_json(const nlohmann::json& kept);
// As people read it.
nlohmann::json shown(const Order& order, int64_t wall_ns);

nlohmann::json to_json(const negotiation::Open& open);
tl::expected<negotiation::Open, std::string> open_from_json(const nlohmann::json& kept);

nlohmann::json to_json(const negotiation::Record& record);

// What we owe the provider, and pass on: the order's prices as a tariff document.
nlohmann::json tariff_of(const Order& order, const std::string& tariff);

}  // namespace anabranch::control
