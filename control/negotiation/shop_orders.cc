// SPDX-License-Identifier: BSD-3-Clause
#include "control/negotiation/moment.h"
#include "control/negotiation/raw_money.h"
#include "control/negotiation/shop_wanted.h"
#include "control/negotiation/tmf_fields.h"

namespace anabranch::negotiation {
namespace {

using nlohmann::json;

json order_request_of(const std::string& body) {
  auto document = parse_body(body);
  if (!document) throw Refused{{"", "the body is refused: " + document.error()}};
  return std::move(*document);
}

// The quote that is ordered, which may be said in two places.
std::string quote_of(const Fields& order) {
  const auto items = order.objects("productOrderItem", 64);
  if (items.size() != 1) order.refuse("productOrderItem", "has not one item");
  const Fields& item = items.front();
  item.text("id");
  if (const std::string action = item.text("action"); action != "add")
    item.refuse("action", "is \"" + action + "\"; expected \"add\"");
  std::string id;
  if (item.has("quoteItem")) id = item.object("quoteItem").text("quoteId");
  const auto quotes = order.objects("quote", 64);
  if (quotes.size() > 1) order.refuse("quote", "has more than one");
  for (const Fields& quote : quotes) {
    const std::string other = quote.text("id");
    if (!id.empty() && other != id) quote.refuse("id", "is not the item's quote");
    id = other;
  }
  if (id.empty()) order.refuse("quote", "is missing; what is sold is quoted first");
  return id;
}

}  // namespace

Reply Shop::make_order(const Asked& asked) {
  const json body = order_request_of(asked.body);
  const Fields order(body, "");
  const std::string quote = quote_of(order), external_id = order.text("externalId", false);
  if (const Sold* before = find(asked.buyer, external_id, &Sold::order_external_id)) {
    if (before->id == quote) return reply_of(201, order_json(*before, asked.now_ns));
    return error_reply(409, "conflict", "this externalId was used for another quote");
  }
  Sold* sold = find(asked.buyer, quote, &Sold::id);
  if (sold == nullptr) return error_reply(409, "conflict", "you have no quote with this id");
  if (!sold->order.empty()) return error_reply(409, "conflict", "the quote is ordered already");
  if (!is_reserved(*sold, asked.now_ns))
    return error_reply(409, "conflict", "the quote is " + sold->state);
  sold->state = "accepted";
  sold->order = next_id('o');
  sold->order_external_id = external_id;
  sold->ordered_ns = asked.now_ns;
  changed_ = true;
  return reply_of(201, order_json(*sold, asked.now_ns));
}

Reply Shop::cancel_order(const Asked& asked) {
  const json body = order_request_of(asked.body);
  const std::string id = Fields(body, "").object("productOrder").text("id");
  Sold* sold = find(asked.buyer, id, &Sold::order);
  // TMF622 knows no 404 here.
  if (sold == nullptr) return error_reply(400, "invalidBody", "you have no order with this id");
  if (!sold->order_cancelled && sold->until_ns <= asked.now_ns)
    return error_reply(409, "conflict", "the order's time is over");
  changed_ = changed_ || !sold->order_cancelled;
  sold->order_cancelled = true;
  return reply_of(201, {{"id", "c" + sold->order},
                        {"state", "done"},
                        {"effectiveCancellationDate", moment_text(asked.now_ns)},
                        {"productOrder", {{"id", sold->order}}}});
}

// Nothing has to be done by hand for it: it is in progress until its time comes.
json Shop::order_json(const Sold& sold, int64_t now_ns) const {
  const std::string state = sold.order_cancelled    ? "cancelled"
                            : sold.from_ns > now_ns ? "inProgress"
                                                    : "completed";
  json item{{"id", "1"},
            {"action", "add"},
            {"quantity", 1},
            {"state", state},
            {"productOffering", {{"id", terms_.offering}}},
            {"quoteItem", {{"id", "1"}, {"quoteId", sold.id}}}};
  json body{{"id", sold.order},
            {"href", terms_.base_path + "/productOrderingManagement/v4/productOrder/" + sold.order},
            {"state", state},
            {"orderDate", moment_text(sold.ordered_ns)},
            {"requestedStartDate", moment_text(sold.from_ns)},
            {"expectedCompletionDate", moment_text(sold.from_ns)},
            {"quote", {{{"id", sold.id}}}},
            {"productOrderItem", json::array({std::move(item)})}};
  if (!sold.order_external_id.empty()) body["externalId"] = sold.order_external_id;
  if (state == "completed")
    body["completionDate"] = moment_text(std::max(sold.from_ns, sold.ordered_ns));
  return body;
}

}  // namespace anabranch::negotiation
