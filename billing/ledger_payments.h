// SPDX-License-Identifier: BSD-3-Clause
// Payments as the ledger keeps them: an intent, and steps that say what became of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "billing/ledger_posting.h"
#include "billing/money.h"
#include "billing/processor.h"

namespace anabranch::billing {

// By card; by a transfer of money that somebody saw arrive; or back, of one of them.
enum class PaymentKind : uint8_t { card, transfer, refund };
inline constexpr const char* kPaymentKindNames[] = {"card", "transfer", "refund"};

struct PaymentStep {
  int64_t at_ns = 0;
  int64_t next_ns = 0;  // not before then it is gone on with; 0: at once, or never when final
  PaymentState state = PaymentState::pending;
  std::string processor_id;
  std::string detail;  // for people, or the processor's word why not
  bool operator==(const PaymentStep&) const = default;
};

// Of a payment by card that succeeded.
struct Dispute {
  std::string id;       // the processor's
  std::string payment;  // its key
  std::string currency;
  Amount amount;
  DisputeState state = DisputeState::open;
  std::string reason;  // the processor's word
  int64_t at_ns = 0;   // since when it is in that state
};

struct Payment {
  std::string key;  // the processor's idempotency key, too
  PaymentKind kind = PaymentKind::card;
  std::string account;            // "client:acme"
  std::string issuer, statement;  // what it pays: "co", "2026-000001"; or empty: nothing yet
  std::string of;                 // what a refund is of
  std::string currency;
  Amount amount;
  std::string customer, method;  // the processor's tokens; empty: not by card
  int64_t made_ns = 0;
  // The newest step.
  int64_t step = 0;
  PaymentStep now;
  // Of disputes: not decided yet; and what was lost in others.
  bool is_disputed = false;
  Amount lost;
};

// One that is told in one go: it was not begun here.
struct ToldPayment {
  Payment payment;  // with its step
  std::optional<Transaction> posted;
};

// Each that is not empty, or true, is a condition.
struct PaymentsWanted {
  std::string account, issuer, statement, key, processor_id;
  bool open_only = false;  // not final
};

}  // namespace anabranch::billing
