// SPDX-License-Identifier: BSD-3-Clause
// What one worker has and another needs: packets of a port that one attends for all, frames for
// such a port, and news of paths. What the other's ring has no room for is a named drop, and what a
// provider charges for is booked all the same.
#include <rte_prefetch.h>

#include "dataplane/spread.h"
#include "dataplane/stages.h"

namespace anabranch::dataplane {
namespace {

// What is to be known of a packet that is handed over; in its private area.
struct Handed {
  News news = News::none;  // none: a packet
  uint8_t from = 0;        // a packet: its uplink; a frame: its port; news: its path
  TxQueue::Booking booking;
};
static_assert(sizeof(Handed) <= sizeof(Waiting));

Handed& handed(rte_mbuf* packet) {
  return *static_cast<Handed*>(rte_mbuf_to_priv(packet));
}

// How many went, from the first.
uint32_t put(Context& context, Crew::Way way, uint8_t to, rte_mbuf* const* packets,
             uint32_t count) {
  const uint32_t went = context.options.crew->ring(way, context.options.id, to).put(packets, count);
  context.options.crew->bells[to].ring();
  context.counters.handed_over.add(went);
  return went;
}

template <typename WorkerOf, typename Refuse>
uint16_t hand_over(Context& context, Crew::Way way, std::span<rte_mbuf*> burst, WorkerOf worker_of,
                   Refuse refuse) {
  rte_mbuf* packets[kWorkersMax][kBurst];
  std::array<uint16_t, kWorkersMax> counts{};
  uint16_t own = 0;
  for (rte_mbuf* packet : burst) {
    const uint8_t worker = worker_of(packet);
    if (worker == context.options.id) {
      burst[own++] = packet;
    } else {
      packets[worker][counts[worker]++] = packet;
    }
  }
  for (uint8_t worker = 0; worker < context.workers(); ++worker) {
    if (counts[worker] == 0) continue;
    uint32_t i = put(context, way, worker, packets[worker], counts[worker]);
    for (; i < counts[worker]; ++i) refuse(packets[worker][i]);
  }
  return own;
}

// Another worker wrote them last, so each line comes from its cache: all at once, that waits once a
// burst instead of several times a packet. Of a frame only the note is read here.
void prefetch(Crew::Way way, std::span<rte_mbuf*> burst) {
  for (rte_mbuf* packet : burst) {
    rte_prefetch0(rte_mbuf_to_priv(packet));
    if (way != Crew::Way::port) rte_prefetch0(packet);
  }
  if (way == Crew::Way::port) return;
  for (rte_mbuf* packet : burst) rte_prefetch0(octets(packet));
}

// A burst from each of the others; what each(burst) is given is counted.
template <typename Each>
uint32_t take_over(Context& context, Crew::Way way, Each each) {
  uint32_t sum = 0;
  for (uint8_t from = 0; from < context.workers(); ++from) {
    if (from == context.options.id) continue;
    rte_mbuf* burst[kBurst];
    const uint32_t count =
        context.options.crew->ring(way, from, context.options.id).take(burst, kBurst);
    if (count == 0) continue;
    sum += count;
    prefetch(way, {burst, count});
    each(std::span(burst, count));
  }
  context.counters.taken_over.add(sum);
  return sum;
}

void receive_news(Context& context, rte_mbuf* message) {
  const uint8_t path = handed(message).from;
  switch (handed(message).news) {
    case News::beat:
      receive_beat(context, path, contents(message));
      break;
    case News::acks:
      receive_acks(context, contents(message));
      break;
    case News::capacity:
      receive_capacity_news(context, path, contents(message));
      break;
    case News::none:
      break;
  }
  context.counters.absorbed.add(1);
  rte_pktmbuf_free(message);
}

}  // namespace

uint16_t hand_over_lan(Context& context, std::span<rte_mbuf*> burst) {
  const uint8_t workers = context.workers();
  return hand_over(
      context, Crew::Way::lan, burst,
      [&](rte_mbuf* packet) { return worker_of_flow(contents(packet), workers); },
      [&](rte_mbuf* packet) { context.drop(packet, Drop::handover_full); });
}

uint16_t hand_over_uplink(Context& context, uint8_t uplink, std::span<rte_mbuf*> burst) {
  const uint8_t workers = context.workers();
  for (rte_mbuf* packet : burst) handed(packet) = {.from = uplink};
  return hand_over(
      context, Crew::Way::uplink, burst,
      [&](rte_mbuf* packet) {
        return static_cast<uint8_t>(sending_worker(contents(packet), context.options.id) % workers);
      },
      [&](rte_mbuf* packet) { refuse_from_uplink(context, packet, uplink); });
}

uint32_t take_over_lan(Context& context, uint64_t now) {
  return take_over(context, Crew::Way::lan,
                   [&](std::span<rte_mbuf*> burst) { receive_from_lan(context, burst, now); });
}

uint32_t take_over_uplink(Context& context, uint64_t now) {
  return take_over(context, Crew::Way::uplink, [&](std::span<rte_mbuf*> burst) {
    for (rte_mbuf* packet : burst) {
      if (handed(packet).news == News::none) {
        receive_from_uplink(context, packet, handed(packet).from, now);
      } else {
        receive_news(context, packet);
      }
    }
  });
}

void hand_over_frames(Context& context, TxQueue& queue) {
  for (uint16_t i = 0; i < queue.count; ++i)
    handed(queue.packets[i]) = {.from = queue.number, .booking = queue.bookings[i]};
  uint32_t i = put(context, Crew::Way::port, queue.attendant, queue.packets.data(), queue.count);
  for (; i < queue.count; ++i) context.drop(queue.packets[i], Drop::handover_full);
  queue.count = 0;
}

// All that was there: a service's meters are read for the last time when every worker has been
// round twice since its plan went.
uint32_t take_over_frames(Context& context) {
  uint32_t sum = 0;
  for (uint32_t round = 0; round <= HandoverRing::kSize / kBurst; ++round) {
    const uint32_t count = take_over(context, Crew::Way::port, [&](std::span<rte_mbuf*> frames) {
      for (rte_mbuf* frame : frames) {
        const Handed note = handed(frame);
        TxQueue& queue = note.from == kLanPort ? context.lan_tx : context.uplink_tx[note.from - 1u];
        enqueue(context, queue, frame, note.booking);
      }
    });
    if (count == 0) break;
    sum += count;
  }
  return sum;
}

void tell(Context& context, uint8_t worker, News news, uint8_t path,
          std::span<const uint8_t> content) {
  if (worker >= context.workers()) return;
  rte_mbuf* message = rte_pktmbuf_alloc(context.options.pool);
  if (message == nullptr) return;
  std::memcpy(rte_pktmbuf_append(message, static_cast<uint16_t>(content.size())), content.data(),
              content.size());
  handed(message) = {.news = news, .from = path};
  context.counters.made.add(1);
  if (put(context, Crew::Way::uplink, worker, &message, 1) == 0)
    context.drop(message, Drop::handover_full);
}

void tell_all(Context& context, News news, uint8_t path, std::span<const uint8_t> content) {
  for (uint8_t worker = 0; worker < context.workers(); ++worker) {
    if (worker != context.options.id) tell(context, worker, news, path, content);
  }
}

}  // namespace anabranch::dataplane
