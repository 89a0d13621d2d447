// SPDX-License-Identifier: BSD-3-Clause
// Pacing: a path is given what its link carries and no more, so that queues build up here, where
// they can be kept short and fair, and not in somebody's modem. Times in ns.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace anabranch::dataplane {

// What a link takes for an octet, in 2^-16 ns; 0: not known, not paced.
constexpr uint64_t pace_of(uint64_t bits_per_second) {
  return bits_per_second == 0 ? 0 : (uint64_t{8'000'000'000} << 16) / bits_per_second;
}

// When what several workers gave will have left. Relaxed: it orders nothing but itself.
class SharedPace {
 public:
  uint64_t free_at_ns() const { return free_at_ns_.load(std::memory_order_relaxed); }
  // Behind what others gave, but not before `earliest_ns`.
  void add(uint64_t ns, uint64_t earliest_ns) {
    uint64_t before = free_at_ns();
    while (!free_at_ns_.compare_exchange_weak(before, std::max(before, earliest_ns) + ns,
                                              std::memory_order_relaxed)) {
    }
  }

 private:
  std::atomic<uint64_t> free_at_ns_{0};
};

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

  // Of a path that several workers send on: each takes over what all gave when its poll begins, and
  // adds what it gave itself when it ends. Two that poll at once may both give what one might, but
  // never twice: what is too much is waited for afterwards.
  // While packets wait at several, each keeps to its share, lest who looks first takes all.
  static constexpr uint64_t kWhole = 1 << 16;
  void take_over(const SharedPace& shared) {
    free_at_ns_ = begun_with_ns_ = std::max(shared.free_at_ns(), turn_at_ns_);
  }
  void add_to(SharedPace& shared, uint64_t share, uint64_t now_ns) {
    const uint64_t earliest_ns = now_ns - std::min(now_ns, kCreditNs);
    const uint64_t from = std::max(begun_with_ns_, earliest_ns);
    if (free_at_ns_ <= from) return;
    const uint64_t given_ns = free_at_ns_ - from;
    shared.add(given_ns, earliest_ns);
    turn_at_ns_ =
        share == kWhole ? 0 : std::max(turn_at_ns_, earliest_ns) + given_ns * kWhole / share;
  }

 private:
  uint64_t free_at_ns_ = 0;
  uint64_t begun_with_ns_ = 0;
  uint64_t turn_at_ns_ = 0;  // not before, by this worker's share
};

// Of a service: few have a rate, and few packets go by it, so that workers share it packet by
// packet. All zero is one never used. `pace` is 0 when the service has no rate, and `shared`
// nullptr when there is one worker.
class ServicePace {
 public:
  // Packets of the service wait at so many workers: each keeps to its part.
  void share_among(uint32_t workers) { workers_ = workers; }
  bool is_free(uint64_t pace, const SharedPace* shared, uint64_t now_ns) const {
    return pace == 0 ||
           (own_.is_free(now_ns) && (shared == nullptr || shared->free_at_ns() <= now_ns));
  }
  void take(uint64_t octets, uint64_t pace, SharedPace* shared, uint64_t now_ns) {
    if (pace == 0) return;
    own_.take(octets, workers_ > 1 ? pace * workers_ : pace, now_ns);
    if (shared != nullptr)
      shared->add(octets * pace >> 16, now_ns - std::min(now_ns, Pace::kCreditNs));
  }

 private:
  Pace own_;
  uint32_t workers_;
};

}  // namespace anabranch::dataplane
