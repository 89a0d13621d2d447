// SPDX-License-Identifier: BSD-3-Clause
// What a path carries whole: a router on it may swallow what is large and say nothing (RFC 8899
// 4.3, a black hole). Seen when time after time what is small arrives and nothing large does.
#pragma once

#include <algorithm>
#include <cstdint>

namespace anabranch::dataplane {

class Fit {
 public:
  static constexpr uint16_t kAlways = 1280;  // octets of the outer packet; RFC 8899 5.1.2
  static constexpr uint32_t kTimes = 6;
  static constexpr uint64_t kBelievedNs = 600'000'000'000;  // RFC 8899 5.1.1, PMTU_RAISE_TIMER

  // The largest outer packet that is believed to arrive.
  uint16_t limit(uint64_t now_ns) const {
    return now_ns < believed_until_ns_ ? limit_ : UINT16_MAX;
  }
  void arrived(uint16_t octets) {
    if (octets < least_lost_) {
      most_arrived_ = std::max(most_arrived_, octets);
      small_arrived_ = true;
    } else {
      forget();
    }
  }
  void lost(uint16_t octets, uint64_t now_ns) {
    if (octets <= kAlways) return;
    least_lost_ = std::min(least_lost_, octets);
    // Many lost at once are one sign, lest a link that was dead for a moment look narrow.
    if (!small_arrived_) return;
    small_arrived_ = false;
    if (++times_ < kTimes) return;
    limit_ = most_arrived_ < least_lost_ ? std::max(kAlways, most_arrived_) : kAlways;
    believed_until_ns_ = now_ns + kBelievedNs;
    forget();
  }

 private:
  void forget() {
    least_lost_ = UINT16_MAX;
    most_arrived_ = 0;
    times_ = 0;
    small_arrived_ = false;
  }
  uint16_t limit_ = UINT16_MAX;
  uint16_t least_lost_ = UINT16_MAX, most_arrived_ = 0;  // since a large one arrived last
  bool small_arrived_ = false;                           // since the last sign
  uint32_t times_ = 0;
  uint64_t believed_until_ns_ = 0;
};

}  // namespace anabranch::dataplane
