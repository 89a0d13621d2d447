// SPDX-License-Identifier: BSD-3-Clause
#include "bench/ring_port.h"

#include <rte_eth_ring.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "bench/eal.h"

namespace anabranch::bench {
namespace {

constexpr unsigned kRingSize = 1024;

}  // namespace

RingPort::RingPort(const char* name, uint8_t queues) : queues_(queues) {
  static int made = 0;
  const std::string unique = name + std::to_string(made++);
  constexpr unsigned kFlags = RING_F_SP_ENQ | RING_F_SC_DEQ;
  for (uint8_t q = 0; q < queues; ++q) {
    const std::string number = std::to_string(q);
    in_[q] = rte_ring_create((unique + "_in" + number).c_str(), kRingSize, SOCKET_ID_ANY, kFlags);
    out_[q] = rte_ring_create((unique + "_out" + number).c_str(), kRingSize, SOCKET_ID_ANY, kFlags);
  }
  const int id = rte_eth_from_rings(unique.c_str(), in_.data(), queues, out_.data(), queues, 0);
  const auto port = dataplane::start_port(static_cast<uint16_t>(id), 1500, bench_pool(), queues);
  if (!port) {
    std::fprintf(stderr, "bench: %s\n", port.error().c_str());
    std::exit(1);
  }
  port_ = *port;
}

RingPort::~RingPort() {
  dataplane::close_port(port_);
  for (uint8_t q = 0; q < queues_; ++q) {
    drain([](rte_mbuf*) {}, q);
    for (void* frame = nullptr; rte_ring_dequeue(in_[q], &frame) == 0;)
      rte_pktmbuf_free(static_cast<rte_mbuf*>(frame));
    rte_ring_free(in_[q]);
    rte_ring_free(out_[q]);
  }
}

bool RingPort::offer(rte_mbuf* frame, uint8_t queue) {
  if (rte_ring_enqueue(in_[queue], frame) == 0) return true;
  rte_pktmbuf_free(frame);
  return false;
}

}  // namespace anabranch::bench
