// SPDX-License-Identifier: BSD-3-Clause
// What tests ask for, and a provider's good answers to it.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "control/negotiation/moment.h"
#include "control/negotiation/tmf.h"

namespace anabranch::negotiation {

inline const int64_t kNowNs = *parse_moment("2026-11-27T09:00:00Z");

inline Wish example_wish() {
  Wish wish{.id = "w-1", .buyer = "buyer-1", .offering = "path", .bandwidth_mbps = 500};
  wish.delay_ms_max = 20;
  wish.loss_percent_max = 0.5;
  wish.from_ns = kNowNs;
  wish.until_ns = kNowNs + 30 * 86400 * kSecondNs;
  wish.currency = "EUR";
  wish.volume_gb = 1000;
  wish.months = 1;
  wish.valid_s_min = 60;
  return wish;
}

inline nlohmann::json price(const char* type, const char* value) {
  // Numbers as texts here; numbers_plain() makes them numbers.
  return {{"priceType", type},
          {type == std::string("recurring") ? "recurringChargePeriod" : "unitOfMeasure",
           type == std::string("recurring") ? "month" : "GB"},
          {"price", {{"dutyFreeAmount", {{"unit", "EUR"}, {"value", std::string("#") + value}}}}}};
}

// "#0.1" → 0.1, digit by digit.
inline std::string numbers_plain(const nlohmann::json& body) {
  std::string text = body.dump();
  for (size_t at = text.find("\"#"); at != std::string::npos; at = text.find("\"#", at)) {
    text.erase(at, 2);
    text.erase(text.find('"', at), 1);
  }
  return text;
}

inline nlohmann::json good_quote() {
  return {
      {"id", "q-7"},
      {"externalId", "w-1/alpha"},
      {"state", "approved"},
      {"validFor", {{"endDateTime", "2026-11-27T10:00:00Z"}}},
      {"quoteTotalPrice", {price("usageBased", "0.1"), price("recurring", "20")}},
      {"quoteItem",
       {{{"id", "1"},
         {"action", "add"},
         {"quantity", 1},
         {"state", "approved"},
         {"product", {{"productCharacteristic", {{{"name", "bandwidthMbps"}, {"value", 500}}}}}},
         {"quoteItemPrice", {price("usageBased", "0.1"), price("recurring", "20")}}}}}};
}

inline nlohmann::json good_availability() {
  return {{"id", "s-1"},
          {"state", "done"},
          {"serviceQualificationItem",
           {{{"id", "1"},
             {"qualificationResult", "qualified"},
             {"service",
              {{"serviceCharacteristic",
                {{{"name", "path"}, {"value", "north"}},
                 {{"name", "bandwidthMbps"}, {"value", 800}},
                 {{"name", "delayMs"}, {"value", 12.5}},
                 {{"name", "lossPercent"}, {"value", 0.1}}}}}}}}}};
}

inline nlohmann::json good_order() {
  return {{"id", "o-3"},
          {"externalId", "w-1/alpha"},
          {"state", "completed"},
          {"productOrderItem",
           {{{"id", "1"}, {"action", "add"}, {"quoteItem", {{"id", "1"}, {"quoteId", "q-7"}}}}}}};
}

}  // namespace anabranch::negotiation
