// SPDX-License-Identifier: BSD-3-Clause
// What the shops of the tests have to offer.
#pragma once

#include "control/negotiation/shop.h"

namespace anabranch::negotiation {

// On the path "north"; in EUR.
inline Spare north(const char* per_gb, const char* a_month) {
  Spare spare{.path = "north", .bandwidth_mbps = 1000};
  spare.delay_ms = 12.5;
  spare.loss_percent = 0.1;
  spare.currency = "EUR";
  spare.prices = {{Per::gigabyte, *billing::parse_amount(per_gb)},
                  {Per::month, *billing::parse_amount(a_month)}};
  return spare;
}

}  // namespace anabranch::negotiation
