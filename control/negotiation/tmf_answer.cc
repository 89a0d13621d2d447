// SPDX-License-Identifier: BSD-3-Clause
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "control/negotiation/moment.h"
#include "control/negotiation/tmf_fields.h"

namespace anabranch::negotiation {
namespace {

using nlohmann::json;

constexpr size_t kPricesMax = 16;
constexpr size_t kListedMax = 64;
constexpr size_t kShownReasonsMax = 3;
// How far a provider's clock may be ahead of ours before its quote begins "later".
constexpr int64_t kClockSkewNs = 60 * kSecondNs;

bool is_one_of(const std::string& text, std::initializer_list<const char*> names) {
  return std::any_of(names.begin(), names.end(), [&](const char* name) { return text == name; });
}

json parsed(const std::string& body) {
  auto document = parse_body(body);
  if (!document) throw Refused{{"", "the answer is refused: " + document.error()}};
  return std::move(*document);
}

// What they made, even if the rest of what they say is refused.
std::string id_in(const std::string& body) {
  const auto document = parse_body(body);
  if (!document || !document->is_object()) return {};
  try {
    return Fields(*document, "").text("id", false);
  } catch (const Refused&) {
    return {};
  }
}

template <typename T>
using Known = std::variant<T, Pending>;

template <typename T, typename Read>
Reading<T> guarded(const std::string& body, Read read) {
  try {
    const json document = parsed(body);
    return read(Fields(document, ""));
  } catch (Refused& refused) {
    if (refused.refusal.id.empty()) refused.refusal.id = id_in(body);
    return tl::unexpected(std::move(refused.refusal));
  }
}

// The one item that was asked for.
Fields only_item(const Fields& answer, const char* name) {
  auto items = answer.objects(name, kListedMax);
  if (items.empty()) answer.refuse(name, "is missing or empty; one item was asked for");
  if (items.size() != 1)
    answer.refuse(name, fmt::format("has {} items; one was asked for", items.size()));
  const Fields& item = items.front();
  if (const std::string id = item.text("id", false); !id.empty() && id != "1")
    item.refuse("id", "is \"" + id + "\"; item \"1\" was asked for");
  if (const auto quantity = item.number("quantity"); quantity && *quantity != 1)
    item.refuse("quantity", fmt::format("is {}; 1 was asked for", *quantity));
  return item;
}

void check_external_id(const Fields& answer, const std::string& expected) {
  const std::string id = answer.text("externalId", false);
  if (!id.empty() && id != expected)
    answer.refuse("externalId", "is \"" + id + "\"; asked with \"" + expected + "\"");
}

// Which of what is wanted an offer does not reach.
void check_quality(const std::vector<std::pair<std::string, std::string>>& offered,
                   const Fields& at, const Wish& wish, bool bandwidth_required) {
  const auto bandwidth = number_of(offered, "bandwidthMbps", at);
  if (bandwidth_required && !bandwidth) at.refuse("bandwidthMbps", "is missing");
  if (bandwidth && *bandwidth < static_cast<double>(wish.bandwidth_mbps))
    at.refuse("bandwidthMbps",
              fmt::format("is {}; {} was asked for", *bandwidth, wish.bandwidth_mbps));
  const auto delay = number_of(offered, "delayMs", at);
  if (delay && wish.delay_ms_max && *delay > *wish.delay_ms_max)
    at.refuse("delayMs",
              fmt::format("is {}; {} at most was asked for", *delay, *wish.delay_ms_max));
  const auto loss = number_of(offered, "lossPercent", at);
  if (loss && wish.loss_percent_max && *loss > *wish.loss_percent_max)
    at.refuse("lossPercent",
              fmt::format("is {}; {} at most was asked for", *loss, *wish.loss_percent_max));
}

std::string unavailability(const Fields& item) {
  std::string text;
  for (const Fields& reason : item.objects("eligibilityUnavailabilityReason", kListedMax)) {
    const std::string label = reason.text("label", false);
    if (text.size() > kShownReasonsMax * 100) break;
    text += (text.empty() ? ": " : "; ") + (label.empty() ? reason.text("code", false) : label);
  }
  return text;
}

Per kind_of(const Fields& price) {
  const std::string type = price.text("priceType");
  if (is_one_of(type, {"usageBased", "usage"})) {
    const std::string unit = price.text("unitOfMeasure");
    if (unit != "GB") price.refuse("unitOfMeasure", "is \"" + unit + "\"; expected \"GB\"");
    return Per::gigabyte;
  }
  if (type == "recurring") {
    const std::string period = price.text("recurringChargePeriod");
    if (!is_one_of(period, {"month", "monthly"}))
      price.refuse("recurringChargePeriod", "is \"" + period + "\"; expected \"month\"");
    return Per::month;
  }
  if (is_one_of(type, {"nonRecurring", "oneTime"})) return Per::once;
  price.refuse("priceType",
               "is \"" + type + "\"; expected \"usageBased\", \"recurring\" or \"nonRecurring\"");
}

using Sums = std::map<Per, billing::Amount>;

void add_price(const Fields& price, const std::string& currency, Sums& sums) {
  // Neither is a price by itself, and what they would come to is theirs to say.
  if (!price.objects("priceAlteration", kListedMax).empty())
    price.refuse("priceAlteration", "is not accepted: the price itself must say what is paid");
  const Per per = kind_of(price);
  const Fields value = price.object("price");
  if (value.has("percentage")) value.refuse("percentage", "is no price");
  const Money net = value.money("dutyFreeAmount");
  const auto check_currency = [&](const char* name, const Money& money) {
    if (money.currency != currency)
      value.refuse(std::string(name) + "/unit",
                   "is \"" + money.currency + "\"; prices are asked for in " + currency);
  };
  check_currency("dutyFreeAmount", net);
  if (value.has("taxIncludedAmount")) {
    const Money gross = value.money("taxIncludedAmount");
    check_currency("taxIncludedAmount", gross);
    if (gross.amount < net.amount) value.refuse("taxIncludedAmount", "is less than without tax");
  }
  sums[per] += net.amount;
}

Sums sums_of(const Fields& holder, const char* name, const std::string& currency) {
  Sums sums;
  for (const Fields& price : holder.objects(name, kPricesMax)) add_price(price, currency, sums);
  return sums;
}

const char* name_of(Per per) {
  switch (per) {
    case Per::gigabyte:
      return "a GB";
    case Per::month:
      return "a month";
    case Per::once:
      return "once";
  }
  return "";
}

std::string sums_text(const Sums& sums) {
  std::string text;
  for (const auto& [per, amount] : sums)
    text += (text.empty() ? "" : " and ") + billing::to_text(amount) + " " + name_of(per);
  return text.empty() ? "nothing" : text;
}

std::vector<Price> read_prices(const Fields& answer, const Fields& item, const Wish& wish) {
  const Sums items = sums_of(item, "quoteItemPrice", wish.currency);
  const Sums total = sums_of(answer, "quoteTotalPrice", wish.currency);
  if (items.empty() && total.empty())
    item.refuse("quoteItemPrice", "is missing; so is quoteTotalPrice");
  if (!items.empty() && !total.empty() && items != total)
    answer.refuse("quoteTotalPrice",
                  "is " + sums_text(total) + ", but its item says " + sums_text(items));
  std::vector<Price> prices;
  for (const auto& [per, amount] : items.empty() ? total : items) prices.push_back({per, amount});
  return prices;
}

billing::Amount total_of(const std::vector<Price>& prices, const Wish& wish) {
  billing::Amount total;
  for (const Price& price : prices) {
    const uint64_t times = price.per == Per::gigabyte ? wish.volume_gb
                           : price.per == Per::month  ? wish.months
                                                      : 1;
    total += price.amount.times(times);
  }
  return total;
}

int64_t read_validity(const Fields& answer, const Wish& wish, int64_t now_ns) {
  const Fields period = answer.object("validFor");
  const int64_t end = *period.moment("endDateTime");
  if (end <= now_ns) period.refuse("endDateTime", "is " + moment_text(end) + ", which has passed");
  if (end - now_ns < wish.valid_s_min * kSecondNs)
    period.refuse("endDateTime", fmt::format("is {}, less than {} s from now", moment_text(end),
                                             wish.valid_s_min));
  const auto start = period.moment("startDateTime", false);
  if (start && *start > now_ns + kClockSkewNs)
    period.refuse("startDateTime", "is " + moment_text(*start) + ", which is still to come");
  return end;
}

// Any price an order tells must be the quoted one.
void check_order_prices(const Fields& holder, const char* name, const Quote& quote) {
  if (holder.objects(name, kPricesMax).empty()) return;
  Sums quoted;
  for (const Price& price : quote.prices) quoted[price.per] = price.amount;
  const Sums ordered = sums_of(holder, name, quote.currency);
  if (ordered != quoted)
    holder.refuse(name, "is " + sums_text(ordered) + "; quoted was " + sums_text(quoted));
}

}  // namespace

Reading<Availability> read_availability(const std::string& body, const Wish& wish) {
  return guarded<Availability>(body, [&](const Fields& answer) -> Known<Availability> {
    const std::string state = answer.text("state");
    if (is_one_of(state, {"accepted", "acknowledged", "inProgress"}))
      return Pending{answer.text("id")};
    if (state != "done") answer.refuse("state", "is \"" + state + "\"");
    const Fields item = only_item(answer, "serviceQualificationItem");
    const std::string result = item.text("qualificationResult");
    if (result != "qualified")
      item.refuse("qualificationResult", "is \"" + result + "\"" + unavailability(item));
    const Fields service = item.object("service");
    const auto offered = characteristics_of(service, "serviceCharacteristic");
    check_quality(offered, service, wish, true);
    Availability available;
    available.bandwidth_mbps = static_cast<uint64_t>(*number_of(offered, "bandwidthMbps", service));
    available.delay_ms = number_of(offered, "delayMs", service);
    available.loss_percent = number_of(offered, "lossPercent", service);
    for (const auto& [name, value] : offered) {
      if (name == "path") available.path = value;
    }
    return available;
  });
}

Reading<Quote> read_quote(const std::string& body, const Wish& wish, const std::string& provider,
                          int64_t now_ns) {
  return guarded<Quote>(body, [&](const Fields& answer) -> Known<Quote> {
    Quote quote{.provider = provider, .id = answer.text("id"), .currency = wish.currency};
    const std::string state = answer.text("state");
    if (is_one_of(state, {"inProgress", "pending"})) return Pending{quote.id};
    if (!is_one_of(state, {"approved", "accepted"}))
      throw Refused{{"/state", "is \"" + state + "\"", quote.id, true}};
    check_external_id(answer, external_id(wish, provider));
    const Fields item = only_item(answer, "quoteItem");
    if (const std::string of_item = item.text("state", false);
        !of_item.empty() && !is_one_of(of_item, {"approved", "accepted"}))
      item.refuse("state", "is \"" + of_item + "\"");
    if (item.has("quoteItem"))
      item.refuse("quoteItem", "is not accepted: nothing else was asked for");
    if (item.has("product")) {
      const Fields product = item.object("product");
      quote.characteristics = characteristics_of(product, "productCharacteristic");
      check_quality(quote.characteristics, product, wish, false);
    }
    quote.valid_until_ns = read_validity(answer, wish, now_ns);
    quote.prices = read_prices(answer, item, wish);
    quote.total = total_of(quote.prices, wish);
    return quote;
  });
}

Reading<Ordered> read_order(const std::string& body, const Wish& wish, const Quote& quote,
                            int64_t now_ns) {
  return guarded<Ordered>(body, [&](const Fields& answer) -> Known<Ordered> {
    Ordered order{answer.text("id")};
    const std::string state = answer.text("state");
    if (is_one_of(state, {"rejected", "failed", "cancelled"}))
      throw Refused{{"/state", "is \"" + state + "\"", order.id, true}};
    check_external_id(answer, external_id(wish, quote.provider));
    const Fields item = only_item(answer, "productOrderItem");
    if (item.has("quoteItem")) {
      const Fields quoted = item.object("quoteItem");
      if (const std::string id = quoted.text("quoteId", false); !id.empty() && id != quote.id)
        quoted.refuse("quoteId", "is \"" + id + "\"; ordered was quote \"" + quote.id + "\"");
    }
    check_order_prices(answer, "orderTotalPrice", quote);
    check_order_prices(item, "itemTotalPrice", quote);
    check_order_prices(item, "itemPrice", quote);
    if (state == "completed" || (state == "inProgress" && wish.from_ns > now_ns)) return order;
    if (is_one_of(state, {"acknowledged", "pending", "held", "inProgress"}))
      return Pending{order.id};
    answer.refuse("state", "is \"" + state + "\"");
  });
}

bool confirms_end(const std::string& body) {
  const auto document = parse_body(body);
  if (!document || !document->is_object()) return false;
  const auto state = document->find("state");
  return state != document->end() && state->is_string() &&
         is_one_of(state->get<std::string>(), {"rejected", "cancelled", "failed", "done"});
}

tl::expected<std::vector<Listed>, std::string> read_open(const std::string& body,
                                                         const std::string& external_id) {
  try {
    const json document{{"list", parsed(body)}};
    std::vector<Listed> open;
    for (const Fields& each : Fields(document, "").objects("list", kListedMax)) {
      // One that does not know the filter lists all it has.
      if (each.text("externalId", false) != external_id) continue;
      if (is_one_of(each.text("state"), {"rejected", "cancelled", "failed"})) continue;
      Listed listed{each.text("id"), each.text("state"), std::nullopt};
      if (each.has("validFor"))
        listed.valid_until_ns = each.object("validFor").moment("endDateTime", false);
      open.push_back(std::move(listed));
    }
    return open;
  } catch (const Refused& refused) {
    return tl::unexpected(to_text(refused.refusal));
  }
}

std::string error_text(const std::string& body) {
  const std::string none = "without saying why";
  const auto document = parse_body(body);
  if (!document) return none;
  const json& error = document->is_array() && !document->empty() ? document->front() : *document;
  try {
    const Fields fields(error, "");
    const std::string reason = fields.text("reason", false), code = fields.text("code", false);
    if (reason.empty()) return none;
    return "\"" + reason + "\"" + (code.empty() ? "" : " (" + code + ")");
  } catch (const Refused&) {
    return none;
  }
}

}  // namespace anabranch::negotiation
