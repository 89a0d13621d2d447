// SPDX-License-Identifier: BSD-3-Clause
// How a client pays, of its billing preferences (preferences.h):
//
//   "payment": {"by": "card", "due_days": 14, "retry_days": [3, 7], "then": "restrict",
//              "restrict_kbps": 256}
//   "payment": {"by": "card", "charge": "threshold", "threshold": "100"}
//   "payment": {"by": "card", "charge": "ahead", "top_up": "20", "floor": "5", "used_up": "slow",
//              "slow_kbps": 256}
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "billing/document_reader.h"
#include "billing/money.h"

namespace anabranch::billing {

enum class PayBy : uint8_t { invoice, card };
inline constexpr std::array<std::string_view, 2> kPayByNames{"invoice", "card"};

// When a client pays: when a statement is issued; on account, as soon as what it owes and what it
// has used since come to a threshold; or before it uses anything.
enum class ChargeWhen : uint8_t { issued, threshold, ahead };
inline constexpr std::array<std::string_view, 3> kChargeWhenNames{"issued", "threshold", "ahead"};

// What becomes of the client's services when what was paid ahead is used up.
enum class WhenUsedUp : uint8_t { stop, slow };
inline constexpr std::array<std::string_view, 2> kWhenUsedUpNames{"stop", "slow"};

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
  ChargeWhen charge = ChargeWhen::issued;
  // In the currency of the client's statements.
  Amount threshold;
  Amount top_up, floor;  // ahead, by card: so much is paid when less than the floor is left
  WhenUsedUp used_up = WhenUsedUp::stop;
  uint32_t slow_kbps = 64;  // each way, of each service
  bool operator==(const PaymentTerms&) const = default;
};

PaymentTerms read_payment_terms(const nlohmann::json& document, const std::string& at,
                                DocumentErrors& errors);
// What a request may ask for of them: by what, and when. What is overdue is not for it to say.
PaymentTerms read_payment_wish(const nlohmann::json& document, const std::string& at,
                               DocumentErrors& errors);
// What is otherwise than by default.
nlohmann::json to_json(const PaymentTerms& terms);

}  // namespace anabranch::billing
