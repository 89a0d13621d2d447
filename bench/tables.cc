// SPDX-License-Identifier: BSD-3-Clause
#include "bench/tables.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "bench/packets.h"
#include "dataplane/pace.h"
#include "dataplane/wire.h"

namespace anabranch::bench {
namespace {

using namespace dataplane;

constexpr uint16_t kLinkOverhead = 38;  // of Ethernet

// The clients' own, after those that are none of theirs.
Rule client_rule() {
  return {.source = kHere,
          .source_mask = 0xffff0000,
          .destination = kThere,
          .destination_mask = 0xffff0000,
          .slot = kService};
}
Rule other_rule(uint32_t n) {
  return {.source = 0x0b000000 + n, .source_mask = 0xffffffff, .slot = kService};
}

void publish_keys(const Setup& setup, PlanTable& plans) {
  auto keys = std::make_unique<KeyTable>();
  keys->send = bench_key(setup.cipher);
  keys->receive[0] = {0, keys->send};
  plans.publish(std::move(keys));
}

void publish_plans(const Setup& setup, PlanTable& plans) {
  plans.publish(kHouseSlot, make_plan(setup, kHouseSlot));
  for (uint16_t n = 0; n < setup.services; ++n) {
    const auto slot = static_cast<uint16_t>(kService + n);
    plans.publish(slot, make_plan(setup, slot));
  }
}

void publish_rules(const Setup& setup, PlanTable& plans) {
  auto rules = std::make_unique<Ruleset>();
  for (uint32_t n = 1; n < setup.rules; ++n) rules->rules.push_back(other_rule(n));
  // Hosts of one service have the same last bits.
  for (uint32_t n = 1; n < setup.services; ++n) {
    Rule rule = client_rule();
    rule.source_mask = 0xffff0000 | (setup.services - 1u);
    rule.source = kHere | n;
    rule.slot = static_cast<uint16_t>(kService + n);
    rules->rules.push_back(rule);
  }
  rules->rules.push_back(client_rule());
  plans.publish(std::move(rules));
}

void publish_neighbours(PlanTable& plans) {
  const std::vector<std::pair<uint32_t, Mac>> known{{kHere + 2, Mac{2, 0, 0, 0, 0, 2}}};
  NeighbourTable neighbours(known);
  neighbours.on_link = {kHere, 0xffff0000};
  neighbours.behind = {neighbours.on_link};
  plans.publish(std::make_unique<const NeighbourTable>(neighbours));
}

}  // namespace

PathTable make_paths(const Setup& setup) {
  PathTable table;
  table.uplinks = setup.paths;
  table.lan_mac = kLanMac;
  table.lan_address = kHere + 1;
  const uint64_t packet_bits = 8u * (setup.octets + kSegmentOverhead + kLinkOverhead);
  const uint64_t offered_bps = packet_bits * kBurst * 1'000'000'000 / kStepNs * setup.workers;
  for (uint8_t p = 1; p <= setup.paths; ++p) {
    Path& path = table.paths[p];
    path.configured = path.reachable = path.in_use = true;
    path.uplink = static_cast<uint8_t>(p - 1);
    table.uplink_address[path.uplink] = 0xc6330100u + p;
    path.local = address_of(table.uplink_address[path.uplink]);
    path.remote = {address_of(0xc6330200u + p), table.udp_port};
    path.link_overhead = kLinkOverhead;
    if (setup.paced) path.pace = pace_of(offered_bps * 11 / 10 / setup.paths);
    make_header(path, {2, 1}, {2, 2}, table.udp_port);
  }
  return table;
}

std::unique_ptr<Plan> make_plan(const Setup& setup, uint16_t slot) {
  std::array<uint16_t, kPathsMax> weights{};
  std::fill_n(weights.begin() + 1, setup.paths, uint16_t{1000});
  auto plan = std::make_unique<Plan>();
  plan->generation = slot + 1u;
  plan->receiver_index = plan->peer_index = kReceiver + slot;
  plan->inner_mtu = plan->whole_mtu = 1500 - kSegmentOverhead;
  plan->dispersion = setup.dispersion;
  plan->recovery = setup.recovery;
  if (slot != kHouseSlot) compile_weights(weights, *plan);
  return plan;
}

void publish_tables(const Setup& setup, const PathTable& paths, PlanTable& plans) {
  plans.publish(std::make_unique<const PathTable>(paths));
  publish_neighbours(plans);
  publish_keys(setup, plans);
  publish_plans(setup, plans);
  publish_rules(setup, plans);
}

rte_mbuf* make_client_frame(const Setup& setup, uint32_t flow) {
  rte_mbuf* packet = make_frame_of(static_cast<uint16_t>(kEthernetHeader + setup.octets));
  uint8_t* frame = rte_pktmbuf_mtod(packet, uint8_t*);
  std::copy(kLanMac.begin(), kLanMac.end(), frame);
  store_be16(frame + 12, 0x0800);
  write_packet(frame + kEthernetHeader, setup.octets, flow_key(flow, setup.protocol));
  return packet;
}

}  // namespace anabranch::bench
