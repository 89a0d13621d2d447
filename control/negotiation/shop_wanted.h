// SPDX-License-Identifier: BSD-3-Clause
// What a buyer asks a shop for.
#pragma once

#include "control/negotiation/shop.h"

namespace anabranch::negotiation {

struct Shop::Wanted {
  std::string external_id;
  uint64_t bandwidth_mbps = 0;
  std::optional<double> delay_ms_max, loss_percent_max;
  int64_t from_ns = 0, until_ns = 0;
};

// Whether it holds capacity now.
bool is_reserved(const Shop::Sold& sold, int64_t now_ns);
// RFC 9110 status with TMF630's error body.
Reply reply_of(int status, const nlohmann::json& body);

}  // namespace anabranch::negotiation
