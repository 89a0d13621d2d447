// SPDX-License-Identifier: BSD-3-Clause
// Clients' packets come out in the order of their lane, or as they come, as the plan says.
#include "dataplane/stages.h"

namespace anabranch::dataplane {
namespace {

// Lanes belong to a receiver index: a new one starts them afresh.
ServiceState& current_state(Context& context, uint16_t slot, const Plan& plan, uint64_t now) {
  ServiceState& service = context.service(slot);
  if (service.receiver_index != plan.receiver_index) {
    const auto out = [&](rte_mbuf* packet) { deliver(context, packet, now); };
    for (Lane& lane : service.lanes) {
      context.resequencer.flush(lane, out);
      lane = Lane{};
    }
    service.receiver_index = plan.receiver_index;
  }
  return service;
}

void write_counters(Context& context) {
  context.counters.held.set(context.resequencer.held());
  context.counters.gaps.set(context.resequencer.gaps());
  context.counters.forced.set(context.resequencer.forced());
}

}  // namespace

void assemble(Context& context, rte_mbuf* packet, uint16_t slot, const Plan& plan,
              const Inner& inner, uint64_t now) {
  if (!plan.resequence) return deliver(context, packet, now);
  const auto out = [&](rte_mbuf* next) { deliver(context, next, now); };
  ServiceState& service = current_state(context, slot, plan, now);
  switch (context.resequencer.receive(service.lanes[inner.lane], inner.sn, packet, now,
                                      context.hole_wait, out)) {
    case Arrival::duplicate:
      context.drop(packet, Drop::duplicate);
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

void expire_holes(Context& context, uint64_t now) {
  if (context.resequencer.held() == 0) return;
  context.resequencer.expire(now, context.hole_wait,
                             [&](rte_mbuf* packet) { deliver(context, packet, now); });
  write_counters(context);
}

}  // namespace anabranch::dataplane
