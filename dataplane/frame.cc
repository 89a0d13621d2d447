// SPDX-License-Identifier: BSD-3-Clause
// What all that goes to the peer has in common: a frame of its own, numbered, sealed.
#include "dataplane/seal.h"
#include "dataplane/stages.h"

namespace anabranch::dataplane {

bool may_seal(Context& context, Drop& why) {
  const KeyTable& keys = context.plans->keys();
  if (keys.send == nullptr) {
    why = Drop::no_session;
    return false;
  }
  if (context.sealing_phase != keys.send_phase) {
    context.sealing_phase = keys.send_phase;
    context.sealed = 0;
  }
  why = Drop::key_worn;
  return context.sealed < kSealedMax;
}

namespace {

void pay_pace(Context& context, uint8_t p, const Path& path, uint32_t octet_count) {
  Capacity& capacity = context.capacities[p];
  context.paces[p].take(octet_count, path.estimated ? capacity.pace() : path.pace, context.now_ns);
  capacity.sent(octet_count);
}

}  // namespace

rte_mbuf* make_frame(Context& context, uint8_t p, const Path& path, SegmentType type,
                     uint32_t receiver_index, std::span<const uint8_t> content) {
  rte_mbuf* frame = rte_pktmbuf_alloc(context.options.pool);
  if (frame == nullptr) return nullptr;
  const auto outer_length = static_cast<uint16_t>(kOuterIp + kOuterHeader + content.size() + kTag);
  auto* out = reinterpret_cast<uint8_t*>(
      rte_pktmbuf_append(frame, static_cast<uint16_t>(kEthernetHeader + outer_length)));
  std::memcpy(out, path.header.data(), path.header.size());
  finish_header(out, outer_length, context.identification++);
  const uint64_t number = context.packet_number[p]++;
  Flight& flight = context.flights[p];
  if (flight.at(number).fate == Fate::in_flight) forget_number(context, flight.at(number), flight);
  flight.add(number, outer_length, context.now_ns);
  pay_pace(context, p, path, static_cast<uint32_t>(outer_length + path.link_overhead));
  const KeyTable& keys = context.plans->keys();
  seal(*keys.send,
       {.type = type,
        .worker = context.options.id,
        .path = p,
        .key_phase = keys.send_phase,
        .receiver_index = receiver_index,
        .packet_number = number},
       content, out + path.header.size());
  context.counters.sealed.set(++context.sealed);
  return frame;
}

void send_control(Context& context, uint8_t p, const Path& path, SegmentType type,
                  std::span<const uint8_t> content) {
  const Plan* house = context.plans->plan(kHouseSlot);
  Drop unable;
  if (house == nullptr || house->peer_index == 0 || !may_seal(context, unable)) return;
  rte_mbuf* frame = make_frame(context, p, path, type, house->peer_index, content);
  if (frame == nullptr) return;
  context.counters.made.add(1);
  const auto outer = static_cast<uint16_t>(kOuterIp + kOuterHeader + content.size() + kTag);
  enqueue(context, context.uplink_tx[path.uplink], frame,
          {.slot = kHouseSlot, .inner = 0, .outer = outer, .place = path_place(p)});
}

bool transmit(Context& context, const Segment& segment, uint8_t p, Kind kind, bool keep) {
  const Path& path = context.plans->paths().paths[p];
  rte_mbuf* frame =
      make_frame(context, p, path, SegmentType::data, segment.peer_index, contents(segment.clear));
  if (frame == nullptr) return false;
  const auto inner = static_cast<uint16_t>(rte_pktmbuf_data_len(segment.clear) - kInnerHeader);
  const auto outer = static_cast<uint16_t>(inner + kSegmentOverhead);
  enqueue(
      context, context.uplink_tx[path.uplink], frame,
      {.slot = segment.slot, .inner = inner, .outer = outer, .place = path_place(p), .kind = kind});
  if (keep) {
    retain(context, p, segment);
  } else {
    rte_pktmbuf_free(segment.clear);
  }
  return true;
}

}  // namespace anabranch::dataplane
