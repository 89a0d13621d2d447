// SPDX-License-Identifier: BSD-3-Clause
#include <fmt/format.h>

#include "control/negotiation/exchange.h"
#include "control/negotiation/moment.h"
#include "control/negotiation/raw_money.h"
#include "control/negotiation/tmf.h"

namespace anabranch::negotiation {
namespace {

using nlohmann::json;

constexpr const char* kQualifications =
    "/serviceQualificationManagement/v4/checkServiceQualification";
constexpr const char* kQuotes = "/quoteManagement/v4/quote";
constexpr const char* kOrders = "/productOrderingManagement/v4/productOrder";
constexpr const char* kCancellations = "/productOrderingManagement/v4/cancelProductOrder";

std::string with_id(const char* path, const std::string& id) {
  return id.empty() ? path : std::string(path) + "/" + url_escaped(id);
}

json party(const Wish& wish) {
  return {{{"id", wish.buyer}, {"role", "Buyer"}, {"@referredType", "Organization"}}};
}

json characteristics(const Wish& wish) {
  json list = json::array({{{"name", "bandwidthMbps"}, {"value", wish.bandwidth_mbps}},
                           {{"name", "from"}, {"value", moment_text(wish.from_ns)}},
                           {{"name", "until"}, {"value", moment_text(wish.until_ns)}}});
  if (wish.delay_ms_max) list.push_back({{"name", "maxDelayMs"}, {"value", *wish.delay_ms_max}});
  if (wish.loss_percent_max)
    list.push_back({{"name", "maxLossPercent"}, {"value", *wish.loss_percent_max}});
  return list;
}

}  // namespace

std::string external_id(const Wish& wish, const std::string& provider) {
  return wish.id + "/" + provider;
}

std::string availability_path(const std::string& id) {
  return with_id(kQualifications, id);
}
std::string quote_path(const std::string& id) {
  return with_id(kQuotes, id);
}
std::string order_path(const std::string& id) {
  return with_id(kOrders, id);
}
std::string cancel_order_path() {
  return kCancellations;
}

std::string quotes_of(const std::string& external_id) {
  return std::string(kQuotes) + "?externalId=" + url_escaped(external_id) +
         "&fields=id,externalId,state,validFor";
}
std::string orders_of(const std::string& external_id) {
  return std::string(kOrders) + "?externalId=" + url_escaped(external_id) +
         "&fields=id,externalId,state";
}

std::string availability_request(const Wish& wish, const std::string& provider) {
  json service{{"name", wish.offering}, {"serviceCharacteristic", characteristics(wish)}};
  json item{{"id", "1"},
            {"expectedActivationDate", moment_text(wish.from_ns)},
            {"service", std::move(service)}};
  return write_body({{"externalId", external_id(wish, provider)},
                     {"instantSyncQualification", true},
                     {"provideAlternative", false},
                     {"provideUnavailabilityReason", true},
                     {"relatedParty", party(wish)},
                     {"serviceQualificationItem", json::array({std::move(item)})}});
}

std::string quote_request(const Wish& wish, const std::string& provider, int64_t answer_by_ns) {
  json item{{"id", "1"},
            {"action", "add"},
            {"quantity", 1},
            {"productOffering", {{"id", wish.offering}}},
            {"product", {{"productCharacteristic", characteristics(wish)}}}};
  return write_body({{"externalId", external_id(wish, provider)},
                     {"instantSyncQuote", true},
                     {"requestedQuoteCompletionDate", moment_text(answer_by_ns)},
                     {"expectedFulfillmentStartDate", moment_text(wish.from_ns)},
                     {"relatedParty", party(wish)},
                     {"quoteItem", json::array({std::move(item)})}});
}

// The definition requires the items even of a change of state.
std::string quote_rejection() {
  return write_body({{"state", "rejected"}, {"quoteItem", {{{"id", "1"}, {"state", "rejected"}}}}});
}

std::string order_request(const Wish& wish, const std::string& provider, const std::string& quote) {
  json item{{"id", "1"},
            {"action", "add"},
            {"quantity", 1},
            {"productOffering", {{"id", wish.offering}}},
            {"quoteItem", {{"id", "1"}, {"quoteId", quote}}}};
  return write_body({{"externalId", external_id(wish, provider)},
                     {"requestedStartDate", moment_text(wish.from_ns)},
                     {"quote", {{{"id", quote}}}},
                     {"relatedParty", party(wish)},
                     {"productOrderItem", json::array({std::move(item)})}});
}

std::string order_cancellation(const std::string& order) {
  return write_body(
      {{"cancellationReason", "not confirmed in time"}, {"productOrder", {{"id", order}}}});
}

}  // namespace anabranch::negotiation
