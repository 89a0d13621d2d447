// SPDX-License-Identifier: BSD-3-Clause
// What all that goes to the peer has in common: a frame of its own, numbered, sealed.
#include "dataplane/seal.h"
#include "dataplane/stages.h"

namespace anabranch::dataplane {

bool may_seal(Context& context, Drop& why) {
  const KeyTable& keys = *context.keys;
  if (keys.send == nullptr) {
    why = Drop::no_session;
    return false;
  }
  if (context.sealing_phase != keys.send_phase) {
    context.sealing_phase = keys.send_phase;
    context.sealed = 0;
  }
  why = Drop::key_worn;
  return context.sealed < context.sealed_max;
}

uint64_t pace_on(const Context& context, uint8_t p) {
  const Path& path = context.paths->paths[p];
  const uint64_t pace = path.estimated ? context.capacities[p].pace() : path.pace;
  const bool slowed = (context.slowed >> p & 1) != 0;
  return slowed ? std::max(pace, context.slow_pace[p]) : pace;
}

namespace {

// Octets of a frame before its content.
uint16_t before(const Path& path) {
  return static_cast<uint16_t>(path.header_length() + kOuterHeader);
}
uint16_t outer_length_of(const Path& path, size_t content) {
  return static_cast<uint16_t>(path.outer_ip + kOuterHeader + content + kTag);
}

// Most paths are of IPv4 without a tag: of that the compiler knows all lengths.
void write_header(const Path& path, uint16_t outer_length, uint8_t* out) {
  constexpr size_t kUsual = kEthernetHeader + kOuterIp;
  if (path.header_length() == kUsual) [[likely]] {
    std::memcpy(out, path.header.data(), kUsual);
    finish_header4(out + kEthernetHeader, outer_length);
  } else {
    std::memcpy(out, path.header.data(), path.header_length());
    finish_header(out + path.link_header, outer_length);
  }
}

// At `out`, with room for before() and kTag octets more than `content`, which may be where it goes.
// Inline, which saves two cycles.
[[gnu::always_inline]] inline void write_frame(Context& context, uint8_t p, const Path& path,
                                               SegmentType type, uint32_t receiver_index,
                                               std::span<const uint8_t> content, uint8_t* out) {
  const uint16_t outer_length = outer_length_of(path, content.size());
  write_header(path, outer_length, out);
  Flight& flight = context.flights[p];
  while (flight.at(context.packet_number[p]).fate == Fate::in_flight)
    forget_number(context, flight, context.packet_number[p]);  // may itself take a number
  const uint64_t number = context.packet_number[p]++;
  flight.add(number, outer_length, context.now_ns);
  const auto taken = static_cast<uint32_t>(outer_length + path.link_overhead);
  context.paces[p].take(taken, pace_on(context, p), context.now_ns);
  if (path.estimated) context.capacities[p].sent(taken);
  Counter& given = context.telemetry[p].given;
  given.add(outer_length);
  if (given.get() >= context.given_until[p]) [[unlikely]]
    leave_path(context, p);
  const KeyTable& keys = *context.keys;
  seal(*keys.send,
       {.type = type,
        .worker = context.options.id,
        .path = p,
        .key_phase = keys.send_phase,
        .receiver_index = receiver_index,
        .packet_number = number},
       content, out + path.header_length());
  if (path.outer_ip != kOuterIp) [[unlikely]]
    finish_checksum6(out + path.link_header, outer_length);
  ++context.sealed;
}

// Whether a segment's packet has the room, and nobody else who needs it.
bool may_become_frame(const rte_mbuf* clear, const Path& path) {
  return rte_mbuf_refcnt_read(clear) == 1 && rte_pktmbuf_headroom(clear) >= before(path) &&
         rte_pktmbuf_tailroom(clear) >= kTag;
}

[[gnu::always_inline]] inline rte_mbuf* become_frame(Context& context, uint8_t p, const Path& path,
                                                     const Segment& segment) {
  const auto content = contents(segment.clear);
  rte_pktmbuf_append(segment.clear, kTag);
  auto* out = reinterpret_cast<uint8_t*>(rte_pktmbuf_prepend(segment.clear, before(path)));
  write_frame(context, p, path, SegmentType::data, segment.peer_index, content, out);
  return segment.clear;
}

}  // namespace

rte_mbuf* make_frame(Context& context, uint8_t p, const Path& path, SegmentType type,
                     uint32_t receiver_index, std::span<const uint8_t> content) {
  rte_mbuf* frame = rte_pktmbuf_alloc(context.options.frames);
  if (frame == nullptr) return nullptr;
  const auto length = static_cast<uint16_t>(before(path) + content.size() + kTag);
  auto* out = reinterpret_cast<uint8_t*>(rte_pktmbuf_append(frame, length));
  write_frame(context, p, path, type, receiver_index, content, out);
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
  enqueue(context, context.uplink_tx[path.uplink], frame,
          {.slot = kHouseSlot,
           .place = path_place(p),
           .inner = 0,
           .outer = outer_length_of(path, content.size())});
}

namespace {

// RFC 6040 4.1: what the packet says of itself, the outer header says too. Of a fragment only the
// first knows, if it is long enough.
uint8_t ecn_of(const Segment& segment, uint16_t header, uint16_t length) {
  const uint8_t* clear = octets(segment.clear);
  const bool begins = header == kInnerHeader || load_be16(clear + kInnerHeader) == 0;
  return begins && length > 1 ? ecn_in(clear + header) : uint8_t{0};
}

}  // namespace

uint16_t room_on(const Context& context, uint8_t p) {
  const Path& path = context.paths->paths[p];
  const uint16_t outer = std::min(path.mtu, context.fits[p].limit(context.now_ns));
  return static_cast<uint16_t>(outer - path.outer_ip - kOuterHeader - kTag);
}

bool transmit(Context& context, const Segment& segment, uint8_t p, Kind kind, bool keep,
              const FlowName* flow) {
  const StageTimes::Scope timed(context.times, Stage::seal, 1);
  const uint16_t header = inner_length(segment);
  const auto inner = static_cast<uint16_t>(rte_pktmbuf_data_len(segment.clear) - header);
  const uint16_t room = room_on(context, p);
  if (header + inner > room) [[unlikely]] {
    const auto fits = static_cast<uint16_t>(room - kFragmentHeader);
    return transmit_cut(context, segment, cut_to_fit(p, inner, fits), kind, keep, flow);
  }
  const Path& path = context.paths->paths[p];
  const uint8_t ecn = ecn_of(segment, header, inner);
  // Before it is sealed, which may be in place.
  const FlowAccounts::Ref account =
      context.accounts == nullptr ? 0 : find_account(context, segment, p, kind, flow);
  const bool in_place = !keep && may_become_frame(segment.clear, path);
  rte_mbuf* frame = in_place ? become_frame(context, p, path, segment)
                             : make_frame(context, p, path, SegmentType::data, segment.peer_index,
                                          contents(segment.clear));
  if (frame == nullptr) [[unlikely]]
    return false;
  if (ecn != 0) add_ecn(octets(frame) + path.link_header, ecn);
  const uint16_t outer = outer_length_of(path, size_t{header} + inner);
  enqueue(context, context.uplink_tx[path.uplink], frame,
          {.slot = segment.slot,
           .place = path_place(p),
           .kind = kind,
           .inner = inner,
           .outer = outer,
           .flow = account,
           .made_by = context.options.id});
  if (keep) {
    retain(context, p, segment);
  } else if (!in_place) {
    rte_pktmbuf_free(segment.clear);
  }
  return true;
}

}  // namespace anabranch::dataplane
