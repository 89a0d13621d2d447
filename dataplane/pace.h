// SPDX-License-Identifier: BSD-3-Clause
// Pacing: a path is given what its link carries and no more, so that queues build up here, where
// they can be kept short and fair, and not in somebody's modem. Times in ns.
#pragma once

#include <algorithm>
#include <cstdint>

namespace anabranch::dataplane {

// What a link takes for an octet, in 2^-16 ns; 0: not known, not paced.
constexpr uint64_t pace_of(uint64_t bits_per_second) {
  return bits_per_second == 0 ? 0 : (uint64_t{8'000'000'000} << 16) / bits_per_second;
}

class Pace {
 public:
  // A worker that was away for so long catches up; the link's own queue takes the burst.
  static constexpr uint64_t kCreditNs = 4'000'000;

  bool is_free(uint64_t now_ns) const { return free_at_ns_ <= now_ns; }
  // How long something given now has to wait for what was given before.
  uint64_t ahead_ns(uint64_t now_ns) const {
    return free_at_ns_ <= now_ns ? 0 : free_at_ns_ - now_ns;
  }
  void take(uint64_t octets, uint64_t pace, uint64_t now_ns) {
    const uint64_t from = std::max(free_at_ns_, now_ns - std::min(now_ns, kCreditNs));
    free_at_ns_ = from + (octets * pace >> 16);
  }

 private:
  uint64_t free_at_ns_ = 0;
};

}  // namespace anabranch::dataplane
