// SPDX-License-Identifier: BSD-3-Clause
// Towards the peer: from a client's packet to segments on the uplinks' queues.
#include "dataplane/mss.h"
#include "dataplane/stages.h"

namespace anabranch::dataplane {
namespace {

constexpr uint16_t kTcpHeader = 20, kIpv4Header = 20;
// RFC 8200 5: every IPv6 packet of this size gets through. What a path does not take is cut.
constexpr uint16_t kIpv6MtuMin = 1280;
// CoDel takes a minute to tame a sender that does not slow down.
constexpr uint64_t kWaitMaxNs = 1'000'000'000;

// A packet of this size or more may be one of many: its flow is better served by all paths with an
// even delay than by the fastest alone. Requests, keystrokes and acknowledgements are smaller.
constexpr uint16_t kBulkLength = 512;

bool has_data(std::span<const uint8_t> ip, const PacketView& view) {
  const size_t tcp = view.header_length;
  return view.key.protocol != kTcp || view.fragment ||
         (ip.size() > tcp + 12u && ip.size() > tcp + (ip[tcp + 12] >> 4) * 4u);
}

// A host's TCP that finds the delay grown as it speeds up takes that for congestion (HyStart), so
// the delay is even from the first data it sends, however small that is.
bool is_bulk(const PacketView& view, const Flow& flow, bool with_data) {
  constexpr uint16_t kFirst = 8;
  return view.key.protocol == kTcp && with_data &&
         (flow.begun <= kFirst || view.total_length >= kBulkLength);
}

bool wants_even_delay(const Plan& plan, const Waiting& note, uint16_t length, uint64_t now_ns) {
  if (!plan.resequence) return false;
  if (plan.dispersion == Dispersion::weighted) return true;
  if (plan.dispersion != Dispersion::earliest_delivery) return false;
  return note.bulk || (length >= kBulkLength && note.since_ns != now_ns);
}

// Takes what was sent on a path, as a whole, and sends it on another; best effort.
void send_copy(Context& context, Segment segment, const Plan& plan, uint8_t first) {
  const uint8_t p = path_for_copy(context, plan, first);
  octets(segment.clear)[0] = kInnerCopy;
  if (p != 0 && transmit(context, segment, p, Kind::copy, false)) {
    context.counters.made.add(1);
  } else {
    rte_pktmbuf_free(segment.clear);
  }
}

// Numbers are taken last, so that a packet that is dropped here leaves no hole in its lane.
void send_segment(Context& context, rte_mbuf* packet, const Plan& plan, ServiceState& service,
                  const Waiting& note, uint8_t p, bool even, const Cuts& cuts = {}) {
  if (service.peer_index != plan.peer_index) [[unlikely]] {
    service.peer_index = plan.peer_index;
    service.next_sn = {};
  }
  // The inner header goes before the packet, in what was the room of its Ethernet header, so that
  // both are sealed in one go.
  auto* inner = reinterpret_cast<uint8_t*>(rte_pktmbuf_prepend(packet, kInnerHeader));
  if (inner == nullptr) [[unlikely]]
    return context.drop(packet, Drop::no_buffer);
  const uint32_t sn = service.next_sn[note.lane];
  store_inner(inner, {.flags = even ? kInnerEven : uint8_t{0}, .lane = note.lane, .sn = sn});
  const Segment segment{packet, context.now_ns, plan.peer_index, sn, note.slot, note.lane};
  const bool copied = plan.dispersion == Dispersion::redundant;
  if (copied) rte_mbuf_refcnt_update(packet, 1);
  const bool keep = plan.recovery && !copied;
  const bool sent = cuts.count != 0 ? transmit_cut(context, segment, cuts, Kind::first, keep)
                                    : transmit(context, segment, p, Kind::first, keep);
  if (!sent) [[unlikely]] {
    if (copied) rte_mbuf_refcnt_update(packet, -1);
    return context.drop(packet, Drop::no_buffer);
  }
  ++service.next_sn[note.lane];
  if (copied) send_copy(context, segment, plan, p);
}

void wait_in_queue(Context& context, rte_mbuf* packet, const Waiting& note) {
  waiting(packet) = note;
  if (context.queues.size() >= context.options.queued_max)
    context.queues.shed([&](rte_mbuf* old) { context.drop(old, Drop::queue_full); });
  if (!context.queues.put(packet)) context.drop(packet, Drop::queue_full);
}

// A path, unless the service's own rate is used up: then all of it waits, and no path is named.
Choice choose_within_rate(Context& context, const Plan& plan, ServiceState& service,
                          const Waiting& note, uint16_t length, bool even) {
  if (!service.pace.is_free(plan.pace, context.shared_pace(note.slot), context.now_ns))
    return {Choice::What::wait, 0};
  return choose_path(context, plan, service, note.bucket, length, even);
}

// Sends a packet when nothing waits and a path is free; else it waits.
void send_or_wait(Context& context, rte_mbuf* packet, const Plan& plan, const Waiting& note) {
  if (context.queues.size() != 0) return wait_in_queue(context, packet, note);
  const uint16_t length = rte_pktmbuf_data_len(packet);
  const bool even = wants_even_delay(plan, note, length, context.now_ns);
  ServiceState& service = context.service(note.slot);
  const Choice choice = choose_within_rate(context, plan, service, note, length, even);
  switch (choice.what) {
    case Choice::What::path:
      service.pace.take(length, plan.pace, context.shared_pace(note.slot), context.now_ns);
      return send_segment(context, packet, plan, service, note, choice.path, even,
                          even ? Cuts{} : choose_cuts(context, plan, length));
    case Choice::What::wait:
      return wait_in_queue(context, packet, note);
    case Choice::What::none:
      return context.drop(packet, reason_for_no_path(context, plan));
  }
}

void segment_packet(Context& context, rte_mbuf* packet, const PacketView& view, Flow* flow,
                    uint64_t now) {
  if (flow == nullptr) return context.drop(packet, Drop::flow_table_full);
  if (flow->slot == kHouseSlot) [[unlikely]] {
    answer_icmp(context, packet, view, IcmpError::prohibited, 0, true, now);
    return context.drop(packet, Drop::no_service);
  }
  const Plan* plan = context.plans->plan(flow->slot);
  if (plan == nullptr || plan->peer_index == 0) return context.drop(packet, Drop::no_session);
  Drop unable;
  if (!may_seal(context, unable)) return context.drop(packet, unable);
  const bool ipv6 = view.result == Parsed::ipv6;
  const uint16_t mtu = ipv6 ? std::max(plan->inner_mtu, kIpv6MtuMin) : plan->inner_mtu;
  if (view.total_length > mtu && view.dont_fragment) [[unlikely]] {
    answer_icmp(context, packet, view, IcmpError::too_big, mtu, true, now);
    return context.drop(packet, Drop::too_big);
  }
  decrement_ttl(octets(packet));
  const bool with_data = has_data(contents(packet), view);
  if (with_data && flow->is_young()) ++flow->begun;
  const Waiting note{.since_ns = context.now_ns,
                     .slot = flow->slot,
                     .queue_hash = flow->hash,
                     .lane = flow->lane(context.lanes),
                     .bucket = flow->bucket(),
                     .bulk = is_bulk(view, *flow, with_data),
                     .young = flow->is_young(),
                     .traffic_class = plan->class_of(view.key.dscp)};
  if (view.key.protocol == kTcp) {
    clamp_mss(
        contents(packet), view,
        static_cast<uint16_t>(plan->whole_mtu - kTcpHeader - (ipv6 ? kIpv6Header : kIpv4Header)));
  }
  send_or_wait(context, packet, *plan, note);
}

// IPv6 flows have a table of their own; most bursts are of one family.
void find_flows_of_both(Context& context, std::span<rte_mbuf* const> packets,
                        std::span<const PacketView> views, uint64_t now, std::span<Flow*> flows) {
  const FlowKey* keys[kBurst];
  FlowKey6 keys6[kBurst];
  uint8_t places[kBurst], places6[kBurst];
  Flow *found[kBurst], *found6[kBurst];
  uint8_t count = 0, count6 = 0;
  for (uint8_t i = 0; i < packets.size(); ++i) {
    if (views[i].result == Parsed::ipv6) {
      places6[count6] = i;
      keys6[count6++] = flow_key6(contents(packets[i]), views[i]);
    } else {
      places[count] = i;
      keys[count++] = &views[i].key;
    }
  }
  const Ruleset& rules = context.plans->ruleset();
  context.flows->find({keys, count}, rules, now, {found, count});
  context.flows6->find({keys6, count6}, rules, now, {found6, count6});
  for (uint8_t i = 0; i < count; ++i) flows[places[i]] = found[i];
  for (uint8_t i = 0; i < count6; ++i) flows[places6[i]] = found6[i];
}

}  // namespace

void send_waiting(Context& context) {
  while (rte_mbuf* packet = context.queues.front()) {
    const Waiting note = waiting(packet);
    const Plan* plan = context.plans->plan(note.slot);
    Drop unable = Drop::no_session;
    const bool may = plan != nullptr && plan->peer_index != 0 && may_seal(context, unable);
    const uint16_t length = rte_pktmbuf_data_len(packet);
    const bool even = may && wants_even_delay(*plan, note, length, context.now_ns);
    ServiceState& service = context.service(note.slot);
    const Choice choice =
        may ? choose_within_rate(context, *plan, service, note, length, even) : Choice{};
    if (choice.what == Choice::What::wait) {
      if (plan->segmentation == Segmentation::flow && choice.path != 0) {
        context.queues.set_flow_aside();
      } else {
        context.queues.set_service_aside();
      }
      continue;
    }
    const bool congested = context.queues.take_front(context.now_ns, context.codel);
    const bool hopeless = context.now_ns - note.since_ns > kWaitMaxNs;
    if (choice.what == Choice::What::none) {
      context.drop(packet, may ? reason_for_no_path(context, *plan) : unable);
    } else if (hopeless || (congested && !mark_congestion(octets(packet)))) {
      context.drop(packet, Drop::codel);
    } else {
      context.queues.count_front(length, plan->weight);
      context.times.count(Stage::queue, 1);
      service.pace.take(length, plan->pace, context.shared_pace(note.slot), context.now_ns);
      send_segment(context, packet, *plan, service, note, choice.path, even);
    }
  }
  context.queues.resume();
}

void segment_burst(Context& context, std::span<rte_mbuf* const> packets,
                   std::span<const PacketView> views, uint64_t now) {
  const FlowKey* keys[kBurst];
  Flow* flows[kBurst];
  const auto count = static_cast<uint32_t>(packets.size());
  bool any_ipv6 = false;
  for (size_t i = 0; i < packets.size(); ++i) {
    keys[i] = &views[i].key;
    any_ipv6 |= views[i].result == Parsed::ipv6;
  }
  {
    const StageTimes::Scope timed(context.times, Stage::flows, count);
    if (any_ipv6) {
      find_flows_of_both(context, packets, views, now, {flows, packets.size()});
    } else {
      context.flows->find({keys, packets.size()}, context.plans->ruleset(), now,
                          {flows, packets.size()});
    }
  }
  const StageTimes::Scope timed(context.times, Stage::disperse, count);
  for (size_t i = 0; i < packets.size(); ++i) {
    segment_packet(context, packets[i], views[i], flows[i], now);
  }
}

}  // namespace anabranch::dataplane
