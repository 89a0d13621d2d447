// SPDX-License-Identifier: BSD-3-Clause
// The second hop of the two gateways: a client's packet leaves on the LAN towards its host.
#include <rte_ip_frag.h>

#include "dataplane/stages.h"

namespace anabranch::dataplane {
namespace {

// Asks control to resolve an address; at most once a second for each.
void want(Context& context, uint32_t address, uint64_t now) {
  const size_t i = address % context.asked.size();
  if (context.asked[i] == address && now - context.asked_at[i] < context.options.tsc_hz) return;
  if (rte_ring_sp_enqueue(context.wanted.get(), reinterpret_cast<void*>(uintptr_t{address})) != 0)
    return;
  context.asked[i] = address;
  context.asked_at[i] = now;
}

void wait_for_neighbour(Context& context, rte_mbuf* packet, uint64_t now) {
  if (context.unresolved_count == Context::kUnresolvedMax)
    return context.drop(packet, Drop::no_neighbour);
  context.unresolved[context.unresolved_count++] = {packet, now + context.options.tsc_hz};
  context.unresolved_in = &context.plans->neighbours();
}

void write_ethernet(uint8_t* frame, const Mac& destination, const Mac& source) {
  std::memcpy(frame, destination.data(), destination.size());
  std::memcpy(frame + 6, source.data(), source.size());
  store_be16(frame + 12, 0x0800);
}

// RFC 791: the sender allows it.
void deliver_fragments(Context& context, rte_mbuf* packet, uint16_t mtu, uint64_t now) {
  rte_mbuf* fragments[kFragmentsMax];
  const int32_t count = rte_ipv4_fragment_copy_nonseg_packet(packet, fragments, kFragmentsMax, mtu,
                                                             context.options.pool);
  if (count < 0) return context.drop(packet, count == -ENOMEM ? Drop::no_buffer : Drop::too_big);
  rte_pktmbuf_free(packet);
  context.counters.made.add(static_cast<uint64_t>(count) - 1);
  for (int32_t i = 0; i < count; ++i) {
    const auto header = contents(fragments[i]).first((octets(fragments[i])[0] & 0x0f) * 4u);
    store_be16(&header[10], 0);
    store_be16(&header[10], internet_checksum(header));
    deliver(context, fragments[i], now);
  }
}

}  // namespace

void deliver(Context& context, rte_mbuf* packet, uint64_t now) {
  const StageTimes::Scope timed(context.times, Stage::deliver, 1);
  const PacketView view = parse_ipv4(contents(packet));
  if (view.result != Parsed::ipv4 || view.total_length != rte_pktmbuf_data_len(packet)) {
    return context.drop(packet, Drop::bad_inner);
  }
  const NeighbourTable& neighbours = context.plans->neighbours();
  const uint32_t destination = load_be32(octets(packet) + 16);
  if (!neighbours.is_behind(destination)) return context.drop(packet, Drop::not_for_lan);
  if (view.ttl <= 1) {
    answer_icmp(context, packet, view, IcmpError::time_exceeded, 0, false, now);
    return context.drop(packet, Drop::ttl_exceeded);
  }
  const PathTable& paths = *context.paths;
  if (view.total_length > paths.lan_mtu && !view.dont_fragment)
    return deliver_fragments(context, packet, paths.lan_mtu, now);
  if (view.total_length > paths.lan_mtu) {
    answer_icmp(context, packet, view, IcmpError::too_big, paths.lan_mtu, false, now);
    return context.drop(packet, Drop::too_big);
  }
  const uint32_t next_hop = neighbours.next_hop(destination);
  const Mac* mac = neighbours.everything ? &*neighbours.everything : neighbours.find(next_hop);
  if (mac == nullptr) {
    if (next_hop == 0) return context.drop(packet, Drop::no_neighbour);
    want(context, next_hop, now);
    return wait_for_neighbour(context, packet, now);
  }
  decrement_ttl(octets(packet));
  auto* frame = reinterpret_cast<uint8_t*>(rte_pktmbuf_prepend(packet, kEthernetHeader));
  if (frame == nullptr) return context.drop(packet, Drop::no_buffer);
  write_ethernet(frame, *mac, paths.lan_mac);
  enqueue(context, context.lan_tx, packet, {});
}

// After another table was published, everything that waits is tried again, in order; without one,
// it waits a second.
void deliver_resolved(Context& context, uint64_t now) {
  if (context.unresolved_count == 0) return;
  const auto waiting = context.unresolved;
  const uint32_t count = context.unresolved_count;
  const bool changed = context.unresolved_in != &context.plans->neighbours();
  context.unresolved_count = 0;
  for (uint32_t i = 0; i < count; ++i) {
    if (static_cast<int64_t>(now - waiting[i].until) >= 0) {
      context.drop(waiting[i].packet, Drop::no_neighbour);
    } else if (changed) {
      const uint32_t before = context.unresolved_count;
      deliver(context, waiting[i].packet, now);
      if (context.unresolved_count != before) context.unresolved[before].until = waiting[i].until;
    } else {
      context.unresolved[context.unresolved_count++] = waiting[i];
    }
  }
}

}  // namespace anabranch::dataplane
