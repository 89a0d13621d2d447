// SPDX-License-Identifier: BSD-3-Clause
// A port whose far end is the benchmark: rings.
#pragma once

#include <rte_mbuf.h>
#include <rte_ring.h>

#include <array>
#include <cstdint>

#include "dataplane/bounds.h"
#include "dataplane/ports.h"

namespace anabranch::bench {

class RingPort {
 public:
  explicit RingPort(const char* name, uint8_t queues = 1);
  ~RingPort();
  RingPort(const RingPort&) = delete;
  RingPort& operator=(const RingPort&) = delete;

  uint16_t id() const { return port_.id; }
  // What the port receives next. False: its queue is full, and the frame is freed.
  bool offer(rte_mbuf* frame, uint8_t queue = 0);
  // Takes and frees what the port has sent, after each(frame). Returns how many.
  template <typename Each>
  uint64_t drain(Each&& each, uint8_t queue = 0) {
    uint64_t count = 0;
    std::array<rte_mbuf*, dataplane::kBurst> frames;
    while (const uint16_t n = take(frames, queue)) {
      for (uint16_t i = 0; i < n; ++i) each(frames[i]);
      rte_pktmbuf_free_bulk(frames.data(), n);
      count += n;
    }
    return count;
  }

 private:
  uint16_t take(std::array<rte_mbuf*, dataplane::kBurst>& frames, uint8_t queue) {
    return static_cast<uint16_t>(rte_ring_sc_dequeue_burst(
        out_[queue], reinterpret_cast<void**>(frames.data()), frames.size(), nullptr));
  }

  const uint8_t queues_;
  std::array<rte_ring*, dataplane::kWorkersMax> in_{}, out_{};
  dataplane::Port port_;
};

}  // namespace anabranch::bench
