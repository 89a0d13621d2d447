// SPDX-License-Identifier: BSD-3-Clause
#include "tests/dataplane/gateway.h"

#include <rte_dev.h>
#include <rte_eth_ring.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "tests/dataplane/link.h"
#include "tests/dataplane/test_keys.h"

namespace anabranch::dataplane {
namespace {

// Devices and rings have names of their own in all of EAL.
std::string unique(const std::string& name) {
  static int count = 0;
  return name + std::to_string(count++);
}

template <typename T>
T value_of(tl::expected<T, std::string> result) {
  if (!result) {
    std::fprintf(stderr, "test gateway: %s\n", result.error().c_str());
    std::abort();
  }
  return std::move(*result);
}

void drain(rte_ring* ring) {
  void* frame = nullptr;
  while (rte_ring_dequeue(ring, &frame) == 0) rte_pktmbuf_free(static_cast<rte_mbuf*>(frame));
}

}  // namespace

RingPort::RingPort(const std::string& name, uint32_t size, rte_mempool* pool)
    : in(rte_ring_create(unique(name + "_in").c_str(), size, 0, 0)),
      out(rte_ring_create(unique(name + "_out").c_str(), size, 0, 0)),
      device_(unique(name)) {
  const int id = rte_eth_from_rings(device_.c_str(), &in, 1, &out, 1, 0);
  if (id < 0) std::abort();
  port = value_of(start_port(static_cast<uint16_t>(id), 1500, pool));
}

RingPort::~RingPort() {
  close_port(port);
  rte_eal_hotplug_remove("vdev", ("net_ring_" + device_).c_str());
  drain(in);
  drain(out);
  rte_ring_free(in);
  rte_ring_free(out);
}

Gateway::Gateway(int which, rte_mempool* pool, uint32_t uplink_ring_size,
                 const WorkerOptions& limits, uint8_t workers, uint32_t ring_size)
    : site(static_cast<uint8_t>(which)),
      lan_mac{2, 0, 0, 0, site, 1},
      host_mac{2, 0, 0, 0, site, 2},
      lan("lan", 1024, pool),
      meters(value_of(Meters::open(folder.file("meters"), workers))),
      options(limits),
      session_(which == 1 ? 7 : 9),
      peer_session_(which == 1 ? 9 : 7),
      pool_(pool) {
  mtu.fill(1500);
  options.lan_port = lan.port.id;
  for (uint8_t u = 0; u < kPaths; ++u) {
    uplinks.push_back(std::make_unique<RingPort>("uplink", uplink_ring_size, pool));
    options.uplink_port[u] = uplinks[u]->port.id;
  }
  options.uplinks = kPaths;
  options.pool = pool;
  options.tsc_hz = kSecond;
  options.flows_max = options.flows6_max = 4096;
  worker = value_of(Workers::create(options, {.workers = workers, .ring_size = ring_size}, plans,
                                    meters.region()));
  plans.publish(std::make_unique<const PathTable>(paths()));
  plans.publish(std::make_unique<const NeighbourTable>(neighbours()));
  plans.publish(test_keys(site, 1, {1}));
  admit(kHouseSlot, {});
}

void Gateway::admit(uint16_t slot, const std::array<uint16_t, kPathsMax>& weights,
                    Segmentation segmentation, bool resequence) {
  auto plan = std::make_unique<Plan>();
  plan->generation = ++generation_;
  plan->receiver_index = session_ * kServicesMax + slot;
  plan->peer_index = peer_session_ * kServicesMax + slot;
  plan->segmentation = segmentation;
  plan->dispersion = dispersion;
  plan->order = order;
  plan->provider = provider;
  plan->resequence = resequence;
  plan->recovery = recovery && resequence;
  plan->weight = weight;
  plan->pace = pace_of(rate_max_bps);
  plan->urgent = urgent;
  plan->background = background;
  if (slot != kHouseSlot) compile_weights(weights, *plan);
  plan->inner_mtu = 0;
  plan->whole_mtu = UINT16_MAX;
  for (uint8_t p = 0; p <= kPaths; ++p) {
    const uint16_t room = mtu[p] - segment_overhead(ipv6[p] ? kOuterIp6 : kOuterIp);
    plan->inner_mtu = std::max(plan->inner_mtu, room);
    plan->whole_mtu = std::min(plan->whole_mtu, room);
  }
  plans.publish(slot, std::move(plan));
}

Rule Gateway::rule_of(uint16_t slot) const {
  const uint32_t here = lan_address() & 0xffff0000;
  const uint32_t there = here ^ 0x0a0a0000 ^ 0x0a140000;
  return {.source = here,
          .source_mask = 0xffff0000,
          .destination = there,
          .destination_mask = 0xffff0000,
          .slot = slot};
}

void Gateway::publish(std::vector<Rule> rules, std::vector<Rule6> rules6) {
  auto ruleset = std::make_unique<Ruleset>();
  ruleset->epoch = plans.ruleset().epoch + 1;
  ruleset->rules = std::move(rules);
  ruleset->rules6 = std::move(rules6);
  plans.publish(std::move(ruleset));
}

void Gateway::classify_all(uint16_t slot) {
  const auto mask = mask_of<Uint128>(48);
  publish({rule_of(slot)}, {{.source = network6(site),
                             .source_mask = mask,
                             .destination = network6(3 - site),
                             .destination_mask = mask,
                             .slot = slot}});
}

void Gateway::classify_ports(const std::map<uint16_t, uint16_t>& slots) {
  std::vector<Rule> rules;
  for (const auto& [port, slot] : slots) {
    rules.push_back(rule_of(slot));
    rules.back().source_port_from = rules.back().source_port_to = port;
  }
  publish(std::move(rules));
}

void Gateway::start_session(uint32_t session, uint32_t peer_session) {
  session_ = session;
  peer_session_ = peer_session;
  plans.publish(test_keys(site, 1, {1}, std::min(session, peer_session)));
  admit(kHouseSlot, {});
}

PathTable Gateway::paths() const {
  PathTable table;
  table.uplinks = kPaths;
  table.lan_address = lan_address();
  table.lan_address6 = lan_address6();
  table.lan_mac = lan_mac;
  table.lan_vlan = lan_vlan;
  table.lan_mtu = lan_mtu;
  for (uint8_t p = 1; p <= kPaths; ++p) {
    Path& path = table.paths[p];
    path.configured = path.reachable = path.in_use = true;
    path.uplink = static_cast<uint8_t>(p - 1);
    path.pace = pace_of(rate_bps[p]);
    path.estimated = estimated;
    path.mtu = mtu[p];
    table.uplink_address[path.uplink] = address_on(p);
    table.uplink_address6[path.uplink] = address6_on(p);
    table.uplink_vlan[path.uplink] = path.vlan = vlan[p];
    path.local = ipv6[p] ? address6_on(p) : address_of(address_on(p));
    path.remote = {path.local ^ (1 << 8) ^ (2 << 8), table.udp_port};
    make_header(path, {2, 1, 0, 0, site, p}, {2, 1, 0, 0, 99, p}, table.udp_port);
  }
  return table;
}

NeighbourTable Gateway::neighbours() const {
  std::vector<std::pair<uint32_t, Mac>> known;
  for (uint32_t host = 1; host <= 8; ++host) known.emplace_back(lan_address() + host, host_mac);
  std::vector<std::pair<Uint128, Mac>> known6;
  for (uint32_t host = 1; host <= 8; ++host) known6.emplace_back(lan_address6() + host, host_mac);
  NeighbourTable table(known);
  table.ipv6 = NextHops<Uint128>(known6);
  table.ipv6.on_link = {network6(site), mask_of<Uint128>(48)};
  table.ipv6.behind = {table.ipv6.on_link};
  table.on_link = {lan_address() & 0xffff0000, 0xffff0000};
  table.behind = {table.on_link};
  return table;
}

Bytes Gateway::lan_frame(const Bytes& ip, const Mac& to, const Mac& from) const {
  Bytes frame = frame_of(ip, to, from);
  if (lan_vlan == 0) return frame;
  const uint8_t tag[] = {0x81, 0, static_cast<uint8_t>(lan_vlan >> 8),
                         static_cast<uint8_t>(lan_vlan)};
  frame.insert(frame.begin() + 12, std::begin(tag), std::end(tag));
  return frame;
}

void Gateway::host_sends(const Bytes& ip) {
  if (rte_ring_enqueue(lan.in, buffer_of(lan_frame(ip, lan_mac, host_mac), pool_)) != 0) {
    std::abort();
  }
}

std::vector<Bytes> Gateway::hosts_received() {
  std::vector<Bytes> packets;
  void* taken = nullptr;
  while (rte_ring_dequeue(lan.out, &taken) == 0) {
    const Bytes frame = bytes_of(static_cast<rte_mbuf*>(taken));
    rte_pktmbuf_free(static_cast<rte_mbuf*>(taken));
    const Bytes ip(frame.begin() + kEthernetHeader + (lan_vlan == 0 ? 0 : kVlanTag), frame.end());
    if (frame != lan_frame(ip, host_mac, lan_mac)) std::abort();
    packets.push_back(ip);
  }
  return packets;
}

MeterCell Gateway::meter(uint16_t slot, Place place, Direction direction, Kind kind) const {
  MeterCell sum;
  for (const WorkerMeters& of_worker : meters.all()) {
    const MeterCell& cell =
        of_worker.services[slot]
            .places[place][static_cast<size_t>(direction)][static_cast<size_t>(kind)];
    sum.add(cell.octets.get(), cell.packets.get());
  }
  return sum;
}

uint64_t Gateway::metered(Place place, Direction direction) const {
  uint64_t octets = 0;
  for (const uint16_t slot : {kHouseSlot, kService, kOtherService}) {
    for (size_t kind = 0; kind < kKinds; ++kind) {
      octets += meter(slot, place, direction, static_cast<Kind>(kind)).octets.get();
    }
  }
  return octets;
}

uint64_t Gateway::metered_packets(Place place, Direction direction) const {
  uint64_t packets = 0;
  for (const uint16_t slot : {kHouseSlot, kService, kOtherService}) {
    for (size_t kind = 0; kind < kKinds; ++kind) {
      packets += meter(slot, place, direction, static_cast<Kind>(kind)).packets.get();
    }
  }
  return packets;
}

bool Gateway::conserves() const {
  for (const auto& each : worker->each()) {
    const Counters& c = each->counters();
    if (c.rx.get() + c.made.get() + c.taken_over.get() != c.tx.get() + c.held.get() +
                                                              c.absorbed.get() + c.to_kernel.get() +
                                                              c.handed_over.get() + c.dropped())
      return false;
  }
  // Nothing is between workers when all have been polled until there was no more.
  const Counters all = worker->counters();
  return all.taken_over.get() == all.handed_over.get();
}

}  // namespace anabranch::dataplane
