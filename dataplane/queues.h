// SPDX-License-Identifier: BSD-3-Clause
// Where packets wait while all their paths are busy: services share by deficit round robin and
// their weights, within a service urgent packets go ahead of normal ones and those of background
// ones, within a class flows share, and new or sparse flows go ahead (as FQ-CoDel, RFC 8290). A
// packet gets its number in its lane only when it leaves.
//
// Pure but for the mbuf, in whose private area the links are. Allocated once. One thread.
#pragma once

#include <rte_mbuf.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

#include "dataplane/bounds.h"
#include "dataplane/codel.h"
#include "dataplane/plan.h"

namespace anabranch::dataplane {

// What is remembered of a packet while it waits; in its private area (create_pool()).
struct Waiting {
  rte_mbuf* next = nullptr;
  uint64_t since_ns = 0;
  uint16_t slot = 0;
  uint16_t queue_hash = 0;
  uint8_t lane = 0;
  uint8_t bucket = 0;
  bool bulk = false;   // wants an even delay
  bool young = false;  // one of the first of its flow
  TrafficClass traffic_class = TrafficClass::normal;
};
inline Waiting& waiting(rte_mbuf* packet) {
  return *static_cast<Waiting*>(rte_mbuf_to_priv(packet));
}

class Queues {
 public:
  static constexpr uint16_t kFlows = 4096;  // queues in use at once
  // Of one class of one service. A flow looks for its queue, or a free one, in a set of them, so
  // that flows share a queue only when all of a set are in use.
  static constexpr uint16_t kQueues = 1024, kSetSize = 8, kSets = kQueues / kSetSize;
  static constexpr int32_t kQuantum = 1514;
  // What a young flow may send ahead of the old ones: more than TCP's first window of ten, so that
  // a short transfer beside many long ones takes no longer than without them.
  static constexpr int32_t kYoungQuantum = 16 * kQuantum;
  // What urgent packets may be ahead of their half: a picture of a video does not wait in its
  // middle.
  static constexpr int32_t kUrgentAhead = 32 * kQuantum;
  static constexpr int32_t kBackgroundPart = 16;  // one of so many octets is background's

  Queues();

  // `packet`'s note must be filled in but for `next`. False when there is no queue for it.
  bool put(rte_mbuf* packet);

  // The packet whose turn it is, of a service not set aside; nullptr when there is none.
  rte_mbuf* front();
  // Takes the packet front() gave. True: CoDel wants it dropped, or marked.
  bool take_front(uint64_t now_ns, const CodelLimits& limits);
  // … and it leaves: what is dropped uses up nobody's share. `weight`: of its service.
  void count_front(uint16_t octets, uint8_t weight);
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

  bool is_allocated() const { return places_ != nullptr; }
  uint32_t size() const { return size_; }
  // Bit n: packets of slot 64 word + n wait.
  uint64_t waiting_slots(size_t word) const { return active_[word]; }
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
    uint32_t place = 0;      // in places_
    bool is_shared = false;  // by flows that have none of their own
    uint16_t slot = 0, hash = 0;
    TrafficClass traffic_class = TrafficClass::normal;
    Codel codel;
  };
  struct Flows {
    List fresh, old;
  };
  struct Service {
    std::array<Flows, kTrafficClasses> classes;
    int32_t deficit = 0;
    int32_t urgent_ahead = 0;      // octets of urgent packets that left, less those of others
    int32_t background_after = 0;  // octets of others after which background has its turn
    uint16_t next = 0;             // 1-based slot; see services_
    bool has_flows_aside = false;
  };

  FlowQueue& flow(uint16_t index) { return flows_[index - 1u]; }
  Flows& flows_of(const FlowQueue& queue) {
    return services_[queue.slot].classes[static_cast<size_t>(queue.traffic_class)];
  }
  uint16_t& place_of(const Waiting& note);
  FlowQueue& longest_queue();
  rte_mbuf* take(FlowQueue& queue);
  void append(List& list, uint16_t index);
  uint16_t take_head(List& list);
  List* list_of_next(Flows& flows);
  List* list_of_next(Service& service);
  static void count_class(Service& service, TrafficClass traffic_class, int32_t octets);
  void retire(uint16_t index);
  void append_service(List& list, uint16_t slot);
  uint16_t take_service(List& list);
  void activate(uint16_t slot);

  std::vector<FlowQueue> flows_ = std::vector<FlowQueue>(kFlows);
  std::vector<uint16_t> free_;
  // Index of the queue in use at each place. Large, and zero until it is used: calloc'd, so that
  // memory is touched only for services whose packets wait.
  struct FreeDelete {
    void operator()(uint16_t* places) const { std::free(places); }
  };
  std::unique_ptr<uint16_t[], FreeDelete> places_{static_cast<uint16_t*>(
      std::calloc(size_t{kServicesMax} * kTrafficClasses * kQueues, sizeof(uint16_t)))};
  std::vector<Service> services_ = std::vector<Service>(kServicesMax);
  std::array<uint64_t, kServicesMax / 64> active_{};  // by slot: in ready_ or services_aside_
  List ready_;                                        // services with packets, as slot + 1
  List services_aside_;                               // … that cannot send now
  List flows_aside_;
  List* current_ = nullptr;  // the flow front() chose is its head
  uint32_t size_ = 0;
};

}  // namespace anabranch::dataplane
