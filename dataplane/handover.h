// SPDX-License-Identifier: BSD-3-Clause
// From one worker to another: pointers in bursts, first in, first out, one producer and one
// consumer. What was written before put() is seen after take().
#pragma once

#include <rte_errno.h>
#include <rte_ring.h>

#include <cstdlib>
#include <memory>

namespace anabranch::dataplane {

class HandoverRing {
 public:
  // 50 ms of 1 Gbit/s at full size while the other worker is not scheduled, as a port's own ring.
  static constexpr uint32_t kSize = 4096;

  // `size`: a power of two; one less finds room.
  explicit HandoverRing(uint32_t size = kSize) {
    const auto octets = static_cast<size_t>(rte_ring_get_memsize(size));
    ring_.reset(static_cast<rte_ring*>(std::aligned_alloc(RTE_CACHE_LINE_SIZE, octets)));
    if (ring_ != nullptr) rte_ring_init(ring_.get(), "", size, RING_F_SP_ENQ | RING_F_SC_DEQ);
  }
  bool is_mapped() const { return ring_ != nullptr; }

  // How many of them found room, from the first; the others stay the caller's.
  template <typename T>
  uint32_t put(T* const* items, uint32_t count) {
    return rte_ring_sp_enqueue_burst(ring_.get(), reinterpret_cast<void* const*>(items), count,
                                     nullptr);
  }
  template <typename T>
  uint32_t take(T** items, uint32_t count) {
    return rte_ring_sc_dequeue_burst(ring_.get(), reinterpret_cast<void**>(items), count, nullptr);
  }
  uint32_t waiting() const { return rte_ring_count(ring_.get()); }

 private:
  struct Free {
    void operator()(rte_ring* ring) const { std::free(ring); }
  };
  std::unique_ptr<rte_ring, Free> ring_;
};

}  // namespace anabranch::dataplane
