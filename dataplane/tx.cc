// SPDX-License-Identifier: BSD-3-Clause
// Frames leave in bursts. What a port accepts is metered, not before; what it does not accept after
// bounded retries is a named drop.
#include <rte_ethdev.h>

#include "dataplane/stages.h"

namespace anabranch::dataplane {
namespace {

constexpr int kTxAttempts = 4;

bool is_alike(const TxQueue::Booking& a, const TxQueue::Booking& b) {
  return a.slot == b.slot && a.place == b.place && a.kind == b.kind &&
         (a.inner == 0) == (b.inner == 0);
}

// Much of a burst goes to the same cells.
void book(Context& context, std::span<const TxQueue::Booking> bookings) {
  for (size_t i = 0; i < bookings.size();) {
    const TxQueue::Booking& first = bookings[i];
    uint64_t inner = 0, outer = 0, packets = 0;
    for (; i < bookings.size() && is_alike(first, bookings[i]); ++i) {
      inner += bookings[i].inner;
      outer += bookings[i].outer;
      ++packets;
    }
    auto& cells = context.meters->services[first.slot]
                      .places[first.place][static_cast<size_t>(Direction::sent)];
    if (first.inner == 0) {
      cells[static_cast<size_t>(Kind::control)].add(outer, packets);
      continue;
    }
    cells[static_cast<size_t>(first.kind)].add(inner, packets);
    cells[static_cast<size_t>(Kind::overhead)].add(outer - inner, 0);
  }
}

}  // namespace

void flush(Context& context, TxQueue& queue) {
  if (queue.count == 0) return;
  if (queue.attendant != context.options.id) return hand_over_frames(context, queue);
  const StageTimes::Scope timed(context.times, Stage::tx, queue.count);
  uint16_t sent = 0;
  for (int attempt = 0; attempt < kTxAttempts && sent < queue.count; ++attempt) {
    sent =
        static_cast<uint16_t>(sent + rte_eth_tx_burst(queue.port, queue.queue, &queue.packets[sent],
                                                      static_cast<uint16_t>(queue.count - sent)));
  }
  context.counters.tx.add(sent);
  if (queue.metered) {
    book(context, {queue.bookings.data(), sent});
    if (context.accounts != nullptr) account_sent(context, {queue.bookings.data(), sent});
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
