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
  Service& service = services_[slot];
  if (service.active) return;
  service.active = true;
  service.deficit = kQuantum;
  append_service(ready_, slot);
}

bool Queues::put(rte_mbuf* packet) {
  Waiting& note = waiting(packet);
  note.next = nullptr;
  Service& service = services_[note.slot];
  uint16_t& index = queue_of(note.slot, note.queue_hash);
  if (index == kNone) {
    if (free_.empty()) return false;
    index = free_.back();
    free_.pop_back();
    flow(index) = FlowQueue{.deficit = kQuantum, .slot = note.slot, .hash = note.queue_hash};
    append(service.fresh, index);
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
  queue_of(flow(index).slot, flow(index).hash) = kNone;
  free_.push_back(index);
}

// The list whose head may send: new flows first; who used up its share goes behind the others.
Queues::List* Queues::list_of_next(Service& service) {
  while (true) {
    List* const list = service.fresh.head != kNone ? &service.fresh : &service.old;
    if (list->head == kNone) return nullptr;
    FlowQueue& queue = flow(list->head);
    if (queue.head == nullptr) {
      const uint16_t index = take_head(*list);
      // A flow that was new stays for a round, lest it come back as new at once.
      if (list == &service.fresh && service.old.head != kNone) {
        append(service.old, index);
      } else {
        retire(index);
      }
    } else if (queue.deficit <= 0) {
      queue.deficit += kQuantum;
      append(service.old, take_head(*list));
    } else {
      return list;
    }
  }
}

rte_mbuf* Queues::front() {
  while (ready_.head != kNone) {
    const auto slot = static_cast<uint16_t>(ready_.head - 1);
    Service& service = services_[slot];
    List* const list = list_of_next(service);
    if (list == nullptr) {
      take_service(ready_);
      service.active = false;
    } else if (service.deficit <= 0) {
      service.deficit += kQuantum;
      append_service(ready_, take_service(ready_));
    } else {
      current_ = list;
      return flow(list->head).head;
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
  const auto octets = static_cast<int32_t>(rte_pktmbuf_data_len(packet));
  queue.deficit -= octets;
  services_[queue.slot].deficit -= octets;
  return queue.codel.drops(now_ns - waiting(packet).since_ns, queue.octets <= kQuantum, now_ns,
                           limits);
}

void Queues::set_service_aside() {
  append_service(services_aside_, take_service(ready_));
}
void Queues::set_flow_aside() {
  append(flows_aside_, take_head(*current_));
}

void Queues::resume() {
  while (services_aside_.head != kNone) append_service(ready_, take_service(services_aside_));
  while (flows_aside_.head != kNone) {
    const uint16_t index = take_head(flows_aside_);
    append(services_[flow(index).slot].old, index);
    activate(flow(index).slot);
  }
}

Queues::FlowQueue& Queues::longest_queue() {
  return *std::max_element(
      flows_.begin(), flows_.end(),
      [](const FlowQueue& a, const FlowQueue& b) { return a.octets < b.octets; });
}

}  // namespace anabranch::dataplane
