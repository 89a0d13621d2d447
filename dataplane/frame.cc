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

rte_mbuf* make_frame(Context& context, uint8_t p, const Path& path, SegmentType type,
                     uint32_t receiver_index, std::span<const uint8_t> content) {
  rte_mbuf* frame = rte_pktmbuf_alloc(context.options.pool);
  if (frame == nullptr) return nullptr;
  const auto outer_length = static_cast<uint16_t>(kOuterIp + kOuterHeader + content.size() + kTag);
  auto* out = reinterpret_cast<uint8_t*>(
      rte_pktmbuf_append(frame, static_cast<uint16_t>(kEthernetHeader + outer_length)));
  std::memcpy(out, path.header.data(), path.header.size());
  finish_header(out, outer_length, context.identification++);
  const KeyTable& keys = context.plans->keys();
  seal(*keys.send,
       {.type = type,
        .worker = context.options.id,
        .path = p,
        .key_phase = keys.send_phase,
        .receiver_index = receiver_index,
        .packet_number = context.packet_number[p]++},
       content, out + path.header.size());
  context.counters.sealed.set(++context.sealed);
  return frame;
}

}  // namespace anabranch::dataplane
