// SPDX-License-Identifier: BSD-3-Clause
// The IPv6 flows a worker knows: what flow_table.h is for IPv4. A table of its own, so that longer
// keys cost IPv4 nothing.
#pragma once

#include <rte_hash.h>

#include <memory>
#include <span>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "dataplane/flow_table.h"

namespace anabranch::dataplane {

class FlowTable6 {
 public:
  // As FlowTable has them.
  static tl::expected<std::unique_ptr<FlowTable6>, std::string> create(const std::string& name,
                                                                       uint32_t flows_max,
                                                                       uint64_t idle_ticks);
  void find(std::span<const FlowKey6> keys, const Ruleset& rules, uint64_t now,
            std::span<Flow*> flows);
  uint32_t age(uint64_t now, uint32_t entries);
  uint32_t size() const { return size_; }

 private:
  struct HashDelete {
    void operator()(rte_hash* hash) const { rte_hash_free(hash); }
  };
  // What is not an address is in the flow's own key. One cache line.
  struct alignas(64) Entry {
    Uint128 source = 0;
    Uint128 destination = 0;
    Flow flow;
    FlowKey6 key() const;
  };
  static_assert(sizeof(Entry) == 64);

  FlowTable6() = default;
  Entry* insert(const FlowKey6& key, uint64_t now);

  std::unique_ptr<rte_hash, HashDelete> hash_;
  std::vector<Entry> entries_;
  uint64_t idle_ticks_ = 0;
  uint32_t cursor_ = 0;
  uint32_t size_ = 0;
};

}  // namespace anabranch::dataplane
