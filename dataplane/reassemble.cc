// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/reassemble.h"

#include <algorithm>

#include "dataplane/stages.h"

namespace anabranch::dataplane {

bool Runs::add(uint16_t from, uint16_t to) {
  uint8_t first = 0;
  while (first < count_ && runs_[first].to < from) ++first;
  uint8_t last = first;  // behind those it touches
  Run merged{from, to};
  for (; last < count_ && runs_[last].from <= to; ++last) {
    if (runs_[last].from <= from && to <= runs_[last].to) return false;
    merged = {std::min(merged.from, runs_[last].from), std::max(merged.to, runs_[last].to)};
  }
  if (first == last && count_ == kMax) return false;
  // What is behind them moves so that they are one.
  if (first == last) {
    std::copy_backward(runs_.begin() + last, runs_.begin() + count_, runs_.begin() + count_ + 1);
  } else {
    std::copy(runs_.begin() + last, runs_.begin() + count_, runs_.begin() + first + 1);
  }
  count_ = static_cast<uint8_t>(count_ + 1 - (last - first));
  runs_[first] = merged;
  return true;
}

namespace {

using Partial = Reassembler::Partial;

// Late fragments of what came out already are no loss.
auto drop_partial(Context& context) {
  return [&context](const Partial& partial) {
    const auto& [receiver, sn, lane] = partial.name;
    const bool wanted = is_wanted(context, receiver, lane, sn);
    context.drop(partial.packet, wanted ? Drop::incomplete : Drop::duplicate);
  };
}

// Puts the octets of `fragment` where they belong in the packet.
void merge(Context& context, Partial& partial, rte_mbuf* fragment, uint16_t offset) {
  const uint16_t length = rte_pktmbuf_data_len(fragment);
  if (partial.packet == fragment) {
    std::memmove(octets(fragment) + offset, octets(fragment), length);
    return;
  }
  std::memcpy(octets(partial.packet) + offset, octets(fragment), length);
  context.counters.absorbed.add(1);
  rte_pktmbuf_free(fragment);
}

}  // namespace

bool reassemble(Context& context, Arrived& arrived, const Plan& plan, uint64_t now) {
  rte_mbuf* const fragment = arrived.packet;
  const Inner& inner = arrived.inner;
  const uint32_t end = uint32_t{inner.offset} + rte_pktmbuf_data_len(fragment);
  if (end > context.options.packet_max) {
    context.drop(fragment, Drop::bad_inner);
    return false;
  }
  if (!is_wanted(context, arrived.receiver_index, inner.lane, inner.sn)) {
    context.drop(fragment, Drop::duplicate);
    return false;
  }
  const Reassembler::Name name{arrived.receiver_index, inner.sn, inner.lane};
  Partial* const known = context.reassembler.find(name);
  Partial& partial = known != nullptr
                         ? *known
                         : context.reassembler.begin(name, fragment, now + hole_wait(context, plan),
                                                     drop_partial(context));
  // Who contradicts itself about where the packet ends is not believed.
  const bool is_last = !inner.has(kInnerMore);
  const bool beyond = partial.total != 0 && end > partial.total;
  const bool contradicts =
      beyond ||
      (is_last && (end < partial.runs.end() || (partial.total != 0 && end != partial.total)));
  if (contradicts || !partial.runs.add(inner.offset, static_cast<uint16_t>(end))) {
    context.drop(fragment, contradicts ? Drop::bad_inner : Drop::duplicate);
    return false;
  }
  if (is_last) partial.total = static_cast<uint16_t>(end);
  partial.congested = partial.congested || arrived.congested;
  merge(context, partial, fragment, inner.offset);
  if (partial.total == 0 || !partial.runs.is_all(partial.total)) return false;
  const Partial whole = context.reassembler.take(partial);
  whole.packet->data_len = whole.total;
  whole.packet->pkt_len = whole.total;
  arrived.packet = whole.packet;
  arrived.congested = whole.congested;
  return true;
}

void forget_fragments(Context& context, uint32_t receiver_index, uint8_t lane, uint32_t sn) {
  if (context.reassembler.held() == 0) return;
  if (Partial* partial = context.reassembler.find({receiver_index, sn, lane}))
    context.drop(context.reassembler.take(*partial).packet, Drop::incomplete);
}

void expire_fragments(Context& context, uint64_t now) {
  context.reassembler.expire(now, drop_partial(context));
}

void free_fragments(Context& context) {
  context.reassembler.clear([](const Partial& partial) { rte_pktmbuf_free(partial.packet); });
}

}  // namespace anabranch::dataplane
