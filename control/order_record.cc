// SPDX-License-Identifier: BSD-3-Clause
#include "control/order_record.h"

#include <array>

#include "control/json_reader.h"
#include "control/negotiation/moment.h"

namespace anabranch::control {
namespace {

using negotiation::Open;
using negotiation::Per;
using negotiation::Wish;
using nlohmann::json;

constexpr std::array<std::pair<const char*, Per>, 3> kPerNames{
    {{"gb", Per::gigabyte}, {"month", Per::month}, {"once", Per::once}}};
constexpr std::array<std::pair<const char*, Open::Kind>, 2> kOpenNames{
    {{"quote", Open::Kind::quote}, {"order", Open::Kind::order}}};

template <typename Names, typename Value>
const char* name_in(const Names& names, Value value) {
  for (const auto& [name, each] : names) {
    if (each == value) return name;
  }
  return "";
}

billing::Amount amount_in(const json& text) {
  const auto amount = billing::parse_amount(text.get<std::string>());
  if (!amount) throw std::invalid_argument(text.dump() + " is no amount");
  return *amount;
}

std::optional<double> number_in(const json& value) {
  return value.is_null() ? std::nullopt : std::optional(value.get<double>());
}

json wish_json(const Wish& wish) {
  return {{"id", wish.id},
          {"buyer", wish.buyer},
          {"offering", wish.offering},
          {"bandwidth_mbps", wish.bandwidth_mbps},
          {"delay_ms_max", or_null(wish.delay_ms_max)},
          {"loss_percent_max", or_null(wish.loss_percent_max)},
          {"from_ns", wish.from_ns},
          {"until_ns", wish.until_ns},
          {"currency", wish.currency},
          {"volume_gb", wish.volume_gb},
          {"months", wish.months},
          {"budget", wish.budget ? json(billing::to_text(*wish.budget)) : json()},
          {"valid_s_min", wish.valid_s_min}};
}

Wish wish_in(const json& kept) {
  Wish wish;
  wish.id = kept.at("id");
  wish.buyer = kept.at("buyer");
  wish.offering = kept.at("offering");
  wish.bandwidth_mbps = kept.at("bandwidth_mbps");
  wish.delay_ms_max = number_in(kept.at("delay_ms_max"));
  wish.loss_percent_max = number_in(kept.at("loss_percent_max"));
  wish.from_ns = kept.at("from_ns");
  wish.until_ns = kept.at("until_ns");
  wish.currency = kept.at("currency");
  wish.volume_gb = kept.at("volume_gb");
  wish.months = kept.at("months");
  if (!kept.at("budget").is_null()) wish.budget = amount_in(kept.at("budget"));
  wish.valid_s_min = kept.at("valid_s_min");
  return wish;
}

json prices_json(const std::vector<negotiation::Price>& prices) {
  json all = json::array();
  for (const negotiation::Price& price : prices) {
    all.push_back(
        {{"per", name_in(kPerNames, price.per)}, {"amount", billing::to_text(price.amount)}});
  }
  return all;
}

template <typename Read>
auto reading(Read read) -> tl::expected<decltype(read()), std::string> {
  try {
    return read();
  } catch (const std::exception& error) {
    return tl::unexpected(std::string("not as it was written: ") + error.what());
  }
}

template <typename Names>
auto value_in(const Names& names, const json& name) {
  const auto value = by_name(names, name.get<std::string>());
  if (!value) throw std::invalid_argument(name.dump() + " is not known");
  return *value;
}

}  // namespace

json to_json(const Order& order) {
  return {{"provider", order.provider},
          {"id", order.id},
          {"client", order.client},
          {"wish", wish_json(order.wish)},
          {"prices", prices_json(order.prices)},
          {"total", billing::to_text(order.total)},
          {"made_ns", order.made_ns}};
}

tl::expected<Order, std::string> order_from_json(const json& kept) {
  return reading([&] {
    Order order;
    order.provider = kept.at("provider");
    order.id = kept.at("id");
    order.client = kept.at("client");
    order.wish = wish_in(kept.at("wish"));
    for (const json& price : kept.at("prices")) {
      order.prices.push_back({value_in(kPerNames, price.at("per")), amount_in(price.at("amount"))});
    }
    order.total = amount_in(kept.at("total"));
    order.made_ns = kept.at("made_ns");
    return order;
  });
}

json shown(const Order& order, int64_t wall_ns) {
  return {{"provider", order.provider},
          {"order", order.id},
          {"negotiation", order.wish.id},
          {"client", order.client},
          {"state", order.is_at(wall_ns) ? "in force" : "reserved"},
          {"bandwidth_mbps", order.wish.bandwidth_mbps},
          {"from", negotiation::moment_text(order.wish.from_ns)},
          {"until", negotiation::moment_text(order.wish.until_ns)},
          {"prices", prices_json(order.prices)},
          {"currency", order.wish.currency}};
}

json to_json(const Open& open) {
  return {{"provider", open.provider},
          {"kind", name_in(kOpenNames, open.kind)},
          {"id", open.id},
          {"external_id", open.external_id},
          {"valid_until_ns", open.valid_until_ns},
          {"settled_ns", open.settled_ns},
          {"was_ordered", open.was_ordered},
          {"why", open.why}};
}

tl::expected<Open, std::string> open_from_json(const json& kept) {
  return reading([&] {
    Open open;
    open.provider = kept.at("provider");
    open.kind = value_in(kOpenNames, kept.at("kind"));
    open.id = kept.at("id");
    open.external_id = kept.at("external_id");
    open.valid_until_ns = kept.at("valid_until_ns");
    open.settled_ns = kept.at("settled_ns");
    open.was_ordered = kept.at("was_ordered");
    open.why = kept.at("why");
    return open;
  });
}

json to_json(const negotiation::Record& record) {
  return {{"ended", negotiation::moment_text(record.ended_ns)},
          {"provider", record.provider},
          {"method", record.method},
          {"path", record.path},
          {"status", record.status},
          {"failure", record.failure},
          {"request_sha256", record.request_sha256},
          {"answer_sha256", record.answer_sha256}};
}

// What is due once is passed on with the first month's price.
json tariff_of(const Order& order, const std::string& tariff) {
  billing::Amount per_gb, fee;
  for (const negotiation::Price& price : order.prices) {
    if (price.per == Per::gigabyte)
      per_gb += price.amount;
    else
      fee += price.amount;
  }
  json items = json::array();
  items.push_back({{"id", "usage"},
                   {"description", "as ordered: " + order.id},
                   {"per_gb", billing::to_text(per_gb)}});
  if (fee != billing::Amount())
    items.push_back(
        {{"id", "fee"}, {"flat", billing::to_text(fee)}, {"providers", {order.provider}}});
  return {{"id", tariff}, {"currency", order.wish.currency}, {"items", items}};
}

}  // namespace anabranch::control
