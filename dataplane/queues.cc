// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/queues.h"

namespace anabranch::dataplane {

Queues::Queues() {
  free_.reserve(kFlows);
  for (uint16_t i = kFlows; i > 0; --i) free_.push_back(i);
}

void Queues::append(List& list, uint16_t index) {
  flow(index).next = kNone;
  if (list.tail == kNone) {
    list.head = index;
  } else {
    flow(list.tail).next = index;
  }
  list.tail = index;
}

uint16_t Queues::take_head(List& list) {
  const uint16_t index = list.head;
  list.head = flow(index).next;
  if (list.head == kNone) list.tail = kNone;
  return index;
}

void Queues::append_service(List& list, uint16_t slot) {
  services_[slot].next = kNone;
  const auto entry = static_cast<uint16_t>(slot + 1);
  if (list.tail == kNone) {
    list.head = entry;
  } else {
    services_[list.tail - 1u].next = entry;
  }
  list.tail = entry;
}

uint16_t Queues::take_service(List& list) {
  const auto slot = static_cast<uint16_t>(list.head - 1);
  list.head = services_[slot].next;
  if (list.head == kNone) list.tail = kNone;
  return slot;
}

void Queues::activate(uint16_t slot) {
  const uint64_t bit = uint64_t{1} << slot % 64;
  if ((active_[slot / 64] & bit) != 0) return;
  active_[slot / 64] |= bit;
  services_[slot].deficit = kQuantum;
  append_service(ready_, slot);
}

// Who came to share a queue goes on to until it is empty, or its packets would overtake each other.
uint16_t& Queues::place_of(const Waiting& note) {
  const size_t of_class =
      size_t{note.slot} * kTrafficClasses + static_cast<size_t>(note.traffic_class);
  uint16_t* const set = &places_[of_class * kQueues + note.queue_hash % kSets * kSetSize];
  uint16_t* free = nullptr;
  for (uint16_t* place = set; place != set + kSetSize; ++place) {
    if (*place != kNone && flow(*place).hash == note.queue_hash) return *place;
    if (*place == kNone && free == nullptr) free = place;
  }
  uint16_t& shared = set[note.queue_hash / kSets % kSetSize];
  if (free != nullptr && (shared == kNone || !flow(shared).is_shared)) return *free;
  flow(shared).is_shared = true;
  return shared;
}

bool Queues::put(rte_mbuf* packet) {
  Waiting& note = waiting(packet);
  note.next = nullptr;
  uint16_t& index = place_of(note);
  if (index == kNone) {
    if (free_.empty()) return false;
    index = free_.back();
    free_.pop_back();
    flow(index) = FlowQueue{.deficit = note.young ? kYoungQuantum : kQuantum,
                            .place = static_cast<uint32_t>(&index - places_.get()),
                            .slot = note.slot,
                            .hash = note.queue_hash,
                            .traffic_class = note.traffic_class};
    append(flows_of(flow(index)).fresh, index);
  }
  FlowQueue& queue = flow(index);
  if (queue.head == nullptr) {
    queue.head = packet;
  } else {
    waiting(queue.tail).next = packet;
  }
  queue.tail = packet;
  ++queue.packets;
  queue.octets += rte_pktmbuf_data_len(packet);
  ++size_;
  activate(note.slot);
  return true;
}

void Queues::retire(uint16_t index) {
  places_[flow(index).place] = kNone;
  free_.push_back(index);
}

// The list whose head may send: new flows first; who used up its share goes behind the others.
Queues::List* Queues::list_of_next(Flows& flows) {
  while (true) {
    List* const list = flows.fresh.head != kNone ? &flows.fresh : &flows.old;
    if (list->head == kNone) return nullptr;
    FlowQueue& queue = flow(list->head);
    if (queue.head == nullptr) {
      const uint16_t index = take_head(*list);
      // A flow that was new stays for a round, lest it come back as new at once.
      if (list == &flows.fresh && flows.old.head != kNone) {
        append(flows.old, index);
      } else {
        retire(index);
      }
    } else if (queue.deficit <= 0) {
      queue.deficit += kQuantum;
      append(flows.old, take_head(*list));
    } else {
      return list;
    }
  }
}

// … of the class whose turn it is. Beyond their half, urgent packets take turns with the others.
Queues::List* Queues::list_of_next(Service& service) {
  const auto of = [&](TrafficClass traffic_class) {
    return list_of_next(service.classes[static_cast<size_t>(traffic_class)]);
  };
  List* const urgent = of(TrafficClass::urgent);
  List* const normal = of(TrafficClass::normal);
  List* const background = of(TrafficClass::background);
  if (background != nullptr && service.background_after <= 0) return background;
  if (urgent != nullptr && service.urgent_ahead <= 0) return urgent;
  if (normal != nullptr) return normal;
  return background != nullptr ? background : urgent;
}

// Nothing is saved up for long, or owed: a class that was alone owes the others a packet at most.
void Queues::count_class(Service& service, TrafficClass traffic_class, int32_t octets) {
  constexpr int32_t kOthersPart = kBackgroundPart - 1;
  const int32_t ahead = traffic_class == TrafficClass::urgent ? octets : -octets;
  service.urgent_ahead = std::clamp(service.urgent_ahead + ahead, -kUrgentAhead, kQuantum);
  const int32_t after = traffic_class == TrafficClass::background ? kOthersPart * octets : -octets;
  service.background_after =
      std::clamp(service.background_after + after, -kQuantum, kOthersPart * kQuantum);
}

rte_mbuf* Queues::front() {
  while (ready_.head != kNone) {
    Service& service = services_[ready_.head - 1u];
    current_ = list_of_next(service);
    if (current_ != nullptr) return flow(current_->head).head;
    if (service.has_flows_aside) {
      set_service_aside();
    } else {
      const uint16_t slot = take_service(ready_);
      active_[slot / 64] &= ~(uint64_t{1} << slot % 64);
    }
  }
  return nullptr;
}

rte_mbuf* Queues::take(FlowQueue& queue) {
  rte_mbuf* const packet = queue.head;
  queue.head = waiting(packet).next;
  --queue.packets;
  queue.octets -= rte_pktmbuf_data_len(packet);
  --size_;
  return packet;
}

bool Queues::take_front(uint64_t now_ns, const CodelLimits& limits) {
  FlowQueue& queue = flow(current_->head);
  rte_mbuf* const packet = take(queue);
  return queue.codel.drops(now_ns - waiting(packet).since_ns, queue.octets <= kQuantum, now_ns,
                           limits);
}

void Queues::count_front(uint16_t octets, uint8_t weight) {
  FlowQueue& queue = flow(current_->head);
  Service& service = services_[queue.slot];
  queue.deficit -= octets;
  count_class(service, queue.traffic_class, octets);
  service.deficit -= octets;
  if (service.deficit > 0) return;
  service.deficit += kQuantum * weight;
  append_service(ready_, take_service(ready_));
}

void Queues::set_service_aside() {
  append_service(services_aside_, take_service(ready_));
}
void Queues::set_flow_aside() {
  services_[flow(current_->head).slot].has_flows_aside = true;
  append(flows_aside_, take_head(*current_));
}

void Queues::resume() {
  while (services_aside_.head != kNone) append_service(ready_, take_service(services_aside_));
  while (flows_aside_.head != kNone) {
    const uint16_t index = take_head(flows_aside_);
    append(flows_of(flow(index)).old, index);
    services_[flow(index).slot].has_flows_aside = false;
  }
}

Queues::FlowQueue& Queues::longest_queue() {
  return *std::max_element(
      flows_.begin(), flows_.end(),
      [](const FlowQueue& a, const FlowQueue& b) { return a.octets < b.octets; });
}

}  // namespace anabranch::dataplane
