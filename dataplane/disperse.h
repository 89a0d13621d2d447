// SPDX-License-Identifier: BSD-3-Clause
// Dispersion: which path a segment takes.
//
// By packet: each path has a virtual time that grows with the octets it carries, divided by its
// weight; the path that would be least far ahead is next (start-time fair queueing without queues).
// Shares of octets then follow the weights to within one packet. Times wrap (with small weights,
// within hours), so they are compared by their difference. By flow: the flow's bucket decides. Dead
// paths are passed over at once, before control has published another plan.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

#include "dataplane/plan.h"
#include "dataplane/serial.h"

namespace anabranch::dataplane {

// How far each path is ahead, for one service at one worker.
struct Shares {
  uint32_t generation = 0;  // of the plan the times belong to
  uint16_t usable = 0;      // the paths that took part last time
  std::array<uint64_t, kPathsMax> time{};
};

// The path for a segment of `octets` on the wire; 0 when no path of the plan is in `alive`.
// Cost: 12 cycles with 3 paths, 45 with 8 (bench/disperse_bench).
inline uint8_t choose_by_packet(const Plan& plan, Shares& d, uint16_t alive, uint32_t octets) {
  const auto usable = static_cast<uint16_t>(plan.path_mask & alive);
  if (usable == 0) return 0;
  if (d.generation != plan.generation) {
    d = Shares{.generation = plan.generation, .usable = usable};
  }
  if (d.usable != usable) {
    // A path that comes back starts where the others are, or it would get everything until it had
    // caught up.
    const auto stayed = static_cast<uint16_t>(usable & d.usable);
    uint64_t least = stayed == 0 ? 0 : d.time[static_cast<uint8_t>(std::countr_zero(stayed))];
    for (uint32_t m = stayed; m != 0; m &= m - 1) {
      const uint64_t t = d.time[static_cast<uint8_t>(std::countr_zero(m))];
      if (is_before(t, least)) least = t;
    }
    for (uint32_t m = static_cast<uint16_t>(usable & ~d.usable); m != 0; m &= m - 1) {
      d.time[static_cast<uint8_t>(std::countr_zero(m))] = least;
    }
    d.usable = usable;
  }
  uint8_t best = 0;
  uint64_t best_time = 0;
  for (uint32_t m = usable; m != 0; m &= m - 1) {
    const auto p = static_cast<uint8_t>(std::countr_zero(m));
    const uint64_t t = d.time[p] + uint64_t{octets} * plan.cost[p];
    if (best == 0 || is_before(t, best_time)) {
      best_time = t;
      best = p;
    }
  }
  d.time[best] = best_time;
  return best;
}

// The segment was not sent after all.
inline void undo_choice(const Plan& plan, Shares& d, uint8_t path, uint32_t octets) {
  d.time[path] -= uint64_t{octets} * plan.cost[path];
}

// What a bucket of flows sent without a pause.
struct Flowlet {
  uint64_t last_ns = 0;
  uint8_t path = 0;
};

inline uint8_t choose_by_flow(const Plan& plan, uint16_t alive, uint8_t bucket) {
  const auto usable = static_cast<uint16_t>(plan.path_mask & alive);
  if (usable == 0) return 0;
  const uint8_t wanted = plan.path_of(bucket);
  if ((usable >> wanted & 1) != 0) return wanted;
  // The flows of a dead path spread over the others by bucket, and come back with it.
  auto skip = static_cast<uint32_t>(bucket % std::popcount(usable));
  uint32_t m = usable;
  while (skip-- != 0) m &= m - 1;
  return static_cast<uint8_t>(std::countr_zero(m));
}

}  // namespace anabranch::dataplane
