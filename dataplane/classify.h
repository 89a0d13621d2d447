// SPDX-License-Identifier: BSD-3-Clause
// Which service a flow belongs to, decided once, by its first packet.
#pragma once

#include <cstdint>
#include <vector>

#include "dataplane/parse.h"

namespace anabranch::dataplane {

// Matches when every field does. Source is the LAN side of this gateway: the gateway at the
// client's end has the client's rules, the one at the far end has them mirrored.
struct Rule {
  uint32_t source = 0, source_mask = 0;
  uint32_t destination = 0, destination_mask = 0;
  uint16_t source_port_from = 0, source_port_to = 65535;
  uint16_t destination_port_from = 0, destination_port_to = 65535;
  uint8_t protocol = 0;  // 0: any
  int8_t dscp = -1;      // -1: any
  uint16_t slot = 0;     // of the service

  bool matches(const FlowKey& k) const {
    return (k.source & source_mask) == source &&
           (k.destination & destination_mask) == destination &&
           (protocol == 0 || protocol == k.protocol) && (dscp < 0 || dscp == k.dscp) &&
           k.source_port >= source_port_from && k.source_port <= source_port_to &&
           k.destination_port >= destination_port_from && k.destination_port <= destination_port_to;
  }
};

inline constexpr uint32_t kEpochsMax = (1u << 26) - 1;

// Immutable once published. The first rule that matches decides, so more special rules come first.
struct Ruleset {
  // Differs from every earlier ruleset's, and is at most kEpochsMax; flows are classified anew when
  // it does.
  uint32_t epoch = 1;
  std::vector<Rule> rules;

  // The service's slot; kHouseSlot (0) when no service wants the flow. Cost: linear in rules, paid
  // for a flow's first packet only.
  uint16_t classify(const FlowKey& key) const {
    for (const Rule& rule : rules) {
      if (rule.matches(key)) return rule.slot;
    }
    return 0;
  }
};

}  // namespace anabranch::dataplane
