// SPDX-License-Identifier: BSD-3-Clause
// Frames leave in bursts. What a port accepts is metered, not before; what it does not accept after
// bounded retries is a named drop.
#include <rte_ethdev.h>

#include "dataplane/stages.h"

namespace anabranch::dataplane {
namespace {

constexpr int kTxAttempts = 4;

void book(Context& context, const TxQueue::Booking& b) {
  auto& cells =
      context.meters->services[b.slot].places[b.place][static_cast<size_t>(Direction::sent)];
  if (b.inner == 0) {
    cells[static_cast<size_t>(Kind::control)].add(b.outer, 1);
    return;
  }
  cells[static_cast<size_t>(b.kind)].add(b.inner, 1);
  cells[static_cast<size_t>(Kind::overhead)].add(b.outer - b.inner, 0);
}

}  // namespace

void enqueue(Context& context, TxQueue& queue, rte_mbuf* frame, const TxQueue::Booking& booking) {
  if (queue.count == TxQueue::kSize) flush(context, queue);
  queue.packets[queue.count] = frame;
  queue.bookings[queue.count] = booking;
  ++queue.count;
}

void flush(Context& context, TxQueue& queue) {
  if (queue.count == 0) return;
  if (queue.attendant != context.options.id) return hand_over_frames(context, queue);
  uint16_t sent = 0;
  for (int attempt = 0; attempt < kTxAttempts && sent < queue.count; ++attempt) {
    sent =
        static_cast<uint16_t>(sent + rte_eth_tx_burst(queue.port, queue.queue, &queue.packets[sent],
                                                      static_cast<uint16_t>(queue.count - sent)));
  }
  context.counters.tx.add(sent);
  if (queue.metered) {
    for (uint16_t i = 0; i < sent; ++i) book(context, queue.bookings[i]);
  }
  for (uint16_t i = sent; i < queue.count; ++i) {
    context.drop(queue.packets[i], queue.metered ? Drop::tx_full : Drop::lan_tx_full);
  }
  queue.count = 0;
}

void flush_all(Context& context) {
  for (uint8_t u = 0; u < context.options.uplinks; ++u) flush(context, context.uplink_tx[u]);
  flush(context, context.lan_tx);
}

}  // namespace anabranch::dataplane
