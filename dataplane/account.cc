// SPDX-License-Identifier: BSD-3-Clause
// Where the accounts of flows meet the way of a packet: what is sent is named before it is sealed,
// and counted when the port has accepted it; what is received is both when it is opened.
//
// Never inline: who accounts no flows shall not pay for it with the registers of their callers.
#include "dataplane/stages.h"

namespace anabranch::dataplane {
namespace {

uint64_t service_of(const Context& context, uint16_t slot) {
  return context.options.owners[slot].load(std::memory_order_relaxed);
}

void count(Context& context, const TxQueue::Booking& booking) {
  context.accounts->count(booking.flow, booking.slot, booking.place, Direction::sent, booking.kind,
                          booking.inner, booking.outer, context.now_ns);
}

// The other worker counts it. When it does not get round to that, it is of no flow.
void tell_its_maker(Context& context, TxQueue::Booking booking) {
  auto& notes = context.options.crew->notes(context.options.id, booking.made_by);
  if (notes.put({.flow = booking.flow,
                 .slot = booking.slot,
                 .place = booking.place,
                 .kind = booking.kind,
                 .inner = booking.inner,
                 .outer = booking.outer}))
    return context.options.crew->bells[booking.made_by].ring();
  booking.flow = 0;
  count(context, booking);
}

}  // namespace

std::optional<FlowName> name_flow(const Segment& segment) {
  Inner inner;
  const auto content = contents(segment.clear);
  if (!load_inner(content, inner) || inner.has(kInnerFragment)) return std::nullopt;
  return name_flow(content.subspan(inner.length()));
}

[[gnu::noinline]] FlowAccounts::Ref find_account(Context& context, const Segment& segment,
                                                 uint8_t p, Kind kind, const FlowName* flow) {
  const auto own = flow != nullptr ? std::optional(*flow) : name_flow(segment);
  if (!own) return 0;
  return context.accounts->find(*own, service_of(context, segment.slot), path_place(p),
                                Direction::sent, kind, context.now_ns);
}

[[gnu::noinline]] void account_sent(Context& context, std::span<const TxQueue::Booking> bookings) {
  for (const TxQueue::Booking& booking : bookings) {
    if (booking.inner == 0) continue;
    const bool is_own = booking.flow == 0 || booking.made_by == context.options.id;
    if (is_own) {
      count(context, booking);
    } else {
      tell_its_maker(context, booking);
    }
  }
}

uint32_t account_notes(Context& context) {
  uint32_t notes = 0;
  for (uint8_t from = 0; from < context.workers(); ++from) {
    if (from == context.options.id) continue;
    Crew::FlowNote note;
    for (; context.options.crew->notes(from, context.options.id).take(note); ++notes) {
      count(context, {.slot = note.slot,
                      .place = note.place,
                      .kind = note.kind,
                      .inner = note.inner,
                      .outer = note.outer,
                      .flow = note.flow});
    }
  }
  return notes;
}

[[gnu::noinline]] void account_received(Context& context, uint16_t slot, Place place, Kind kind,
                                        std::span<const uint8_t> packet, bool is_fragment,
                                        uint16_t outer) {
  const auto flow = is_fragment ? std::nullopt : name_flow(packet);
  const FlowAccounts::Ref ref =
      flow ? context.accounts->find(*flow, service_of(context, slot), place, Direction::received,
                                    kind, context.now_ns)
           : 0;
  context.accounts->count(ref, slot, place, Direction::received, kind,
                          static_cast<uint16_t>(packet.size()), outer, context.now_ns);
}

}  // namespace anabranch::dataplane
