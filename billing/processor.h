// SPDX-License-Identifier: BSD-3-Clause
// A processor of card payments as billing needs one. It knows cards; we know its tokens of them.
//
// Calls are made under a key that is the payment's for ever: the processor does the same key's call
// once, however often it is made (docs.stripe.com, "Idempotent requests"). What was not answered is
// asked for, and never done again under another key.
#pragma once

#include <cstdint>
#include <string>

#include "billing/money.h"

namespace anabranch::billing {

enum class PaymentState : uint8_t {
  pending,            // the intent is stored; or the processor is at it
  succeeded,          // final
  failed,             // final: nothing was paid by this payment, and nothing will be
  unknown,            // it was not answered: it may have succeeded
  requires_customer,  // final: the card's owner must act; nothing was paid
};
inline constexpr const char* kPaymentStateNames[] = {"pending", "succeeded", "failed", "unknown",
                                                     "requires-customer"};
inline bool is_final(PaymentState s) {
  return s != PaymentState::pending && s != PaymentState::unknown;
}

// Where what is charged or returned has its key at the processor.
inline constexpr const char* kKeyInMetadata = "anabranch_payment";

struct CardCharge {
  std::string key;               // at most 255 characters
  std::string customer, method;  // the processor's tokens
  std::string currency;
  Amount amount;  // whole coins
  std::string description;
};

struct CardAnswer {
  PaymentState state = PaymentState::unknown;
  std::string id;       // the processor's own, where it said one
  std::string code;     // why not, in the processor's word, such as "insufficient_funds"
  std::string words;    // … as a sentence's end
  bool later = false;   // failed for a reason that may pass: the same card may be tried again
  bool absent = false;  // find(): the processor has no payment of that key
  Amount refunded;      // of what succeeded
};

// Blocking; each call has a deadline of its own. Not for several threads.
class CardProcessor {
 public:
  virtual ~CardProcessor() = default;
  // pending and not `absent`: the processor is at it. pending and `absent`: it was not taken, the
  // processor or we are not fit at present, and nothing was done.
  virtual CardAnswer charge(const CardCharge& charge) = 0;
  // What became of it, by the processor's id if known.
  virtual CardAnswer find(const CardCharge& charge, const std::string& id) = 0;
  // Of what succeeded under that id; the key is the refund's own.
  virtual CardAnswer refund(const std::string& id, const std::string& key, Amount amount,
                            const std::string& currency) = 0;
};

}  // namespace anabranch::billing
