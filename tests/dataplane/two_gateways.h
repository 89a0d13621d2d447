// SPDX-License-Identifier: BSD-3-Clause
// Two gateways with three paths between them, all alive, and a service on them with shares 50 : 30
// :
// 20. Host 10.10.0.2 is behind gateway a, host 10.20.0.2 behind gateway b.
//
// After every test: what went in came out or is in a named place, every octet a provider could
// charge was metered once, and every packet buffer is back.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "tests/dataplane/gateway.h"
#include "tests/dataplane/link.h"

namespace anabranch::dataplane {

inline constexpr std::array<uint16_t, kPathsMax> kShares{0, 50, 30, 20};

// Weights that put everything on one path.
std::array<uint16_t, kPathsMax> only(uint8_t path);

// A packet of the flow most tests use; `number` makes its content differ from the others'.
PacketBuilder datagram(uint32_t number, size_t size = 1000);
PacketBuilder datagram6(uint32_t number, size_t size = 1000);
// The packets 0 .. `count` - 1 of that flow as host 10.20.0.2 should get them.
std::vector<Bytes> datagrams_two_hops_on(uint32_t count, size_t size = 1000);

// Of gateways in tests that do not say: --workers on the command line, else 1.
uint8_t& gateway_workers();

// Packet buffers of all tests that need EAL.
rte_mempool* packet_pool();

class TwoGateways : public ::testing::Test {
 protected:
  uint64_t step_ns = kMillisecond / 4;

  // As many workers as gateway_workers() says, or as are given.
  explicit TwoGateways(uint32_t uplink_ring_size = 1024, uint8_t workers_a = 0,
                       uint8_t workers_b = 0, const WorkerOptions& limits = {},
                       rte_mempool* pool = packet_pool());
  void SetUp() override;
  void TearDown() override;

  // What has arrived is received, worked on and sent on.
  void step();
  void run_for(uint64_t ns);
  // Takes packet `number` and the following from the host, a few at each step.
  void send_datagrams(uint32_t from, uint32_t until, uint32_t each_step = 2, size_t size = 1000);
  // Lets everything that is on its way or held come to its end.
  void settle() { run_for(2 * kSecond); }

  // Admits the service at both ends.
  void admit_both(const std::array<uint16_t, kPathsMax>& weights,
                  Segmentation segmentation = Segmentation::packet, bool resequence = true,
                  uint16_t slot = kService);
  // What both know of their paths now, and the service anew on them.
  void publish_paths();
  // Plans of both gateways from now on do not send again what was lost.
  void repair_nothing();
  uint64_t first_sends(uint8_t path, uint16_t slot = kService) const;

  Link& there(uint8_t path) { return *there_[path - 1u]; }
  Link& back(uint8_t path) { return *back_[path - 1u]; }
  Gateway& a() { return *a_; }
  Gateway& b() { return *b_; }
  Counters counters(const Gateway& gateway) const { return gateway.worker->counters(); }
  uint64_t now = 10 * kSecond;

 private:
  rte_mempool* const pool_;
  const unsigned buffers_before_;
  std::unique_ptr<Gateway> a_, b_;
  std::vector<std::unique_ptr<Link>> there_, back_;
  bool conserved_ = true;
};

}  // namespace anabranch::dataplane
