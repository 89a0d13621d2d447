// SPDX-License-Identifier: BSD-3-Clause
// Which service a flow belongs to, decided once, by its first packet.
#pragma once

#include <cstdint>
#include <vector>

#include "dataplane/rule.h"
#include "dataplane/rule_index.h"

namespace anabranch::dataplane {

inline constexpr uint32_t kEpochsMax = (1u << 26) - 1;

// Immutable once published. The first rule that matches decides, so more special rules come first.
struct alignas(64) Ruleset {
  // Differs from every earlier ruleset's, and is at most kEpochsMax; flows are classified anew when
  // it does.
  uint32_t epoch = 1;
  std::vector<Rule> rules;
  std::vector<Rule6> rules6;  // of IPv6

  // Made by make_index() where there are so many rules that it is faster.
  RuleIndex index, index6;

  // Before it is published, where EAL runs; takes up to a second for thousands. Never in doubt:
  // without an index rules are gone through.
  void make_index() {
    if (rules.size() >= kIndexFrom) index = RuleIndex(rules);
    if (rules6.size() >= kIndexFrom) index6 = RuleIndex(rules6);
  }
  // False where memory did not suffice for it.
  bool is_indexed() const {
    return (rules.size() < kIndexFrom || index.is_made()) &&
           (rules6.size() < kIndexFrom || index6.is_made());
  }
  static constexpr size_t kIndexFrom = 96;  // bench/flow_table_bench: classify

  // The service's slot; kHouseSlot (0) when no service wants the flow. Paid for a flow's first
  // packet only.
  uint16_t classify(const FlowKey& key) const {
    return index.is_made() ? index.classify(key) : first_of(rules, key);
  }
  uint16_t classify(const FlowKey6& key) const {
    return index6.is_made() ? index6.classify(key) : first_of(rules6, key);
  }

 private:
  template <typename Rules, typename Key>
  static uint16_t first_of(const Rules& rules, const Key& key) {
    for (const auto& rule : rules) {
      if (rule.matches(key)) return rule.slot;
    }
    return 0;
  }
};

}  // namespace anabranch::dataplane
