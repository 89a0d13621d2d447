// SPDX-License-Identifier: BSD-3-Clause
// Segments of one path that wait for the slower paths, first in, first out (equalise.cc).
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <memory>

#include "dataplane/wire.h"

namespace anabranch::dataplane {

// A client's packet that has been opened, and where it belongs.
struct Arrived {
  rte_mbuf* packet = nullptr;
  uint32_t receiver_index = 0;
  Inner inner;
  bool congested = false;  // met congestion on its way
};

struct DelayLine {
  static constexpr uint32_t kSize = 16384;  // 200 ms of 1 Gbit/s at 1500 octets
  struct Entry {
    Arrived arrived;
    uint64_t due;
  };

  void put(const Arrived& arrived, uint64_t due) {
    entries[(first + count++) % kSize] = {arrived, due};
    last_due = due;
  }
  Arrived take() {
    const Arrived arrived = entries[first].arrived;
    first = (first + 1) % kSize;
    --count;
    return arrived;
  }
  uint64_t next_due() const { return entries[first].due; }

  uint32_t first = 0, count = 0;
  uint64_t last_due = 0;
  std::unique_ptr<Entry[]> entries = std::make_unique<Entry[]>(kSize);
};

}  // namespace anabranch::dataplane
