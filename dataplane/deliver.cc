// SPDX-License-Identifier: BSD-3-Clause
// The second hop of the two gateways: a client's packet leaves on the LAN towards its host.
#include <rte_ip_frag.h>

#include "dataplane/stages.h"

namespace anabranch::dataplane {
namespace {

// Asks control to resolve an address; at most once a second for each.
void want(Context& context, Address address, uint64_t now) {
  const size_t i = static_cast<uint64_t>(address) % context.asked.size();
  if (context.asked[i] == address && now - context.asked_at[i] < context.options.tsc_hz) return;
  if (rte_ring_sp_enqueue_elem(context.wanted.get(), &address, sizeof address) != 0) return;
  context.asked[i] = address;
  context.asked_at[i] = now;
}

void wait_for_neighbour(Context& context, rte_mbuf* packet, uint64_t now) {
  if (context.unresolved_count == Context::kUnresolvedMax)
    return context.drop(packet, Drop::no_neighbour);
  context.unresolved[context.unresolved_count++] = {packet, now + context.options.tsc_hz};
  context.unresolved_in = &context.plans->neighbours();
}

// Before the packet. False when there is no room.
bool put_ethernet(rte_mbuf* packet, const Mac& destination, const PathTable& paths, uint16_t type) {
  if (paths.lan_vlan != 0) [[unlikely]] {
    auto* tag = reinterpret_cast<uint8_t*>(rte_pktmbuf_prepend(packet, kVlanTag));
    if (tag == nullptr) return false;
    store_be16(tag, paths.lan_vlan);
    store_be16(tag + 2, type);
    type = kEtherTypeVlan;
  }
  auto* frame = reinterpret_cast<uint8_t*>(rte_pktmbuf_prepend(packet, kEthernetHeader));
  if (frame == nullptr) return false;
  std::memcpy(frame, destination.data(), destination.size());
  std::memcpy(frame + 6, paths.lan_mac.data(), paths.lan_mac.size());
  store_be16(frame + 12, type);
  return true;
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

// Whom a packet goes to next on the LAN.
struct Hop {
  bool is_behind = false;
  const Mac* mac = nullptr;
};

template <typename Number>
Hop hop_towards(const NeighbourTable& neighbours, const NextHops<Number>& hops,
                Number destination) {
  if (!hops.is_behind(destination)) return {};
  return {true,
          neighbours.everything ? &*neighbours.everything : hops.find(hops.next_hop(destination))};
}

// Whose MAC is asked for; 0: nobody's.
Address unresolved_hop(const NeighbourTable& neighbours, const uint8_t* ip) {
  if (is_ipv6(ip)) return neighbours.ipv6.next_hop(load_be128(ip + kDestination6));
  const uint32_t next = neighbours.next_hop(load_be32(ip + 16));
  return next == 0 ? 0 : address_of(next);
}

}  // namespace

void deliver(Context& context, rte_mbuf* packet, uint64_t now) {
  const StageTimes::Scope timed(context.times, Stage::deliver, 1);
  const PacketView view = parse_ip(contents(packet));
  if (view.result == Parsed::invalid || view.total_length != rte_pktmbuf_data_len(packet)) {
    return context.drop(packet, Drop::bad_inner);
  }
  const bool ipv6 = view.result == Parsed::ipv6;
  const NeighbourTable& neighbours = context.plans->neighbours();
  const uint8_t* ip = octets(packet);
  const Hop hop = ipv6 ? hop_towards(neighbours, neighbours.ipv6, load_be128(ip + kDestination6))
                       : hop_towards<uint32_t>(neighbours, neighbours, load_be32(ip + 16));
  if (!hop.is_behind) return context.drop(packet, Drop::not_for_lan);
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
  if (hop.mac == nullptr) {
    const Address next = unresolved_hop(neighbours, ip);
    if (next == 0) return context.drop(packet, Drop::no_neighbour);
    want(context, next, now);
    return wait_for_neighbour(context, packet, now);
  }
  decrement_ttl(octets(packet));
  if (!put_ethernet(packet, *hop.mac, paths, ipv6 ? kEtherTypeIpv6 : kEtherTypeIpv4))
    return context.drop(packet, Drop::no_buffer);
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
