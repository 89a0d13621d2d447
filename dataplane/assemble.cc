// SPDX-License-Identifier: BSD-3-Clause
// Clients' packets come out in the order of their lane.
#include "dataplane/stages.h"

namespace anabranch::dataplane {
namespace {

// A number that was forwarded stands for nothing.
auto out_of_lane(Context& context, uint64_t now) {
  return [&context, now](rte_mbuf* packet) {
    if (packet != nullptr) deliver(context, packet, now);
  };
}

// Lanes belong to a receiver index: a new one starts them afresh.
ServiceState& current_state(Context& context, uint16_t slot, const Plan& plan, uint64_t now) {
  ServiceState& service = context.service(slot);
  if (service.receiver_index != plan.receiver_index) {
    const auto out = out_of_lane(context, now);
    for (Lane& lane : service.lanes) {
      context.resequencer.flush(lane, out);
      lane = Lane{};
    }
    service.receiver_index = plan.receiver_index;
    context.received.set(slot);
  }
  return service;
}

void write_counters(Context& context) {
  context.counters.gaps.set(context.resequencer.gaps());
  context.counters.forced.set(context.resequencer.forced());
}

}  // namespace

// What the peer repairs is worth waiting for as long as it tries; it says when it gives up.
uint64_t hole_wait(const Context& context, const Plan& plan) {
  return plan.recovery ? context.hole_wait_max + context.hole_wait_max / 4 : context.hole_wait;
}

bool is_wanted(Context& context, uint32_t receiver_index, uint8_t lane, uint32_t sn) {
  uint16_t slot = 0;
  const Plan* plan = find_receiver(context, receiver_index, slot);
  if (plan == nullptr || !plan->resequence) return true;
  const ServiceState& service = context.service(slot);
  return service.receiver_index != receiver_index ||
         context.resequencer.wants(service.lanes[lane], sn);
}

// The index holds the slot in its low bits.
const Plan* find_receiver(const Context& context, uint32_t receiver_index, uint16_t& slot) {
  slot = static_cast<uint16_t>(receiver_index % kServicesMax);
  const Plan* plan = context.plans->plan(slot);
  return plan != nullptr && receiver_index != 0 && plan->receiver_index == receiver_index ? plan
                                                                                          : nullptr;
}

void assemble(Context& context, const Arrived& arrived, uint64_t now) {
  const StageTimes::Scope timed(context.times, Stage::assemble, 1);
  uint16_t slot = 0;
  const Plan* plan = find_receiver(context, arrived.receiver_index, slot);
  // The service may have ended while the packet waited for slower paths; it was paid for all the
  // same.
  if (plan == nullptr) return deliver(context, arrived.packet, now);
  const auto out = out_of_lane(context, now);
  Lane& lane = current_state(context, slot, *plan, now).lanes[arrived.inner.lane];
  switch (context.resequencer.receive(lane, arrived.inner.sn, arrived.packet, now,
                                      hole_wait(context, *plan), out)) {
    case Arrival::duplicate:
      context.drop(arrived.packet, Drop::duplicate);
      break;
    case Arrival::late:
      context.counters.late.add(1);
      break;
    case Arrival::passed:
    case Arrival::held:
      break;
  }
  while (context.resequencer.held() > context.options.held_max)
    context.resequencer.flush_oldest(out);
  write_counters(context);
}

void skip_segment(Context& context, uint32_t receiver_index, uint8_t lane, uint32_t sn,
                  uint64_t now) {
  uint16_t slot = 0;
  const Plan* plan = find_receiver(context, receiver_index, slot);
  if (plan == nullptr || slot == kHouseSlot) return;
  forget_fragments(context, receiver_index, lane, sn);
  if (!plan->resequence) return;
  context.resequencer.receive(current_state(context, slot, *plan, now).lanes[lane], sn, nullptr,
                              now, hole_wait(context, *plan), out_of_lane(context, now));
  write_counters(context);
}

void expire_holes(Context& context, uint64_t now) {
  expire_fragments(context, now);
  if (context.resequencer.held() == 0) return;
  const StageTimes::Scope timed(context.times, Stage::assemble);
  context.resequencer.expire(now, out_of_lane(context, now));
  write_counters(context);
}

}  // namespace anabranch::dataplane
