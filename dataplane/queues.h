// SPDX-License-Identifier: BSD-3-Clause
// Where packets wait while all their paths are busy: services share by deficit round robin, within
// a service its flows do, and new or sparse flows go ahead (as FQ-CoDel, RFC 8290). A packet gets
// its number in its lane only when it leaves.
//
// Pure but for the mbuf, in whose private area the links are. Allocated once. One thread.
#pragma once

#include <rte_mbuf.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "dataplane/bounds.h"
#include "dataplane/codel.h"

namespace anabranch::dataplane {

// What is remembered of a packet while it waits; in its private area (create_pool()).
struct Waiting {
  rte_mbuf* next = nullptr;
  uint64_t since_ns = 0;
  uint16_t slot = 0;
  uint16_t queue_hash = 0;
  uint8_t lane = 0;
  uint8_t bucket = 0;
  bool bulk = false;  // wants an even delay
};
inline Waiting& waiting(rte_mbuf* packet) {
  return *static_cast<Waiting*>(rte_mbuf_to_priv(packet));
}

class Queues {
 public:
  static constexpr uint16_t kFlows = 4096;   // queues in use at once
  static constexpr uint16_t kHashes = 1024;  // of one service
  static constexpr int32_t kQuantum = 1514;

  Queues();

  // `packet`'s note must be filled in but for `next`. False when there is no queue for it.
  bool put(rte_mbuf* packet);

  // The packet whose turn it is, of a service not set aside; nullptr when there is none.
  rte_mbuf* front();
  // Takes the packet front() gave. True: CoDel wants it dropped, or marked.
  bool take_front(uint64_t now_ns, const CodelLimits& limits);
  // The service, or only the flow, of the packet front() gave cannot send now; until resume().
  void set_service_aside();
  void set_flow_aside();
  void resume();
  // Makes room: drop(packet) is called for the oldest of the longest queue, at most kShed of them
  // and half of it. Cost: a look at every queue.
  static constexpr uint32_t kShed = 64;
  template <typename Drop>
  void shed(Drop&& drop) {
    FlowQueue& longest = longest_queue();
    for (uint32_t n = std::min(kShed, (longest.packets + 1) / 2); n != 0; --n) drop(take(longest));
  }
  // Everything, in no order; for the end.
  template <typename Drop>
  void clear(Drop&& drop) {
    while (size_ != 0) drop(take(longest_queue()));
  }

  uint32_t size() const { return size_; }
  uint32_t flows() const { return kFlows - static_cast<uint32_t>(free_.size()); }

 private:
  static constexpr uint16_t kNone = 0;  // indices are 1-based
  struct List {
    uint16_t head = kNone, tail = kNone;
  };
  struct FlowQueue {
    rte_mbuf* head = nullptr;
    rte_mbuf* tail = nullptr;
    uint32_t packets = 0;
    int32_t deficit = 0;
    uint32_t octets = 0;
    uint16_t next = kNone;
    uint16_t slot = 0, hash = 0;
    Codel codel;
  };
  struct Service {
    List fresh, old;
    int32_t deficit = 0;
    uint16_t next = 0;  // 1-based slot; see services_
    bool active = false;
  };

  FlowQueue& flow(uint16_t index) { return flows_[index - 1u]; }
  uint16_t& queue_of(uint16_t slot, uint16_t hash) { return queue_of_[slot * kHashes + hash]; }
  FlowQueue& longest_queue();
  rte_mbuf* take(FlowQueue& queue);
  void append(List& list, uint16_t index);
  uint16_t take_head(List& list);
  List* list_of_next(Service& service);
  void retire(uint16_t index);
  void append_service(List& list, uint16_t slot);
  uint16_t take_service(List& list);
  void activate(uint16_t slot);

  std::vector<FlowQueue> flows_ = std::vector<FlowQueue>(kFlows);
  std::vector<uint16_t> free_;
  std::vector<uint16_t> queue_of_ = std::vector<uint16_t>(size_t{kServicesMax} * kHashes);
  std::vector<Service> services_ = std::vector<Service>(kServicesMax);
  List ready_;           // services with packets, as slot + 1
  List services_aside_;  // … that cannot send now
  List flows_aside_;
  List* current_ = nullptr;  // the flow front() chose is its head
  uint32_t size_ = 0;
};

}  // namespace anabranch::dataplane
