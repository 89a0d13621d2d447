// SPDX-License-Identifier: BSD-3-Clause
// What a processor of cards tells by itself, in Stripe's words (docs.stripe.com/webhooks): an
// event, signed with a secret that only it and we know.
//
// What an event says of money is never believed: it says which payment the processor is to be asked
// of. So events may be late, out of order, told twice, or not at all. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

namespace anabranch::billing {

struct CardEvent {
  std::string id, kind;          // "evt_…", "charge.refunded"
  std::string key;               // ours of the payment, where it names one
  std::vector<std::string> ids;  // the processor's of the payment: any of these
  // Of what becomes of a payment that succeeded: a refund, a dispute.
  bool is_of_aftermath = false;
};

// `header`: "t=1700000000,v1=…", of which one signature must be by one of the secrets, at most 300
// s from now. The error: why it is not believed, as a sentence, which tells nothing of a secret.
tl::expected<void, std::string> check_signature(std::string_view body, std::string_view header,
                                                std::span<const std::string> secrets,
                                                int64_t now_ns);

// nullopt: an event of no kind that matters here. The error: it is none.
tl::expected<std::optional<CardEvent>, std::string> read_card_event(std::string_view body);

}  // namespace anabranch::billing
