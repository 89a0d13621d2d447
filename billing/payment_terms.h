// SPDX-License-Identifier: BSD-3-Clause
// How a client pays, of its billing preferences (preferences.h):
//
//   "payment": {"by": "card", "due_days": 14, "retry_days": [3, 7], "then": "restrict",
//              "restrict_kbps": 256}
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "billing/document_reader.h"

namespace anabranch::billing {

enum class PayBy : uint8_t { invoice, card };
inline constexpr std::array<std::string_view, 2> kPayByNames{"invoice", "card"};

// What becomes of the client's services when a statement is overdue.
enum class WhenOverdue : uint8_t { nothing, restrict, suspend };
inline constexpr std::array<std::string_view, 3> kWhenOverdueNames{"nothing", "restrict",
                                                                   "suspend"};

struct PaymentTerms {
  PayBy by = PayBy::invoice;
  uint32_t due_days = 14;  // after it was issued, a statement is overdue
  // Days after the first try of a card on which it is tried again; while there are any left,
  // nothing is overdue.
  std::vector<uint32_t> retry_days{3, 7};
  WhenOverdue then = WhenOverdue::nothing;
  uint32_t restrict_kbps = 64;  // each way, of each service
  bool operator==(const PaymentTerms&) const = default;
};

PaymentTerms read_payment_terms(const nlohmann::json& document, const std::string& at,
                                DocumentErrors& errors);
nlohmann::json to_json(const PaymentTerms& terms);

}  // namespace anabranch::billing
