// SPDX-License-Identifier: BSD-3-Clause
// Fragments become the packet they were cut from. They may come in any order, more than once, and
// cut at different places when they were sent again.
//
// The packet grows in the buffer of the fragment that came first. Bounded: kPackets packets at
// once; who has no place takes that of the oldest in its set. Knows nothing of lanes or clocks.
// One thread.
#pragma once

#include <rte_mbuf.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "dataplane/bounds.h"
#include "dataplane/serial.h"

namespace anabranch::dataplane {

// Which octets of a packet have come.
class Runs {
 public:
  static constexpr uint8_t kMax = 10;  // every second of kFragmentsMax fragments
  // False when they were all there, or there is no room to remember them.
  bool add(uint16_t from, uint16_t to);
  bool is_all(uint16_t octets) const {
    return count_ == 1 && runs_[0].from == 0 && runs_[0].to == octets;
  }
  // One more than the last.
  uint16_t end() const { return count_ == 0 ? 0 : runs_[count_ - 1u].to; }

 private:
  struct Run {
    uint16_t from, to;
  };
  std::array<Run, kMax> runs_;  // in order, with gaps between
  uint8_t count_ = 0;
};

class Reassembler {
 public:
  static constexpr uint16_t kPackets = 1024;

  struct Name {
    uint32_t receiver_index = 0;
    uint32_t sn = 0;
    uint8_t lane = 0;
    bool operator==(const Name&) const = default;
  };
  struct Partial {
    rte_mbuf* packet = nullptr;  // nullptr: nothing
    Name name;
    bool congested = false;  // a fragment met congestion on its way
    uint16_t total = 0;      // octets of the packet; 0: its last fragment has not come
    uint64_t deadline = 0;
    Runs runs;
  };

  // What is there of the packet of that name; nullptr when nothing is.
  Partial* find(const Name& name) {
    for (Partial& partial : set_of(name)) {
      if (partial.packet != nullptr && partial.name == name) return &partial;
    }
    return nullptr;
  }
  // A packet of which nothing was there; drop(partial) is called for one that has to make room.
  template <typename Drop>
  Partial& begin(const Name& name, rte_mbuf* packet, uint64_t deadline, Drop&& drop) {
    const auto set = set_of(name);
    Partial& place = *std::min_element(set.begin(), set.end(), is_sooner_free);
    if (place.packet != nullptr) drop(take(place));
    place = {.packet = packet, .name = name, .deadline = deadline};
    ++held_;
    return place;
  }
  // What is there of it, whole or not, is the caller's.
  Partial take(Partial& partial) {
    const Partial taken = partial;
    partial.packet = nullptr;
    --held_;
    return taken;
  }
  // drop(partial) for those whose deadline has passed; looks at a sixteenth of them at each call.
  template <typename Drop>
  void expire(uint64_t now, Drop&& drop) {
    if (held_ == 0) return;
    for (uint16_t n = 0; n < kPackets / 16; ++n, cursor_ = (cursor_ + 1) % kPackets) {
      Partial& partial = partials_[cursor_];
      if (partial.packet != nullptr && !is_before(now, partial.deadline)) drop(take(partial));
    }
  }
  template <typename Drop>
  void clear(Drop&& drop) {
    for (uint16_t i = 0; i < kPackets; ++i) {
      if (partials_[i].packet != nullptr) drop(take(partials_[i]));
    }
  }
  uint32_t held() const { return held_; }

 private:
  static constexpr uint16_t kWays = 8;
  static bool is_sooner_free(const Partial& a, const Partial& b) {
    if (a.packet == nullptr || b.packet == nullptr)
      return a.packet == nullptr && b.packet != nullptr;
    return is_before(a.deadline, b.deadline);
  }
  std::span<Partial> set_of(const Name& name) {
    const uint32_t set = (name.sn + 31u * name.lane + name.receiver_index) % (kPackets / kWays);
    return {&partials_[set * kWays], kWays};
  }
  std::unique_ptr<Partial[]> partials_ = std::make_unique<Partial[]>(kPackets);
  uint32_t held_ = 0;
  uint16_t cursor_ = 0;
};

}  // namespace anabranch::dataplane
