// SPDX-License-Identifier: BSD-3-Clause
// The flows a worker knows: flow key → service slot, lane, bucket and queue.
//
// Owned by one worker. Allocated once; nothing is allocated for a packet or a flow. Entries idle
// for longer than the limit are removed a few at a time, at every poll. A full table makes room for
// new flows at the cost of the oldest flow of which only one packet came; when there is none, of
// the one that was not seen for the longest of a few. What is lost with an entry is little:
// service, lane and bucket of a flow that comes again are the same.
#pragma once

#include <rte_hash.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "dataplane/bounds.h"
#include "dataplane/classify.h"
#include "dataplane/parse.h"

namespace anabranch::dataplane {

// The lanes of each half that one of several workers sends on: a lane has one sending worker.
struct Lanes {
  static constexpr uint8_t kHalf = kLanes / 2;
  uint8_t first = 0, count = kHalf;
  static constexpr Lanes of(uint8_t worker, uint8_t workers) {
    const auto each = static_cast<uint8_t>(kHalf / workers);
    return {static_cast<uint8_t>(worker * each), each};
  }
};

struct alignas(32) Flow {  // two in a cache line, none across
  FlowKey key;
  uint64_t seen = 0;          // ticks; 0: entry is free
  uint32_t epoch : 26 = 0;    // of the ruleset it was classified by
  uint32_t begun : 6 = 0;     // packets with data so far, up to kYoungMax
  uint16_t slot : 14 = 0;     // 0: no service
  uint16_t again : 1 = 0;     // it has had another packet since its first
  uint16_t newcomer : 1 = 0;  // its place is in the table's list of newcomers
  uint16_t hash = 0;
  // Until then TCP starts slowly, and most flows are over: 64 KB.
  static constexpr uint16_t kYoungMax = 48;
  bool is_young() const { return begun < kYoungMax; }

  // TCP has lanes of its own: nothing else waits with it for slow paths and repairs. Lane and
  // bucket are of different bits, or flows of a lane would share their path.
  uint8_t lane(const Lanes& lanes = {}) const {
    const uint32_t within = (hash % Lanes::kHalf * lanes.count) / Lanes::kHalf;
    return static_cast<uint8_t>(lanes.first + within + (key.protocol == kTcp ? 0 : Lanes::kHalf));
  }
  uint8_t bucket() const { return static_cast<uint8_t>((hash >> 8) % kFlowBuckets); }
};
static_assert(sizeof(Flow) == 32 && kServicesMax <= 1 << 14 && kEpochsMax < 1 << 26);

class FlowTable {
 public:
  // `idle_ticks`: an entry not seen for longer may be reused.
  static tl::expected<std::unique_ptr<FlowTable>, std::string> create(const std::string& name,
                                                                      uint32_t flows_max,
                                                                      uint64_t idle_ticks);
  ~FlowTable();

  // The flow of each key, classified by `rules` when it is new or the rules have changed; nullptr
  // when no place can be had for it. At most kBurst keys. Cost: one bulk lookup.
  void find(std::span<const FlowKey* const> keys, const Ruleset& rules, uint64_t now,
            std::span<Flow*> flows);

  // Looks at the next `entries` places and frees those that are idle. Returns how many it freed.
  uint32_t age(uint64_t now, uint32_t entries);

  uint32_t size() const { return size_; }
  // How many flows made room for others, ever.
  uint64_t displaced() const { return displaced_; }
  // So many flows fit before others have to make room: a cuckoo table that is fuller is slow.
  uint32_t limit() const { return limit_; }

 private:
  struct HashDelete {
    void operator()(rte_hash* hash) const { rte_hash_free(hash); }
  };
  struct FlowsDelete {
    void operator()(Flow* flows) const;
  };
  FlowTable() = default;
  Flow* insert(const FlowKey& key);
  void make_room(uint32_t count);
  Flow* take_newcomer(uint32_t& looks);
  Flow* find_stale();
  void list_newcomer(uint32_t place);
  void remove(Flow& flow);

  std::unique_ptr<rte_hash, HashDelete> hash_;
  std::unique_ptr<Flow[], FlowsDelete> flows_;  // by the position of their keys
  uint32_t places_ = 0;
  uint64_t idle_ticks_ = 0;
  uint32_t limit_ = 0;
  uint32_t cursor_ = 0;
  uint32_t hand_ = 0;  // where find_stale() looks next
  uint32_t size_ = 0;
  uint64_t displaced_ = 0;
  // A ring of the places of flows that were new, in that order; each place is in it once at most.
  std::vector<uint32_t> newcomers_;
  uint32_t first_newcomer_ = 0, newcomer_count_ = 0;
};

}  // namespace anabranch::dataplane
