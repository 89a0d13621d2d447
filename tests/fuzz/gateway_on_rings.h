// SPDX-License-Identifier: BSD-3-Clause
// What a fuzzer sends to: a gateway with all services in force, in this process.
#pragma once

#include <rte_eal.h>

#include <cstdlib>
#include <memory>

#include "dataplane/eal.h"
#include "dataplane/seal.h"
#include "tests/dataplane/gateway.h"
#include "tests/dataplane/link.h"
#include "tests/dataplane/test_keys.h"

namespace anabranch::dataplane {

class GatewayOnRings {
 public:
  GatewayOnRings() : pool_(start()), gateway_(2, pool_, 1024) {
    gateway_.admit(kService, {0, 50, 30, 20});
    gateway_.classify_all(kService);
    poll();
    buffers_ = rte_mempool_avail_count(pool_);
  }

  // As the content of a UDP datagram from the peer on path 1. Ends the process when a packet is
  // lost from the books or a buffer for good.
  void receive(const Bytes& segment) {
    const Bytes frame = frame_on(there_, segment);
    if (rte_ring_enqueue(gateway_.uplinks[0]->in, buffer_of(frame, pool_)) != 0) std::abort();
    poll();
    // What waits for others is let go, so that each input stands for itself.
    now_ += kSecond;
    poll();
    now_ += kSecond;
    poll();
    if (!gateway_.conserves()) std::abort();
    if (counters().held.get() == 0 && rte_mempool_avail_count(pool_) != buffers_) std::abort();
  }
  Counters counters() const { return gateway_.worker->counters(); }
  uint64_t delivered() const { return delivered_; }

 private:
  static rte_mempool* start() {
    const char* arguments[] = {"fuzz", "--no-huge",      "--no-shconf",       "--no-pci", "-m",
                               "256",  "--no-telemetry", "--log-level=error", "-l",       "0"};
    if (rte_eal_init(std::size(arguments), const_cast<char**>(arguments)) < 0) std::abort();
    return create_pool(4095).value();
  }
  void poll() {
    while (gateway_.worker->poll(now_) != 0) continue;
    delivered_ += gateway_.hosts_received().size();
    for (const auto& uplink : gateway_.uplinks) {
      for (void* frame; rte_ring_dequeue(uplink->out, &frame) == 0;)
        rte_pktmbuf_free(static_cast<rte_mbuf*>(frame));
    }
  }

  rte_mempool* pool_;
  Gateway gateway_;
  uint64_t now_ = 10 * kSecond;
  unsigned buffers_ = 0;
  uint64_t delivered_ = 0;
  const Path there_ = seen_from_there(gateway_.paths().paths[1]);
};

}  // namespace anabranch::dataplane
