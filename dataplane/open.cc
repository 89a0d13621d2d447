// SPDX-License-Identifier: BSD-3-Clause
// From the peer: what came to our UDP port is booked, checked and opened. Every octet that arrived
// is booked once: to the service its receiver index stands for when it is authentic, else to the
// house as refused, since the provider charges for it all the same.
#include "dataplane/seal.h"
#include "dataplane/stages.h"

namespace anabranch::dataplane {
namespace {

constexpr auto kReceived = static_cast<size_t>(Direction::received);

MeterCell& cell(Context& context, uint16_t slot, Place place, Kind kind) {
  return context.meters->services[slot].places[place][kReceived][static_cast<size_t>(kind)];
}

Kind kind_of(const Inner& inner) {
  if ((inner.flags & kInnerRepair) != 0) return Kind::repair;
  return (inner.flags & kInnerCopy) != 0 ? Kind::copy : Kind::first;
}

// Numbers of another instance of the peer start anew, under keys of their own.
void follow_instance(Context& context, const KeyTable& keys) {
  if (context.peer_instance == keys.peer_instance) return;
  context.peer_instance = keys.peer_instance;
  std::memset(static_cast<void*>(context.replay.get()), 0,
              sizeof(ReplayWindow) * kWorkersMax * kPathsMax);
}

Endpoint sender_of(rte_mbuf* packet, const PacketView& view) {
  const Address address = view.result == Parsed::ipv6 ? load_be128(octets(packet) + kSource6)
                                                      : address_of(view.key.source);
  return {address, view.key.source_port};
}

// Spares most packets the making of an endpoint.
bool comes_from(rte_mbuf* packet, const PacketView& view, const Endpoint& remote) {
  if (view.result == Parsed::ipv4) [[likely]]
    return view.key.source == static_cast<uint32_t>(remote.address) &&
           view.key.source_port == remote.port;
  return sender_of(packet, view) == remote;
}

// All but segments. False when it is none in order.
bool receive_control(Context& context, const Outer& outer, const Path& path, const Endpoint& sender,
                     std::span<const uint8_t> content, uint64_t now) {
  if (outer.type == SegmentType::ack) return receive_acks(context, content);
  if (outer.type == SegmentType::forward) {
    if (content.size() != kForwardLength) return false;
    skip_segment(context, load_be32(&content[0]), content[4], load_be32(&content[5]), now);
    return true;
  }
  const size_t length = outer.type == SegmentType::beat ? kBeatLength : kTokenLength;
  if (content.size() != length) return false;
  if (outer.type == SegmentType::beat) {
    receive_beat(context, outer.path, content);
    tell_all(context, News::beat, outer.path, content);
  } else if (outer.type == SegmentType::challenge) {
    answer_challenge(context, outer.path, path, content);
  } else {
    receive_response(context, outer.path, sender, content);
  }
  return true;
}

}  // namespace

void refuse(Context& context, rte_mbuf* packet, Place place, uint16_t octet_count, Drop reason) {
  cell(context, kHouseSlot, place, Kind::refused).add(octet_count, 1);
  context.drop(packet, reason);
}

void open_segment(Context& context, rte_mbuf* packet, uint8_t uplink, const PacketView& view,
                  uint64_t now) {
  const StageTimes::Scope timed(context.times, Stage::open, 1);
  const uint16_t outer_octets = view.total_length;
  const auto segment = contents(packet)
                           .first(outer_octets)
                           .subspan(static_cast<size_t>(view.header_length) + kUdpHeader);
  const Place unnamed = uplink_place(uplink);
  Outer outer;
  if (segment.size() < kOuterHeader + kTag || !load_outer(segment.data(), outer) ||
      outer.worker >= kWorkersMax) {
    return refuse(context, packet, unnamed, outer_octets, Drop::bad_segment);
  }
  const PathTable& paths = *context.paths;
  const Path* path = outer.path < kPathsMax ? &paths.paths[outer.path] : nullptr;
  if (path == nullptr || !path->configured || path->uplink != uplink) {
    return refuse(context, packet, unnamed, outer_octets, Drop::bad_path);
  }
  const Place place = path_place(outer.path);
  uint16_t slot = 0;
  const Plan* plan = find_receiver(context, outer.receiver_index, slot);
  if (plan == nullptr) {
    return refuse(context, packet, place, outer_octets, Drop::unknown_receiver);
  }
  const KeyTable& keys = *context.keys;
  const TrafficKey* key = keys.find(outer.key_phase);
  if (key == nullptr) return refuse(context, packet, place, outer_octets, Drop::unknown_key);
  follow_instance(context, keys);
  ReplayWindow& window = context.window(outer.worker, outer.path);
  if (!window.is_fresh(outer.packet_number)) {
    return refuse(context, packet, place, outer_octets, Drop::replayed);
  }
  if (!open(*key, outer, segment)) {
    return refuse(context, packet, place, outer_octets, Drop::bad_tag);
  }
  const bool newest = window.is_newest(outer.packet_number);
  // Beats come on every path, so what the first worker sees of moves is enough.
  if (newest && context.is_first() && !comes_from(packet, view, path->remote))
    consider_roaming(context, outer.path, *path, sender_of(packet, view));
  window.accept(outer.packet_number);
  context.counters.opened[outer.key_phase % kPhasesMax].add(1);
  context.measures[outer.path].heard(context.now_ns, outer.worker, outer.packet_number);

  const auto content = segment.subspan(kOuterHeader, segment.size() - kOuterHeader - kTag);
  if (outer.type != SegmentType::data) {
    if (slot != kHouseSlot ||
        !receive_control(context, outer, *path, sender_of(packet, view), content, now)) {
      return refuse(context, packet, place, outer_octets, Drop::bad_segment);
    }
    cell(context, kHouseSlot, place, Kind::control).add(outer_octets, 1);
    context.counters.absorbed.add(1);
    rte_pktmbuf_free(packet);
    return;
  }
  Inner inner;
  if (slot == kHouseSlot || !load_inner(content, inner)) {
    return refuse(context, packet, place, outer_octets, Drop::bad_segment);
  }
  const auto inner_octets = static_cast<uint16_t>(content.size() - inner.length());
  owe_ack(context, outer.worker, outer.path, newest);
  cell(context, slot, place, kind_of(inner)).add(inner_octets, 1);
  cell(context, slot, place, Kind::overhead).add(outer_octets - inner_octets, 0);
  if (context.accounts != nullptr) {
    account_received(context, slot, place, kind_of(inner), content.subspan(inner.length()),
                     inner.has(kInnerFragment), outer_octets);
  }

  Arrived arrived{packet, outer.receiver_index, inner, met_congestion(octets(packet))};
  rte_pktmbuf_adj(packet, static_cast<uint16_t>(content.data() + inner.length() - octets(packet)));
  rte_pktmbuf_trim(packet, static_cast<uint16_t>(rte_pktmbuf_data_len(packet) - inner_octets));
  if (inner.has(kInnerFragment) && !reassemble(context, arrived, *plan, now)) return;
  if (arrived.congested && !mark_congestion(octets(arrived.packet))) {
    context.drop(arrived.packet, Drop::not_ect);
    return skip_segment(context, outer.receiver_index, inner.lane, inner.sn, now);
  }
  if (plan->resequence) return equalise(context, arrived, outer.path, now);
  deliver(context, arrived.packet, now);
}

}  // namespace anabranch::dataplane
