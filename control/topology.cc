// SPDX-License-Identifier: BSD-3-Clause
#include "control/topology.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "control/ordered_paths.h"
#include "dataplane/pace.h"

namespace anabranch::control {
namespace {

constexpr size_t kWantedMax = 4096;  // more hosts than a LAN segment should have
constexpr auto kRefresh = std::chrono::seconds(5);

template <typename Number>
dataplane::PrefixOf<Number> plain(const Prefix& prefix) {
  return {static_cast<Number>(prefix.address.value), dataplane::mask_of<Number>(prefix.length)};
}

}  // namespace

Topology::Topology(const Config& config, PortFacts lan, std::vector<PortFacts> uplinks,
                   Neighbours& neighbours, dataplane::PlanTable& plans)
    : config_(config),
      lan_(lan),
      uplinks_(std::move(uplinks)),
      neighbours_(neighbours),
      plans_(plans) {
  for (const PathConfig& path : config_.peer.paths) {
    const UplinkConfig* uplink = config_.find_uplink(path.uplink);
    path_sizes_[path.id] = {
        uplinks_[static_cast<size_t>(uplink - config_.uplinks.data())].mtu,
        dataplane::segment_overhead(config_.is_ipv6(path) ? dataplane::kOuterIp6
                                                          : dataplane::kOuterIp)};
  }
}

bool Topology::is_lan_neighbour(Ip address) const {
  return lan_.network.contains(address) || lan_.network6.contains(address) ||
         config_.lan_gateway == address || config_.lan_gateway6 == address;
}

void Topology::want(Ip address) {
  if (lan_.ifindex == 0 || !is_lan_neighbour(address) || wanted_.size() >= kWantedMax) return;
  wanted_.insert(address);
  neighbours_.kick(lan_.ifindex, address);
  changed_ = true;
}

std::optional<dataplane::Mac> Topology::next_hop_mac(const PortFacts& port, Ip next_hop) {
  if (port.ifindex == 0) return port.next_hop;
  if (!neighbours_.carrier(port.ifindex)) return std::nullopt;
  return neighbours_.lookup(port.ifindex, next_hop);
}

void Topology::tick(const Use& use, const Remotes& proved) {
  if (neighbours_.poll()) changed_ = true;
  if (std::chrono::steady_clock::now() - refreshed_ > kRefresh) refresh();
  if (!changed_ && use == use_ && proved == proved_) return;
  use_ = use;
  tell_who_moved(proved);
  proved_ = proved;
  publish_paths();
  if (changed_) publish_neighbours();
  changed_ = false;
}

void Topology::refresh() {
  refreshed_ = std::chrono::steady_clock::now();
  for (const Ip address : wanted_) neighbours_.kick(lan_.ifindex, address);
  for (const PathConfig& path : config_.peer.paths) {
    const UplinkConfig& uplink = *config_.find_uplink(path.uplink);
    const PortFacts& port = uplinks_[static_cast<size_t>(&uplink - config_.uplinks.data())];
    if (port.ifindex != 0) neighbours_.kick(port.ifindex, config_.next_hop(path));
  }
}

void Topology::tell_who_moved(const Remotes& proved) const {
  for (const PathConfig& path : config_.peer.paths) {
    const dataplane::Endpoint& remote = proved[path.id];
    if (remote == proved_[path.id]) continue;
    const Endpoint now{{remote.address}, remote.port};
    spdlog::info("path {} ({}): {} is at {} now", path.id, path.uplink, config_.peer.name,
                 to_string(now));
  }
}

// Where its segments come from, when that is proved; else as configured, which may be nowhere.
dataplane::Endpoint Topology::remote_of(const PathConfig& path) const {
  const dataplane::Endpoint& proved = proved_[path.id];
  return proved.address != 0 ? proved
                             : dataplane::Endpoint{path.peer_address.value, config_.peer.port};
}

void Topology::publish_paths() {
  auto table = std::make_unique<dataplane::PathTable>();
  table->udp_port = config_.peer.port;
  table->lan_address = lan_.address.ipv4();
  table->lan_address6 = lan_.address6.value;
  table->lan_mac = lan_.mac;
  table->lan_vlan = config_.lan.vlan;
  table->lan_mtu = lan_.mtu;
  table->uplinks = static_cast<uint8_t>(uplinks_.size());
  for (size_t u = 0; u < uplinks_.size(); ++u) {
    table->uplink_address[u] = uplinks_[u].address.ipv4();
    table->uplink_address6[u] = uplinks_[u].address6.value;
    table->uplink_vlan[u] = config_.uplinks[u].port.vlan;
  }
  for (const PathConfig& configured : config_.peer.paths) {
    const UplinkConfig& uplink = *config_.find_uplink(configured.uplink);
    const auto index = static_cast<size_t>(&uplink - config_.uplinks.data());
    const PortFacts& port = uplinks_[index];
    dataplane::Path& path = table->paths[configured.id];
    path.configured = true;
    path.uplink = static_cast<uint8_t>(index);
    path.in_use = (use_.in_use >> configured.id & 1) != 0;
    path.doubted = (use_.doubted >> configured.id & 1) != 0;
    path.local = (config_.is_ipv6(configured) ? port.address6 : port.address).value;
    path.remote = remote_of(configured);
    path.vlan = uplink.port.vlan;
    path.mtu = port.mtu;
    // 0: as much as is found.
    const uint64_t rate_bps = lower_rate(uplink.rate_up_bps, use_.ordered_bps[configured.id]);
    path.pace = dataplane::pace_of(rate_bps);
    path.estimated = rate_bps == 0;
    path.link_overhead = uplink.link_overhead;
    const auto mac = next_hop_mac(port, config_.next_hop(configured));
    path.reachable = mac.has_value() && path.remote.address != 0;
    if (mac) dataplane::make_header(path, port.mac, *mac, config_.peer.port);
  }
  plans_.publish(std::move(table));
}

void Topology::publish_neighbours() {
  std::vector<std::pair<uint32_t, dataplane::Mac>> resolved;
  std::vector<std::pair<dataplane::Uint128, dataplane::Mac>> resolved6;
  for (const Ip address : wanted_) {
    const auto mac = neighbours_.lookup(lan_.ifindex, address);
    if (!mac) continue;
    if (address.is_ipv4()) {
      resolved.emplace_back(address.ipv4(), *mac);
    } else {
      resolved6.emplace_back(address.value, *mac);
    }
  }
  auto table = std::make_unique<dataplane::NeighbourTable>(resolved);
  table->ipv6 = dataplane::NextHops<dataplane::Uint128>(resolved6);
  for (const Prefix& prefix : config_.lan_prefixes) {
    if (prefix.is_ipv4()) {
      table->behind.push_back(plain<uint32_t>(prefix));
    } else {
      table->ipv6.behind.push_back(plain<dataplane::Uint128>(prefix));
    }
  }
  table->on_link = plain<uint32_t>(lan_.network);
  table->gateway = config_.lan_gateway.value_or(Ip{}).ipv4();
  table->ipv6.on_link = plain<dataplane::Uint128>(lan_.network6);
  table->ipv6.gateway = config_.lan_gateway6.value_or(Ip{}).value;
  table->everything = lan_.next_hop;
  plans_.publish(std::unique_ptr<const dataplane::NeighbourTable>(std::move(table)));
}

}  // namespace anabranch::control
