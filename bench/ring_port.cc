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

RingPort::RingPort(const char* name) {
  static int made = 0;
  const std::string unique = name + std::to_string(made++);
  constexpr unsigned kFlags = RING_F_SP_ENQ | RING_F_SC_DEQ;
  in_ = rte_ring_create((unique + "_in").c_str(), kRingSize, SOCKET_ID_ANY, kFlags);
  out_ = rte_ring_create((unique + "_out").c_str(), kRingSize, SOCKET_ID_ANY, kFlags);
  const int id = rte_eth_from_rings(unique.c_str(), &in_, 1, &out_, 1, 0);
  const auto port = dataplane::start_port(static_cast<uint16_t>(id), 1500, bench_pool());
  if (!port) {
    std::fprintf(stderr, "bench: %s\n", port.error().c_str());
    std::exit(1);
  }
  port_ = *port;
}

RingPort::~RingPort() {
  dataplane::close_port(port_);
  drain([](rte_mbuf*) {});
  for (void* frame = nullptr; rte_ring_dequeue(in_, &frame) == 0;)
    rte_pktmbuf_free(static_cast<rte_mbuf*>(frame));
  rte_ring_free(in_);
  rte_ring_free(out_);
}

bool RingPort::offer(rte_mbuf* frame) {
  if (rte_ring_enqueue(in_, frame) == 0) return true;
  rte_pktmbuf_free(frame);
  return false;
}

}  // namespace anabranch::bench
