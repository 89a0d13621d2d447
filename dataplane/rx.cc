// SPDX-License-Identifier: BSD-3-Clause
// A burst from a port: what is ours goes on, what is the kernel's is left to it (on a shared port
// the kernel has a copy of its own).
#include <rte_ethdev.h>

#include <cstring>

#include "dataplane/stages.h"

namespace anabranch::dataplane {
namespace {

bool is_own_address(const PathTable& paths, uint32_t address) {
  if (address == paths.lan_address) return true;
  for (uint8_t u = 0; u < paths.uplinks; ++u) {
    if (address == paths.uplink_address[u]) return true;
  }
  return false;
}

// RFC 4291: link-local and multicast addresses, and what names nobody.
bool is_local(Uint128 address) {
  const auto first = static_cast<uint16_t>(address >> 112);
  return first >> 6 == 0xfe80 >> 6 || first >> 8 == 0xff || address <= 1;
}

// What the packet's own header says: the flow key of an ICMP error is that of the packet it quotes.
uint32_t destination_of(rte_mbuf* frame) {
  return load_be32(octets(frame) + kEthernetHeader + 16);
}
Uint128 destination6_of(rte_mbuf* frame) {
  return load_be128(octets(frame) + kEthernetHeader + kDestination6);
}

bool is_own_address6(const PathTable& paths, Uint128 address) {
  if (address == paths.lan_address6) return true;
  for (uint8_t u = 0; u < paths.uplinks; ++u) {
    if (address == paths.uplink_address6[u]) return true;
  }
  return false;
}

bool is_for_us(const PathTable& paths, rte_mbuf* frame, const PacketView& view) {
  if (view.result == Parsed::ipv4) return is_own_address(paths, destination_of(frame));
  const Uint128 destination = destination6_of(frame);
  return is_own_address6(paths, destination) || is_local(destination);
}

// Of a port whose frames have a tag: takes it off (IEEE 802.1Q). False: it is none of the VLAN's.
bool take_tag_off(rte_mbuf* frame, uint16_t vlan) {
  constexpr uint16_t kVlanMask = 0x0fff, kAddresses = 12;
  if ((frame->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) != 0)
    return (frame->vlan_tci & kVlanMask) == vlan;
  uint8_t* p = octets(frame);
  if (rte_pktmbuf_data_len(frame) < kEthernetHeader + kVlanTag ||
      load_be16(p + kAddresses) != kEtherTypeVlan || (load_be16(p + 14) & kVlanMask) != vlan)
    return false;
  std::memmove(p + kVlanTag, p, kAddresses);
  rte_pktmbuf_adj(frame, kVlanTag);
  return true;
}

// Returns how many are left, in front.
uint16_t take_tags_off(Context& context, std::span<rte_mbuf*> burst, uint16_t vlan) {
  if (vlan == 0) return static_cast<uint16_t>(burst.size());
  uint16_t kept = 0;
  for (rte_mbuf* frame : burst) {
    if (take_tag_off(frame, vlan)) {
      burst[kept++] = frame;
    } else {
      context.drop(frame, Drop::wrong_vlan);
    }
  }
  return kept;
}

PacketView parse_received(rte_mbuf* frame) {
  const bool verified =
      (frame->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK) == RTE_MBUF_F_RX_IP_CKSUM_GOOD;
  return parse_frame(contents(frame), verified ? Checksum::verified : Checksum::unverified);
}

void count_burst(Context& context, uint16_t received) {
  context.counters.rx.add(received);
  context.counters.bursts.add(1);
  context.times.count(Stage::rx, received);
}

void leave_to_kernel(Context& context, rte_mbuf* packet) {
  context.counters.to_kernel.add(1);
  rte_pktmbuf_free(packet);
}

bool addressed_to(const Mac& mac, rte_mbuf* packet) {
  return rte_pktmbuf_data_len(packet) >= kEthernetHeader &&
         std::memcmp(octets(packet), mac.data(), mac.size()) == 0;
}

// A router's receive checks in the order of RFC 1812 5.2.1. True when the packet goes on, from its
// IP header on.
bool accept_from_lan(Context& context, const PathTable& paths, rte_mbuf* packet, PacketView& view,
                     uint64_t now) {
  if (!addressed_to(paths.lan_mac, packet)) {
    leave_to_kernel(context, packet);
    return false;
  }
  ::new (&view) PacketView(parse_received(packet));  // in place: copying it costs 10 cycles
  if (view.result == Parsed::invalid) {
    context.drop(packet, view.drop);
    return false;
  }
  if (view.result == Parsed::other || is_for_us(paths, packet, view)) {
    leave_to_kernel(context, packet);
    return false;
  }
  if (view.result == Parsed::ipv6 &&
      is_local(load_be128(octets(packet) + kEthernetHeader + kSource6))) {
    context.drop(packet, Drop::bad_scope);
    return false;
  }
  rte_pktmbuf_adj(packet, kEthernetHeader);
  rte_pktmbuf_trim(packet, static_cast<uint16_t>(rte_pktmbuf_data_len(packet) - view.total_length));
  if (view.ttl <= 1) {
    answer_icmp(context, packet, view, IcmpError::time_exceeded, 0, true, now);
    context.drop(packet, Drop::ttl_exceeded);
    return false;
  }
  return true;
}

// UDP to our address and port; everything else on an uplink is the kernel's.
bool is_segment(const PathTable& paths, uint8_t uplink, rte_mbuf* packet, const PacketView& view) {
  // Ports are those of a whole UDP header; an ICMP error has those of what it quotes.
  if (view.key.protocol != kUdp || view.key.destination_port != paths.udp_port ||
      view.quoted != 0 || view.fragment)
    return false;
  if (view.result == Parsed::ipv4) [[likely]]
    return view.key.destination == paths.uplink_address[uplink];
  return view.result == Parsed::ipv6 && paths.uplink_address6[uplink] != 0 &&
         destination6_of(packet) == paths.uplink_address6[uplink];
}

}  // namespace

uint16_t rx_lan(Context& context, uint64_t now) {
  const RxQueue& rx = context.lan_rx;
  if (rx.queue == RxQueue::kNone) return 0;
  rte_mbuf* burst[kBurst];
  const uint16_t received = rte_eth_rx_burst(context.options.lan_port, rx.queue, burst, kBurst);
  if (received == 0) return 0;
  count_burst(context, received);
  const uint16_t ours = take_tags_off(context, {burst, received}, context.paths->lan_vlan);
  const uint16_t own = rx.for_all ? hand_over_lan(context, {burst, ours}) : ours;
  receive_from_lan(context, {burst, own}, now);
  return received;
}

void receive_from_lan(Context& context, std::span<rte_mbuf*> burst, uint64_t now) {
  const StageTimes::Scope timed(context.times, Stage::parse, static_cast<uint32_t>(burst.size()));
  const PathTable& paths = *context.paths;
  PacketView views[kBurst];
  uint16_t kept = 0;
  for (rte_mbuf* packet : burst) {
    if (!accept_from_lan(context, paths, packet, views[kept], now)) continue;
    burst[kept++] = packet;
  }
  segment_burst(context, burst.first(kept), {views, kept}, now);
}

uint16_t rx_uplink(Context& context, uint8_t uplink, uint64_t now) {
  const RxQueue& rx = context.uplink_rx[uplink];
  if (rx.queue == RxQueue::kNone) return 0;
  rte_mbuf* burst[kBurst];
  const uint16_t received =
      rte_eth_rx_burst(context.options.uplink_port[uplink], rx.queue, burst, kBurst);
  if (received == 0) return 0;
  count_burst(context, received);
  const uint16_t ours =
      take_tags_off(context, {burst, received}, context.paths->uplink_vlan[uplink]);
  const uint16_t own = rx.for_all ? hand_over_uplink(context, uplink, {burst, ours}) : ours;
  const StageTimes::Scope timed(context.times, Stage::parse, own);
  for (uint16_t i = 0; i < own; ++i) receive_from_uplink(context, burst[i], uplink, now);
  return received;
}

void receive_from_uplink(Context& context, rte_mbuf* packet, uint8_t uplink, uint64_t now) {
  const PacketView view = parse_received(packet);
  if (!is_segment(*context.paths, uplink, packet, view)) return leave_to_kernel(context, packet);
  rte_pktmbuf_adj(packet, kEthernetHeader);
  open_segment(context, packet, uplink, view, now);
}

void refuse_from_uplink(Context& context, rte_mbuf* packet, uint8_t uplink) {
  const PacketView view = parse_received(packet);
  if (!is_segment(*context.paths, uplink, packet, view)) return leave_to_kernel(context, packet);
  refuse(context, packet, uplink_place(uplink), view.total_length, Drop::handover_full);
}

}  // namespace anabranch::dataplane
