// SPDX-License-Identifier: BSD-3-Clause
// What a worker counts besides the meters: one cell a fact, written by the worker only, read by
// anybody. Conservation, in packets:
//   rx + made + taken_over == tx + held + absorbed + to_kernel + handed_over + Σ drops
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "dataplane/bounds.h"
#include "dataplane/drops.h"

namespace anabranch::dataplane {

// A counter with one writer: a plain add for the worker, an untorn value for readers.
class Counter {
 public:
  Counter() = default;
  Counter(const Counter& other) : value_(other.get()) {}
  Counter& operator=(const Counter& other) {
    set(other.get());
    return *this;
  }
  void add(uint64_t n) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  void set(uint64_t n) { value_.store(n, std::memory_order_relaxed); }
  uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

struct alignas(64) Counters {
  Counter rx;    // taken from ports
  Counter made;  // repairs, beats, acknowledgements and the like, ICMP errors, further fragments
  Counter tx;    // accepted by ports
  Counter held;  // waiting in lanes now
  Counter absorbed;     // beats, acknowledgements and the like, fragments that joined others
  Counter to_kernel;    // on a shared port, but the kernel's: it has its own copy
  Counter taken_over;   // from other workers
  Counter handed_over;  // to other workers
  std::array<Counter, kDropCount> drops;

  // Not ends of packets, but worth knowing.
  Counter polls;                           // iterations of the loop
  Counter bursts;                          // taken from ports, with at least one packet
  Counter repaired;                        // segments sent again
  Counter repaired_in_vain;                // … and the first had arrived after all
  Counter given_up;                        // lost, and not sent again
  Counter retained;                        // octets kept until they are acknowledged, now
  Counter unretained;                      // sent without being kept: too much is under way
  Counter diverted;                        // sent where another path's quota was used up
  Counter late;                            // delivered after their hole had been given up
  Counter gaps;                            // holes given up
  Counter forced;                          // holes given up early: window or buffers exhausted
  Counter flows;                           // in the flow table now
  Counter flows_aged;                      // removed because idle
  Counter flows_displaced;                 // made room for new ones
  Counter waiting;                         // packets that wait for a path, at the last timed poll
  Counter queues;                          // … in so many queues
  Counter holed;                           // lanes with a hole, at the last timed poll
  Counter pages;                           // … for whose segments so many pages are used
  Counter sealed;                          // with the key in force
  std::array<Counter, kPhasesMax> opened;  // with the key of each phase, by phase % kPhasesMax

  // All its members are counters.
  void add(const Counters& other) {
    auto* const sums = reinterpret_cast<Counter*>(this);
    const auto* const addends = reinterpret_cast<const Counter*>(&other);
    for (size_t i = 0; i < sizeof(Counters) / sizeof(Counter); ++i) sums[i].add(addends[i].get());
  }
  void drop(Drop reason, uint64_t n = 1) { drops[static_cast<size_t>(reason)].add(n); }
  uint64_t dropped() const {
    uint64_t sum = 0;
    for (const Counter& c : drops) sum += c.get();
    return sum;
  }
};

}  // namespace anabranch::dataplane
