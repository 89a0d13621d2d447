// SPDX-License-Identifier: BSD-3-Clause
// Towards the peer: from a client's packet to segments on the uplinks' queues.
#include <rte_ip_frag.h>

#include "dataplane/mss.h"
#include "dataplane/stages.h"

namespace anabranch::dataplane {
namespace {

constexpr uint16_t kTcpIpHeaders = 40;

uint8_t choose_path(Context& context, const PathTable& paths, const Plan& plan,
                    ServiceState& service, const Flow& flow, uint16_t length) {
  while (true) {
    const uint8_t p = plan.segmentation == Segmentation::flow
                          ? choose_by_flow(plan, context.alive, flow.bucket)
                          : choose_by_packet(plan, service.dispersion, context.alive,
                                             static_cast<uint32_t>(length + kSegmentOverhead));
    if (p == 0 || paths.paths[p].reachable) return p;
    // Control took the path away since keep_paths() last looked; it has no header to send with.
    context.alive = static_cast<uint16_t>(context.alive & ~(1u << p));
  }
}

// One packet that fits becomes one segment. Numbers are taken last, so that a packet that is
// dropped here leaves no hole in its lane.
void send_segment(Context& context, rte_mbuf* packet, const Plan& plan, const Flow& flow) {
  ServiceState& service = context.service(flow.slot);
  if (service.peer_index != plan.peer_index) {
    service.peer_index = plan.peer_index;
    service.next_sn = {};
  }
  const uint16_t length = rte_pktmbuf_data_len(packet);
  const PathTable& paths = context.plans->paths();
  const uint8_t p = choose_path(context, paths, plan, service, flow, length);
  if (p == 0) return context.drop(packet, Drop::path_down);
  // The inner header goes before the packet, in what was the room of its Ethernet header, so that
  // both are sealed in one go.
  auto* inner = reinterpret_cast<uint8_t*>(rte_pktmbuf_prepend(packet, kInnerHeader));
  if (inner == nullptr) return context.drop(packet, Drop::no_buffer);
  const uint32_t sn = service.next_sn[flow.lane];
  store_inner(inner, {.lane = flow.lane, .sn = sn});
  const Segment segment{packet, context.now_ns, plan.peer_index, sn, flow.slot, flow.lane};
  if (!transmit(context, segment, p, Kind::first, plan.recovery))
    return context.drop(packet, Drop::no_buffer);
  ++service.next_sn[flow.lane];
}

// RFC 791 fragmentation, for packets that allow it; ordinary TCP never comes here (mss.h).
void send_fragments(Context& context, rte_mbuf* packet, const Plan& plan, const Flow& flow) {
  constexpr uint16_t kFragmentsMax = 8;
  rte_mbuf* fragments[kFragmentsMax];
  const int32_t count = rte_ipv4_fragment_copy_nonseg_packet(packet, fragments, kFragmentsMax,
                                                             plan.inner_mtu, context.options.pool);
  if (count < 0) {
    return context.drop(packet, count == -ENOMEM ? Drop::no_buffer : Drop::too_big);
  }
  rte_pktmbuf_free(packet);
  context.counters.made.add(static_cast<uint64_t>(count) - 1);
  for (int32_t i = 0; i < count; ++i) {
    const auto header = contents(fragments[i]).first((octets(fragments[i])[0] & 0x0f) * 4u);
    store_be16(&header[10], 0);
    store_be16(&header[10], internet_checksum(header));
    send_segment(context, fragments[i], plan, flow);
  }
}

void segment_packet(Context& context, rte_mbuf* packet, const PacketView& view, const Flow* flow,
                    uint64_t now) {
  if (flow == nullptr) return context.drop(packet, Drop::flow_table_full);
  if (flow->slot == kHouseSlot) {
    answer_icmp(context, packet, view, IcmpError::prohibited, 0, true, now);
    return context.drop(packet, Drop::no_service);
  }
  const Plan* plan = context.plans->plan(flow->slot);
  if (plan == nullptr || plan->peer_index == 0) return context.drop(packet, Drop::no_session);
  Drop unable;
  if (!may_seal(context, unable)) return context.drop(packet, unable);
  if (view.total_length > plan->inner_mtu && view.dont_fragment) {
    answer_icmp(context, packet, view, IcmpError::too_big, plan->inner_mtu, true, now);
    return context.drop(packet, Drop::too_big);
  }
  decrement_ttl(octets(packet));
  if (view.total_length > plan->inner_mtu) return send_fragments(context, packet, *plan, *flow);
  clamp_mss(contents(packet), view, static_cast<uint16_t>(plan->inner_mtu - kTcpIpHeaders));
  send_segment(context, packet, *plan, *flow);
}

}  // namespace

void segment_burst(Context& context, std::span<rte_mbuf* const> packets,
                   std::span<const PacketView> views, uint64_t now) {
  const FlowKey* keys[kBurst];
  Flow* flows[kBurst];
  for (size_t i = 0; i < packets.size(); ++i) keys[i] = &views[i].key;
  context.flows->find({keys, packets.size()}, context.plans->ruleset(), now,
                      {flows, packets.size()});
  for (size_t i = 0; i < packets.size(); ++i) {
    segment_packet(context, packets[i], views[i], flows[i], now);
  }
}

}  // namespace anabranch::dataplane
