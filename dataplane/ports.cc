// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/ports.h"

#include <linux/if_packet.h>
#include <net/if.h>
#include <rte_dev.h>
#include <rte_ethdev.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "dataplane/memory.h"

namespace anabranch::dataplane {
namespace {

// Ring of 4096 frames each way: 50 ms of 1 Gbit/s at full size while the worker is not scheduled;
// a quarter where frames are larger. Blocks are whole pages, and of whole frames, or DPDK would
// look for them in the wrong places. One queue whatever the workers: the kernel would move flows
// between several when one is full.
std::string shared_ring(uint16_t mtu_max) {
  const size_t frame = ring_frame_for(mtu_max);
  const bool usual = frame == kRingFrameUsual;
  return ",blocksz=" + std::to_string(4 * frame) + ",framesz=" + std::to_string(frame) +
         ",framecnt=" + (usual ? "4096" : "1024") + ",qpairs=1";
}

std::string reason(int error) {
  return std::strerror(error < 0 ? -error : error);
}

tl::expected<uint16_t, std::string> port_by_name(const std::string& name) {
  uint16_t id = 0;
  if (rte_eth_dev_get_port_by_name(name.c_str(), &id) != 0) {
    return tl::unexpected(name + ": DPDK made no port of it");
  }
  return id;
}

tl::expected<uint16_t, std::string> probe_virtual(const std::string& name,
                                                  const std::string& arguments) {
  const int result = rte_eal_hotplug_add("vdev", name.c_str(), arguments.c_str());
  if (result != 0) {
    return tl::unexpected("cannot be opened (" + name + "," + arguments + "): " + reason(result));
  }
  return port_by_name(name);
}

tl::expected<uint16_t, std::string> probe(const PortSpec& spec) {
  if (!spec.interface.empty()) {
    return probe_virtual("net_af_packet_" + spec.interface,
                         "iface=" + spec.interface + shared_ring(spec.mtu));
  }
  if (spec.device.starts_with("net_")) {
    const size_t comma = std::min(spec.device.find(','), spec.device.size());
    return probe_virtual(spec.device.substr(0, comma),
                         spec.device.substr(std::min(comma + 1, spec.device.size())));
  }
  if (const int result = rte_dev_probe(spec.device.c_str()); result != 0) {
    return tl::unexpected("cannot be opened: " + reason(result));
  }
  return port_by_name(spec.device);
}

// By addresses and ports, with the device's own key: only one direction of a flow comes by a port.
void spread_by_hardware(const rte_eth_dev_info& info, rte_eth_conf& conf) {
  constexpr uint64_t kWanted = RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP;
  conf.rx_adv_conf.rss_conf.rss_hf = info.flow_type_rss_offloads & kWanted;
  if (conf.rx_adv_conf.rss_conf.rss_hf != 0) conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
}

// The packet socket that DPDK opened on the interface; -1: there is none.
int socket_on(const std::string& interface) {
  const auto index = static_cast<int>(if_nametoindex(interface.c_str()));
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  for (int fd = 0; fd < static_cast<int>(std::min<rlim_t>(limit.rlim_cur, 1 << 16)); ++fd) {
    sockaddr_ll address{};
    socklen_t length = sizeof address;
    if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) == 0 &&
        address.sll_family == AF_PACKET && address.sll_ifindex == index && index != 0) {
      return fd;
    }
  }
  return -1;
}

}  // namespace

tl::expected<Port, std::string> start_port(uint16_t id, uint16_t mtu, rte_mempool* pool,
                                           uint8_t workers) {
  const auto failed = [id](const char* step, int error) {
    char name[RTE_ETH_NAME_MAX_LEN] = "?";
    rte_eth_dev_get_name_by_port(id, name);
    return tl::unexpected(std::string(name) + ": " + step + ": " + reason(error));
  };
  rte_eth_dev_info info{};
  if (int r = rte_eth_dev_info_get(id, &info); r != 0)
    return failed("cannot be asked for its limits", r);
  rte_eth_conf conf{};
  // AF_PACKET's driver tells of usual frames, and takes what its ring's slots hold.
  constexpr uint32_t kAround = 18;  // Ethernet's header and FCS
  const uint32_t largest = std::min<uint32_t>(info.max_mtu, info.max_rx_pktlen - kAround);
  if (info.max_mtu != 0) conf.rxmode.mtu = static_cast<uint16_t>(std::min<uint32_t>(mtu, largest));
  const bool each_receives = workers > 1 && info.max_rx_queues >= workers;
  const bool each_sends = workers > 1 && info.max_tx_queues >= workers;
  const uint16_t rx_queues = each_receives ? workers : 1, tx_queues = each_sends ? workers : 1;
  if (each_receives) spread_by_hardware(info, conf);
  // Not RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE: what is kept for repair is in two hands, and packets and
  // frames are of two pools. Nor checksums to be sent: all but the length is in the path's
  // template.
  conf.rxmode.offloads = info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_IPV4_CKSUM;
  if (int r = rte_eth_dev_configure(id, rx_queues, tx_queues, &conf); r != 0)
    return failed("cannot be configured", r);
  const auto node = static_cast<unsigned>(rte_eth_dev_socket_id(id));  // of its memory
  uint16_t rx = kDescriptors, tx = kDescriptors;
  if (int r = rte_eth_dev_adjust_nb_rx_tx_desc(id, &rx, &tx); r != 0)
    return failed("has no descriptors", r);
  for (uint16_t q = 0; q < rx_queues; ++q) {
    if (int r = rte_eth_rx_queue_setup(id, q, rx, node, nullptr, pool); r != 0)
      return failed("receive queue cannot be set up", r);
  }
  for (uint16_t q = 0; q < tx_queues; ++q) {
    if (int r = rte_eth_tx_queue_setup(id, q, tx, node, nullptr); r != 0)
      return failed("transmit queue cannot be set up", r);
  }
  if (int r = rte_eth_dev_start(id); r != 0) return failed("does not start", r);
  Port port{.id = id, .queues = {each_receives, each_sends}};
  rte_ether_addr mac{};
  rte_eth_macaddr_get(id, &mac);
  std::memcpy(port.mac.data(), mac.addr_bytes, port.mac.size());
  return port;
}

tl::expected<Port, std::string> open_port(const PortSpec& spec, rte_mempool* pool,
                                          uint8_t workers) {
  const auto id = probe(spec);
  if (!id) return tl::unexpected(id.error());
  auto port = start_port(*id, spec.mtu, pool, workers);
  if (port && !spec.interface.empty()) port->socket = socket_on(spec.interface);
  return port;
}

void close_port(const Port& port) {
  rte_eth_dev_stop(port.id);
  rte_eth_dev_close(port.id);
}

}  // namespace anabranch::dataplane
