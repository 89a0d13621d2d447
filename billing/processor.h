// SPDX-License-Identifier: BSD-3-Clause
// A processor of card payments as billing needs one. It knows cards; we know its tokens of them.
//
// Calls are made under a key that is the payment's for ever: the processor does the same key's call
// once, however often it is made (docs.stripe.com, "Idempotent requests"). What was not answered is
// asked for, and never done again under another key.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include <tl/expected.hpp>

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

// Where what is charged or returned says at the processor what it is of: our key, and of charges
// the statement and whose it is.
inline constexpr const char* kKeyInMetadata = "anabranch_payment";
inline constexpr const char* kStatementInMetadata = "anabranch_statement";
inline constexpr const char* kAccountInMetadata = "anabranch_account";

struct CardCharge {
  std::string key;               // at most 255 characters
  std::string customer, method;  // the processor's tokens
  std::string currency;
  Amount amount;  // whole coins
  std::string description;
  std::string account, statement;  // "client:acme", "co/2026-000017"
};

struct CardAnswer {
  PaymentState state = PaymentState::unknown;
  std::string id;       // the processor's own, where it said one
  std::string code;     // why not, in the processor's word, such as "insufficient_funds"
  std::string words;    // … as a sentence's end
  bool later = false;   // failed for a reason that may pass: the same card may be tried again
  bool absent = false;  // find(): the processor has no payment of that key
};

struct CardRefund {
  std::string id;   // the processor's
  std::string key;  // ours; empty: it was made elsewhere, such as at the processor by hand
  Amount amount;
  bool is_void = false;  // it failed or was canceled: nothing went back
};

enum class DisputeState : uint8_t {
  open,
  won,   // final: what was taken is back
  lost,  // final
};
inline constexpr const char* kDisputeStateNames[] = {"open", "won", "lost"};

// A card's owner says that a payment was wrong. The processor takes what is disputed from our
// account with it, and gives it back when we win.
struct CardDispute {
  struct Move {
    std::string id;        // the processor's
    std::string currency;  // of our account with the processor
    Amount amount, fee;    // given to us (taken is negative); taken beside it
  };
  std::string id, reason;  // the processor's, such as "dp_1", "fraudulent"
  DisputeState state = DisputeState::open;
  std::string currency;
  Amount amount;  // that is disputed
  std::vector<Move> moves;
};

// Paid for the same statement under another key, as a ledger that was restored from a backup may
// have forgotten.
struct EarlierCharge {
  std::string key;
  Amount amount;
  int64_t made_ns = 0;
  CardAnswer answer;
};

// Blocking; each call has a deadline of its own. Not for several threads.
class CardProcessor {
 public:
  // The error: why it was not told, as a sentence.
  template <typename T>
  using Told = tl::expected<T, std::string>;
  virtual ~CardProcessor() = default;
  // pending and not `absent`: the processor is at it. pending and `absent`: it was not taken, the
  // processor or we are not fit at present, and nothing was done.
  virtual CardAnswer charge(const CardCharge& charge) = 0;
  // What became of it, by the processor's id if known.
  virtual CardAnswer find(const CardCharge& charge, const std::string& id) = 0;
  // What succeeded or may yet, for the same statement of the same account, under other keys.
  virtual Told<std::vector<EarlierCharge>> earlier(const CardCharge& charge) = 0;
  // Of what succeeded under that id; the key is the refund's own.
  virtual CardAnswer refund(const std::string& id, const std::string& key, Amount amount,
                            const std::string& currency) = 0;
  // What became of what succeeded under that id.
  virtual Told<std::vector<CardRefund>> refunds(const std::string& id,
                                                const std::string& currency) = 0;
  virtual Told<std::vector<CardDispute>> disputes(const std::string& id) = 0;
  // Ids of payments of which there is a refund or a dispute that was made since.
  virtual Told<std::set<std::string>> followed_since(int64_t since_ns) = 0;
};

}  // namespace anabranch::billing
