// SPDX-License-Identifier: BSD-3-Clause
// Two gateways in one process, on net_ring devices, with emulated links between them and a clock
// that only the test moves. A tick is a nanosecond.
#pragma once

#include <gtest/gtest.h>
#include <rte_mempool.h>
#include <rte_ring.h>

#include <functional>
#include <random>

#include "dataplane/ports.h"
#include "dataplane/worker.h"
#include "tests/dataplane/packet_builder.h"

namespace anabranch::dataplane {

inline constexpr uint8_t kPathCount = 3;
inline constexpr Mac kLanMac{2, 0, 0, 0, 0, 1}, kHostMac{2, 0, 0, 0, 0, 2};
inline constexpr uint64_t kMs = 1'000'000;

// A device of two rings: what the test puts into `in` the gateway receives.
struct RingPort {
  RingPort(const std::string& name, uint32_t size, rte_mempool* pool);
  ~RingPort();
  rte_ring* in;
  rte_ring* out;
  Port port;
};

struct Side {
  Side(const std::string& name, uint8_t number, rte_mempool* pool, uint32_t uplink_ring_size);
  void publish_plan(const std::array<uint16_t, kPathsMax>& weights,
                    Segmentation segmentation = Segmentation::packet);
  void publish_rules(uint8_t protocol = 0);
  void publish_neighbours(bool resolved);
  uint64_t metered(uint16_t slot, uint8_t path, Direction direction, Kind kind) const;
  // All that was metered on a path and its uplink, of all services.
  uint64_t metered(uint8_t path, Direction direction) const;
  const Counters& counters() const { return worker->counters(); }
  uint64_t dropped(Drop drop) const { return counters().drops[static_cast<size_t>(drop)].get(); }

  uint8_t number;  // 1: the client's side; 2: the server's
  uint32_t generation = 0;
  std::unique_ptr<RingPort> lan;
  std::vector<std::unique_ptr<RingPort>> uplinks;
  std::unique_ptr<MeterRegion, FreeDelete> meters;
  PlanTable plans;
  std::unique_ptr<Worker> worker;
};

// One direction of a link.
struct TestLink {
  uint64_t delay = 10 * kMs;
  uint64_t jitter = 0;  // packets may overtake each other
  double loss = 0, duplication = 0;
  bool dead = false;
  std::function<void(rte_mbuf*)> damage;  // changes what comes out

  uint64_t octets_in = 0, octets_out = 0;  // of outer IP packets
  std::multimap<uint64_t, rte_mbuf*> flying;
};

class TwoGateways : public testing::Test {
 protected:
  static constexpr uint16_t kSlot = 1;

  // `uplink_ring_size`: small to see back-pressure.
  void open(uint32_t uplink_ring_size = 1024);
  void TearDown() override;

  void run(uint64_t duration, uint64_t step = kMs / 2);
  void step(uint64_t duration);
  void wait_until_alive();
  void send(Side& side, const Octets& frame);
  // What came out on a side's LAN since the last call, from the IPv4 header on.
  std::vector<Octets> received(Side& side);
  std::vector<uint32_t> numbers(Side& side);  // of UDP payloads
  Octets numbered(uint32_t number, size_t octets = 1000) const {
    return packet().to_mac(kLanMac).udp(1000, 2000).payload(octets, number).frame();
  }

  rte_mempool* pool_ = nullptr;
  unsigned available_before_ = 0;
  std::unique_ptr<Side> a_, b_;
  std::array<TestLink, kPathCount + 1> ab_, ba_;
  uint64_t now_ = 1'000'000'000;
  std::mt19937_64 random_{7};

 private:
  void carry(TestLink& link, rte_ring* from, rte_ring* to);
  void expect_conservation(const Side& side) const;
};

}  // namespace anabranch::dataplane
