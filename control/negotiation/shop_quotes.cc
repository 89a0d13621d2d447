// SPDX-License-Identifier: BSD-3-Clause
#include <fmt/format.h>

#include <algorithm>

#include "control/negotiation/desk.h"
#include "control/negotiation/moment.h"
#include "control/negotiation/raw_money.h"
#include "control/negotiation/shop_wanted.h"
#include "control/negotiation/tmf_fields.h"

namespace anabranch::negotiation {
namespace {

using nlohmann::json;

// Sums of reservations stay far below 2^64, and windows within what moments can say.
constexpr double kBandwidthMbpsMax = 1e9;
constexpr int64_t kWindowDefaultNs = 30 * 86'400 * kSecondNs;
constexpr int64_t kWindowMaxNs = 366 * 86'400 * kSecondNs;

json parsed_request(const std::string& body) {
  auto document = parse_body(body);
  if (!document) throw Refused{{"", "the body is refused: " + document.error()}};
  return std::move(*document);
}

using Characteristics = std::vector<std::pair<std::string, std::string>>;

std::optional<int64_t> moment_of(const Characteristics& list, const std::string& name,
                                 const Fields& at) {
  for (const auto& [key, value] : list) {
    if (key != name) continue;
    const auto moment = parse_moment(value);
    if (!moment) at.refuse(name, "is \"" + value + "\"; expected a moment");
    return moment;
  }
  return std::nullopt;
}

json price_json(const Price& price, const std::string& currency) {
  json body{{"price", {{"dutyFreeAmount", money_json(price.amount, currency)}}}};
  switch (price.per) {
    case Per::gigabyte:
      body["priceType"] = "usageBased";
      body["unitOfMeasure"] = "GB";
      break;
    case Per::month:
      body["priceType"] = "recurring";
      body["recurringChargePeriod"] = "month";
      break;
    case Per::once:
      body["priceType"] = "nonRecurring";
      break;
  }
  return body;
}

json characteristics_json(uint64_t bandwidth_mbps, const std::string& path,
                          std::optional<double> delay_ms, std::optional<double> loss_percent) {
  json list = json::array({{{"name", "path"}, {"value", path}},
                           {{"name", "bandwidthMbps"}, {"value", bandwidth_mbps}}});
  if (delay_ms) list.push_back({{"name", "delayMs"}, {"value", *delay_ms}});
  if (loss_percent) list.push_back({{"name", "lossPercent"}, {"value", *loss_percent}});
  return list;
}

bool is_over(const Shop::Sold& sold) {
  return sold.state == "rejected" || sold.state == "cancelled";
}

}  // namespace

Shop::Wanted Shop::read_wanted(const json& body, const char* items, const Asked& asked) const {
  const bool quote = std::string_view(items) == "quoteItem";
  const Fields top(body, "");
  Wanted wanted{.external_id = top.text("externalId", false)};
  const auto list = top.objects(items, 64);
  if (list.size() != 1) top.refuse(items, "has not one item; ask for each path by itself");
  const Fields& item = list.front();
  if (const auto quantity = item.number("quantity"); quantity && *quantity != 1)
    item.refuse("quantity", "is not 1; ask for each path by itself");
  if (const std::string action = item.text("action", false); !action.empty() && action != "add")
    item.refuse("action", "is \"" + action + "\"; expected \"add\"");
  if (quote && item.has("productOffering")) {
    const Fields offering = item.object("productOffering");
    if (const std::string id = offering.text("id"); id != terms_.offering)
      offering.refuse("id", "is \"" + id + "\"; offered is \"" + terms_.offering + "\"");
  }
  const Fields holder = item.object(quote ? "product" : "service");
  const auto asked_for =
      characteristics_of(holder, quote ? "productCharacteristic" : "serviceCharacteristic");
  const auto bandwidth = number_of(asked_for, "bandwidthMbps", holder);
  if (!bandwidth || *bandwidth < 1 || *bandwidth > kBandwidthMbpsMax)
    holder.refuse("bandwidthMbps", "is missing, or not 1 to 1000000000");
  wanted.bandwidth_mbps = static_cast<uint64_t>(*bandwidth);
  wanted.delay_ms_max = number_of(asked_for, "maxDelayMs", holder);
  wanted.loss_percent_max = number_of(asked_for, "maxLossPercent", holder);
  wanted.from_ns = moment_of(asked_for, "from", holder).value_or(asked.now_ns);
  wanted.until_ns =
      moment_of(asked_for, "until", holder).value_or(wanted.from_ns + kWindowDefaultNs);
  if (wanted.until_ns <= std::max(wanted.from_ns, asked.now_ns) ||
      wanted.until_ns - wanted.from_ns > kWindowMaxNs)
    holder.refuse("until", "is not after from and now, or more than 366 days after from");
  return wanted;
}

std::string Shop::lack(const Wanted& wanted, const std::optional<Spare>& spare,
                       int64_t now_ns) const {
  if (!spare) return "nothing is for sale then";
  const uint64_t reserved = reserved_mbps(wanted.from_ns, wanted.until_ns, now_ns);
  const uint64_t left = spare->bandwidth_mbps - std::min(spare->bandwidth_mbps, reserved);
  if (left < wanted.bandwidth_mbps) return fmt::format("{} Mbit/s are left then", left);
  if (wanted.delay_ms_max && (!spare->delay_ms || *spare->delay_ms > *wanted.delay_ms_max))
    return "the delay is longer, or not known";
  if (wanted.loss_percent_max &&
      (!spare->loss_percent || *spare->loss_percent > *wanted.loss_percent_max))
    return "more is lost, or it is not known";
  return {};
}

Reply Shop::qualify(const Asked& asked) {
  const json body = parsed_request(asked.body);
  const Wanted wanted = read_wanted(body, "serviceQualificationItem", asked);
  const auto spare = terms_.spare(wanted.from_ns, wanted.until_ns);
  const std::string why = lack(wanted, spare, asked.now_ns);
  json item{{"id", "1"},
            {"state", "done"},
            {"qualificationResult", why.empty() ? "qualified" : "unqualified"}};
  if (why.empty()) {
    const uint64_t reserved = reserved_mbps(wanted.from_ns, wanted.until_ns, asked.now_ns);
    item["service"] = {{"serviceCharacteristic",
                        characteristics_json(spare->bandwidth_mbps - reserved, spare->path,
                                             spare->delay_ms, spare->loss_percent)}};
  } else {
    item["eligibilityUnavailabilityReason"] = json::array({{{"code", "lack"}, {"label", why}}});
  }
  json answer{{"id", next_id('s')},
              {"state", "done"},
              {"checkServiceQualificationDate", moment_text(asked.now_ns)},
              {"effectiveQualificationDate", moment_text(asked.now_ns)},
              {"qualificationResult", item["qualificationResult"]},
              {"serviceQualificationItem", json::array({item})}};
  if (!wanted.external_id.empty()) answer["externalId"] = wanted.external_id;
  return reply_of(201, answer);
}

Reply Shop::make_quote(const Asked& asked) {
  const json body = parsed_request(asked.body);
  const Wanted wanted = read_wanted(body, "quoteItem", asked);
  // When it is wanted to be answered differs between a request and its repetition.
  const std::string same = sha256_of(body.at("quoteItem").dump());
  if (const Sold* before = find(asked.buyer, wanted.external_id, &Sold::external_id)) {
    if (before->asked == same) return reply_of(201, quote_json(*before));
    return error_reply(409, "conflict", "this externalId was used for something else");
  }
  size_t kept = 0, open = 0;
  for (const Sold& s : sold_) {
    if (s.buyer != asked.buyer) continue;
    ++kept;
    open += s.order.empty() && is_reserved(s, asked.now_ns);
  }
  if (open >= kOpenQuotesMax || kept >= kQuotesKeptMax)
    return error_reply(409, "tooMany", "you have too many quotes; let some go");
  const auto spare = terms_.spare(wanted.from_ns, wanted.until_ns);
  Sold sold{.id = next_id('q'), .external_id = wanted.external_id, .buyer = asked.buyer};
  sold.why = lack(wanted, spare, asked.now_ns);
  sold.state = sold.why.empty() ? "approved" : "rejected";
  sold.asked = same;
  sold.bandwidth_mbps = wanted.bandwidth_mbps;
  sold.from_ns = wanted.from_ns;
  sold.until_ns = wanted.until_ns;
  sold.made_ns = asked.now_ns;
  sold.valid_until_ns =
      sold.why.empty() ? asked.now_ns + terms_.quote_valid_s * kSecondNs : asked.now_ns;
  if (spare) {
    sold.path = spare->path;
    sold.delay_ms = spare->delay_ms;
    sold.loss_percent = spare->loss_percent;
    sold.prices = spare->prices;
    sold.currency = spare->currency;
  }
  changed_ = true;
  return reply_of(201, quote_json(sold_.emplace_back(std::move(sold))));
}

Reply Shop::change_quote(const Asked& asked, const std::string& id) {
  Sold* sold = find(asked.buyer, id, &Sold::id);
  if (sold == nullptr) return error_reply(404, "notFound", "you have no quote with this id");
  const json body = parsed_request(asked.body);
  const std::string state = Fields(body, "").text("state");
  if (state == sold->state) return reply_of(200, quote_json(*sold));
  if (state != "rejected" && state != "cancelled" && state != "accepted")
    return error_reply(400, "invalidBody", "/state is not rejected, cancelled or accepted");
  if (!sold->order.empty())
    return error_reply(409, "conflict", "the quote is ordered; cancel the order instead");
  if (is_over(*sold))
    return error_reply(409, "conflict", "the quote is " + sold->state + " already");
  sold->state = state;
  if (is_over(*sold)) sold->valid_until_ns = asked.now_ns;
  changed_ = true;
  return reply_of(200, quote_json(*sold));
}

json Shop::quote_json(const Sold& sold) const {
  json item{{"id", "1"},
            {"action", "add"},
            {"quantity", 1},
            {"state", sold.state},
            {"productOffering", {{"id", terms_.offering}}},
            {"product",
             {{"productCharacteristic", characteristics_json(sold.bandwidth_mbps, sold.path,
                                                             sold.delay_ms, sold.loss_percent)}}}};
  json body{{"id", sold.id},
            {"href", terms_.base_path + "/quoteManagement/v4/quote/" + sold.id},
            {"state", sold.state},
            {"quoteDate", moment_text(sold.made_ns)},
            {"effectiveQuoteCompletionDate", moment_text(sold.made_ns)},
            {"expectedFulfillmentStartDate", moment_text(sold.from_ns)},
            {"version", "1"}};
  if (!sold.external_id.empty()) body["externalId"] = sold.external_id;
  if (!sold.why.empty()) body["description"] = sold.why;
  if (sold.state != "rejected") {
    json prices = json::array();
    for (const Price& price : sold.prices) prices.push_back(price_json(price, sold.currency));
    item["quoteItemPrice"] = prices;
    body["quoteTotalPrice"] = prices;
    body["validFor"] = {{"startDateTime", moment_text(sold.made_ns)},
                        {"endDateTime", moment_text(sold.valid_until_ns)}};
  }
  body["quoteItem"] = json::array({std::move(item)});
  return body;
}

}  // namespace anabranch::negotiation
