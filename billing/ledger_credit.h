// SPDX-License-Identifier: BSD-3-Clause
// What of a client's credit is used and reserved, by gateway: what it has used since its last
// statement, and what it may use until it says so again. What a gateway does not come back for is
// free again after a while (as RFC 8506 8.33, Validity-Time).
#pragma once

#include <cstdint>
#include <string>

#include "billing/money.h"

namespace anabranch::billing {

struct Drawing {
  std::string account, gateway, currency;
  int64_t from_ns = 0;  // the begin of the period that `used` is of
  Amount used, reserved;
  int64_t until_ns = 0;  // so long it is reserved
};

struct Reservation {
  Amount credit;         // of the ledger; below nothing: the client owes
  Amount used, held;     // of it, by other gateways
  Amount reserved;       // for this one
  int64_t until_ns = 0;  // … for so long
  // A period was closed meanwhile: what was said to be used is stated, and nothing is reserved.
  bool is_outdated = false;
  bool operator==(const Reservation&) const = default;
};

}  // namespace anabranch::billing
