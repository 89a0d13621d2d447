// SPDX-License-Identifier: BSD-3-Clause
// CoDel (RFC 8289): a queue whose packets have all waited for longer than `target` during an
// `interval` loses one, and the next ones ever sooner. Pure; times in ns.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace anabranch::dataplane {

struct CodelLimits {
  uint64_t target_ns = 5'000'000;
  uint64_t interval_ns = 100'000'000;
};

// The limits for flows of round trip `rtt_ns`, of which `flows` wait at once: what one CUBIC flow
// needs so that the link is not idle when it slows down to 0.7 (0.43 round trips), n that are not
// in step need by √n less of (Appenzeller et al. 2004); never less than 15 %. And three round
// trips, until the queue is shorter for what a sender did about a loss.
inline CodelLimits codel_limits(uint64_t rtt_ns, uint32_t flows) {
  constexpr double kOneFlow = 0.43, kManyFlows = 0.15;
  const double share = std::max(kManyFlows, kOneFlow / std::sqrt(std::max(flows, 1u)));
  return {.target_ns = std::max<uint64_t>(
              5'000'000, static_cast<uint64_t>(share * static_cast<double>(rtt_ns))),
          .interval_ns = std::max<uint64_t>(100'000'000, 3 * rtt_ns)};
}

class Codel {
 public:
  // For each packet that leaves the queue: whether it is to be dropped (or marked) instead.
  // `waited`: for how long it waited; `last`: nothing worth speaking of is left behind it.
  bool drops(uint64_t waited_ns, bool last, uint64_t now_ns, const CodelLimits& limits) {
    const bool above = is_above(waited_ns, last, now_ns, limits);
    if (dropping_) {
      if (!above) {
        dropping_ = false;
        return false;
      }
      if (now_ns < next_ns_) return false;
      ++count_;
      next_ns_ += control(limits.interval_ns);
      return true;
    }
    if (!above) return false;
    dropping_ = true;
    // It was dropping until lately: it goes on at about the pace it had.
    const bool lately = now_ns - next_ns_ < 16 * limits.interval_ns;
    const uint32_t before = count_ - last_count_;
    count_ = lately && before > 1 ? before : 1;
    last_count_ = count_;
    next_ns_ = now_ns + control(limits.interval_ns);
    return true;
  }

 private:
  bool is_above(uint64_t waited_ns, bool last, uint64_t now_ns, const CodelLimits& limits) {
    if (waited_ns < limits.target_ns || last) {
      above_at_ns_ = 0;
      return false;
    }
    if (above_at_ns_ == 0) {
      above_at_ns_ = now_ns + limits.interval_ns;
      return false;
    }
    return now_ns >= above_at_ns_;
  }
  uint64_t control(uint64_t interval_ns) const {
    return static_cast<uint64_t>(static_cast<double>(interval_ns) / std::sqrt(count_));
  }

  uint64_t above_at_ns_ = 0;  // when it will have been above the target for an interval
  uint64_t next_ns_ = 0;
  uint32_t count_ = 0, last_count_ = 0;
  bool dropping_ = false;
};

}  // namespace anabranch::dataplane
