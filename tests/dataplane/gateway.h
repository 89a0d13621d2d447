// SPDX-License-Identifier: BSD-3-Clause
// A gateway for tests: its workers with their tables and meters, on DPDK ports whose far ends are
// rings in the test's hands. It knows one peer, on kPaths paths (path p is on uplink p - 1), and
// one LAN.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "dataplane/plan_table.h"
#include "dataplane/ports.h"
#include "dataplane/workers.h"
#include "tests/dataplane/packet_builder.h"
#include "tests/dataplane/temporary_folder.h"
#include "tests/dataplane/units.h"

namespace anabranch::dataplane {

inline constexpr uint8_t kPaths = 3;
inline constexpr uint16_t kService = 1, kOtherService = 2;
inline constexpr uint16_t kInnerMtu = 1500 - kSegmentOverhead;

// A DPDK port made of two rings: what is put into `in`, the gateway receives.
class RingPort {
 public:
  RingPort(const std::string& name, uint32_t size, rte_mempool* pool);
  ~RingPort();
  RingPort(const RingPort&) = delete;
  RingPort& operator=(const RingPort&) = delete;

  rte_ring* in;
  rte_ring* out;
  Port port;

 private:
  std::string device_;
};

class Gateway {
 public:
  // `site` 1 or 2: its LAN is 10.10.0.0/16 or 10.20.0.0/16, the gateway itself .0.1, and the hosts
  // .0.2 to .0.9 are resolved. The same of 2001:db8:1::/48 and 2001:db8:2::/48.
  // `limits`: of what may be held by each worker. `ring_size`: of rings between workers.
  Gateway(int site, rte_mempool* pool, uint32_t uplink_ring_size, const WorkerOptions& limits = {},
          uint8_t workers = 1, uint32_t ring_size = HandoverRing::kSize);

  // Puts a service in force with a share for each path, or changes its plan. As control does it,
  // each call is a new generation.
  void admit(uint16_t slot, const std::array<uint16_t, kPathsMax>& weights,
             Segmentation segmentation = Segmentation::packet, bool resequence = true);
  // Everything from this LAN to the other goes to the service.
  void classify_all(uint16_t slot);
  // … what comes from one of these ports, to its service.
  void classify_ports(const std::map<uint16_t, uint16_t>& slots);
  // The peer is another instance: other receiver indices for all, other keys.
  void start_session(uint32_t session, uint32_t peer_session);
  PathTable paths() const;
  NeighbourTable neighbours() const;

  // A host on the LAN sends.
  void host_sends(const Bytes& ip);
  // What has come out on the LAN since the last call, from the IP header on.
  std::vector<Bytes> hosts_received();

  uint64_t drops(Drop reason) const {
    return worker->counters().drops[static_cast<size_t>(reason)].get();
  }
  MeterCell meter(uint16_t slot, Place place, Direction direction, Kind kind) const;
  // Of all workers, services and kinds.
  uint64_t metered(Place place, Direction direction) const;
  uint64_t metered_packets(Place place, Direction direction) const;
  bool conserves() const;

  const uint8_t site;
  const Mac lan_mac, host_mac;
  uint32_t lan_address() const { return 0x0a000001u + site * 0xa0000u; }
  Uint128 lan_address6() const { return network6(site) + 1; }
  static Uint128 network6(int site) {
    return Uint128{0x20010db800000000u | static_cast<uint64_t>(site) << 16} << 64;
  }
  uint32_t address_on(uint8_t path) const { return 0xc6330001u + site * 256u + path * 65536u; }
  Uint128 address6_on(uint8_t path) const {
    return Uint128{0x20010db8ffff0000u | path} << 64 | (site * 256u + 1);
  }

  RingPort lan;
  std::vector<std::unique_ptr<RingPort>> uplinks;
  PlanTable plans;
  TemporaryFolder folder;
  Meters meters;
  std::unique_ptr<Workers> worker;
  WorkerOptions options;
  // Of plans from now on; those that pass packets as they come have no recovery.
  bool recovery = true;
  uint8_t weight = 1;
  uint64_t rate_max_bps = 0;  // 0: none
  uint64_t urgent = 0, background = 0;
  Dispersion dispersion = Dispersion::weighted;
  std::array<uint8_t, kPathsMax> order{}, provider{};
  // Of paths() from now on; 0: not paced.
  std::array<uint64_t, kPathsMax> rate_bps{};
  bool estimated = false;  // the rates are not told
  std::array<uint16_t, kPathsMax> mtu;
  std::array<bool, kPathsMax> ipv6{};      // between the gateways
  std::array<uint16_t, kPathsMax> vlan{};  // 0: no tags
  uint16_t lan_vlan = 0, lan_mtu = 1500;

 private:
  Bytes lan_frame(const Bytes& ip, const Mac& to, const Mac& from) const;
  Rule rule_of(uint16_t slot) const;
  void publish(std::vector<Rule> rules, std::vector<Rule6> rules6 = {});

  uint32_t generation_ = 0;
  uint32_t session_, peer_session_;
  rte_mempool* pool_;
};

}  // namespace anabranch::dataplane
