// SPDX-License-Identifier: BSD-3-Clause
// Which flows a service wants.
#pragma once

#include <cstdint>

#include "dataplane/parse.h"

namespace anabranch::dataplane {

// Matches when every field does. Source is the LAN side of this gateway: the gateway at the
// client's end has the client's rules, the one at the far end has them mirrored.
template <typename Key, typename Number>
struct RuleOf {
  Number source = 0, source_mask = 0;
  Number destination = 0, destination_mask = 0;
  uint16_t source_port_from = 0, source_port_to = 65535;
  uint16_t destination_port_from = 0, destination_port_to = 65535;
  uint8_t protocol = 0;  // 0: any
  int8_t dscp = -1;      // -1: any
  uint16_t slot = 0;     // of the service

  bool matches(const Key& k) const {
    return (k.source & source_mask) == source &&
           (k.destination & destination_mask) == destination &&
           (protocol == 0 || protocol == k.protocol) && (dscp < 0 || dscp == k.dscp) &&
           k.source_port >= source_port_from && k.source_port <= source_port_to &&
           k.destination_port >= destination_port_from && k.destination_port <= destination_port_to;
  }
};

using Rule = RuleOf<FlowKey, uint32_t>;
using Rule6 = RuleOf<FlowKey6, Uint128>;

}  // namespace anabranch::dataplane
