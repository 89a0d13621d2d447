// SPDX-License-Identifier: BSD-3-Clause
#include "control/negotiation/shop.h"

#include <stdexcept>

namespace anabranch::negotiation {
namespace {

using nlohmann::json;

constexpr int kStateVersion = 1;

json number_or_null(const std::optional<double>& number) {
  return number ? json(*number) : json();
}

std::optional<double> optional_number(const json& value) {
  return value.is_null() ? std::nullopt : std::optional(value.get<double>());
}

json sold_json(const Shop::Sold& s) {
  json prices = json::array();
  for (const Price& p : s.prices)
    prices.push_back({static_cast<int>(p.per), billing::to_text(p.amount, 0)});
  return {{"id", s.id},
          {"external_id", s.external_id},
          {"buyer", s.buyer},
          {"state", s.state},
          {"why", s.why},
          {"asked", s.asked},
          {"path", s.path},
          {"delay_ms", number_or_null(s.delay_ms)},
          {"loss_percent", number_or_null(s.loss_percent)},
          {"bandwidth_mbps", s.bandwidth_mbps},
          {"from_ns", s.from_ns},
          {"until_ns", s.until_ns},
          {"made_ns", s.made_ns},
          {"valid_until_ns", s.valid_until_ns},
          {"prices", std::move(prices)},
          {"currency", s.currency},
          {"order", s.order},
          {"order_external_id", s.order_external_id},
          {"order_cancelled", s.order_cancelled},
          {"ordered_ns", s.ordered_ns}};
}

Price read_stored_price(const json& pair) {
  const int per = pair.at(0).get<int>();
  const auto amount = billing::parse_amount(pair.at(1).get_ref<const std::string&>());
  if (per < 0 || per > static_cast<int>(Per::once) || !amount)
    throw std::runtime_error("a price is " + pair.dump());
  return {static_cast<Per>(per), *amount};
}

Shop::Sold read_sold(const json& j) {
  Shop::Sold s{.id = j.at("id"), .external_id = j.at("external_id"), .buyer = j.at("buyer")};
  s.state = j.at("state");
  s.why = j.at("why");
  s.asked = j.at("asked");
  s.path = j.at("path");
  s.delay_ms = optional_number(j.at("delay_ms"));
  s.loss_percent = optional_number(j.at("loss_percent"));
  s.bandwidth_mbps = j.at("bandwidth_mbps");
  s.from_ns = j.at("from_ns");
  s.until_ns = j.at("until_ns");
  s.made_ns = j.at("made_ns");
  s.valid_until_ns = j.at("valid_until_ns");
  for (const json& price : j.at("prices")) s.prices.push_back(read_stored_price(price));
  s.currency = j.at("currency");
  s.order = j.at("order");
  s.order_external_id = j.at("order_external_id");
  s.order_cancelled = j.at("order_cancelled");
  s.ordered_ns = j.at("ordered_ns");
  return s;
}

}  // namespace

json Shop::state() const {
  json sold = json::array();
  for (const Sold& s : sold_) sold.push_back(sold_json(s));
  return {{"version", kStateVersion}, {"made", made_}, {"sold", std::move(sold)}};
}

tl::expected<void, std::string> Shop::restore(const json& state) {
  try {
    if (state.at("version") != kStateVersion)
      return tl::unexpected("the shop's state is of version " + state.at("version").dump());
    std::vector<Sold> sold;
    for (const json& each : state.at("sold")) sold.push_back(read_sold(each));
    made_ = state.at("made");
    sold_ = std::move(sold);
    return {};
  } catch (const std::exception& e) {
    return tl::unexpected(std::string("the shop's state cannot be read: ") + e.what());
  }
}

}  // namespace anabranch::negotiation
