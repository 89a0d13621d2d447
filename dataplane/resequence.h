// SPDX-License-Identifier: BSD-3-Clause
// Assemblage of lanes: segments come out in the order of their lane's numbers.
//
// A hole in one lane holds back that lane only, and only until its deadline; then it is given up
// and what waits passes on. Memory is bounded: kWindows lanes may have a hole at once, each with
// kWindowSize numbers behind it; a lane without a hole costs 64 octets. Numbers are compared by
// serial arithmetic (RFC 1982), so they may wrap. A number is delivered at most once: one that
// comes after its hole was given up is delivered late if it is still remembered as missing, else it
// is a duplicate.
//
// Pure: knows nothing of packets, clocks or DPDK. `Item` is a pointer-like handle; `out(item)` is
// called for each that comes out. Item{} stands for a number that will not come: it fills its hole
// and is none of what is held. One thread.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "dataplane/bounds.h"

namespace anabranch::dataplane {

// A lane's state at the receiving end. All zero is a lane of a new session.
struct Lane {
  static constexpr uint8_t kMissing = 13;
  uint32_t next = 0;    // the number that comes out next
  uint16_t window = 0;  // 1-based; 0: no hole
  uint8_t missing_count = 0;
  std::array<uint32_t, kMissing> missing{};  // the last numbers that were given up, oldest first
};
static_assert(sizeof(Lane) <= 64);

enum class Arrival : uint8_t { passed, held, late, duplicate };

template <typename Item>
class Resequencer {
 public:
  Resequencer() : windows_(std::make_unique<Window[]>(kWindows)) {
    for (uint16_t i = kWindows; i > 0; --i) free_.push_back(i);
    used_.reserve(kWindows);
  }

  // Takes the item of number `sn`, unless it is a duplicate: then the caller keeps it. `wait`: how
  // long a hole may wait, in the units of `now`.
  template <typename Out>
  Arrival receive(Lane& lane, uint32_t sn, Item item, uint64_t now, uint64_t wait, Out&& out) {
    const auto ahead = static_cast<int32_t>(sn - lane.next);
    if (ahead < 0) return receive_behind(lane, sn, item, out);
    if (ahead == 0) {
      out(item);
      ++lane.next;
      if (lane.window != 0) advance(lane, out);
      return Arrival::passed;
    }
    return receive_ahead(lane, sn, item, now, wait, out);
  }

  // Gives up holes whose deadline has passed. Cost: the lanes with a hole now.
  template <typename Out>
  void expire(uint64_t now, Out&& out) {
    for (size_t i = 0; i < used_.size();) {
      Window& w = windows_[used_[i] - 1u];
      Lane& lane = *w.lane;
      while (lane.window != 0 && static_cast<int64_t>(now - w.deadline) >= 0) skip_hole(lane, out);
      if (lane.window != 0) ++i;  // else the last of used_ took this place
    }
  }

  // Everything that waits in the lane comes out, in order.
  template <typename Out>
  void flush(Lane& lane, Out&& out) {
    while (lane.window != 0) skip_hole(lane, out);
  }

  // The longest waiting lane is flushed; for when buffers run out.
  template <typename Out>
  void flush_oldest(Out&& out) {
    if (used_.empty()) return;
    Window* oldest = nullptr;
    for (uint16_t index : used_) {
      Window& w = windows_[index - 1u];
      if (oldest == nullptr || static_cast<int64_t>(w.deadline - oldest->deadline) < 0) oldest = &w;
    }
    ++forced_;
    flush(*oldest->lane, out);
  }

  uint32_t held() const { return held_; }
  uint64_t gaps() const { return gaps_; }      // holes given up
  uint64_t forced() const { return forced_; }  // … before their deadline, for want of room

 private:
  static constexpr uint32_t kMask = kWindowSize - 1;
  static_assert(std::has_single_bit(kWindowSize));

  struct Window {
    Lane* lane = nullptr;
    uint64_t deadline = 0;  // of the hole at lane->next
    uint64_t wait = 0;      // how long a hole may wait
    uint32_t held = 0;
    std::array<uint64_t, kWindowSize / 64> present{};
    std::array<uint64_t, kWindowSize> arrived;
    std::array<Item, kWindowSize> items;

    bool has(uint32_t sn) const { return (present[(sn & kMask) / 64] >> (sn % 64) & 1) != 0; }
    void flip(uint32_t sn) { present[(sn & kMask) / 64] ^= uint64_t{1} << (sn % 64); }
    // The first number at or after `sn` that is held. Something must be.
    uint32_t first_from(uint32_t sn) const {
      while (true) {
        const uint64_t word = present[(sn & kMask) / 64] >> (sn % 64);
        if (word != 0) return sn + static_cast<uint32_t>(std::countr_zero(word));
        sn += 64 - sn % 64;
      }
    }
  };

  Window& window(const Lane& lane) { return windows_[lane.window - 1u]; }

  template <typename Out>
  Arrival receive_behind(Lane& lane, uint32_t sn, Item item, Out&& out) {
    for (uint8_t i = 0; i < lane.missing_count; ++i) {
      if (lane.missing[i] != sn) continue;
      forget(lane, i);
      out(item);
      return Arrival::late;
    }
    return Arrival::duplicate;
  }

  template <typename Out>
  Arrival receive_ahead(Lane& lane, uint32_t sn, Item item, uint64_t now, uint64_t wait,
                        Out&& out) {
    while (lane.window != 0 && sn - lane.next >= kWindowSize) {
      ++forced_;
      skip_hole(lane, out);
    }
    if (sn == lane.next ||
        (lane.window == 0 && (sn - lane.next >= kWindowSize || !acquire(lane)))) {
      if (sn != lane.next) ++forced_;
      give_up(lane, sn);
      out(item);
      ++lane.next;
      if (lane.window != 0) advance(lane, out);
      return Arrival::passed;
    }
    Window& w = window(lane);
    if (w.has(sn)) return Arrival::duplicate;
    w.wait = wait;
    if (w.held == 0) w.deadline = now + wait;
    w.items[sn & kMask] = item;
    w.arrived[sn & kMask] = now;
    w.flip(sn);
    ++w.held;
    held_ += item != Item{};
    return Arrival::held;
  }

  bool acquire(Lane& lane) {
    if (free_.empty()) return false;
    lane.window = free_.back();
    free_.pop_back();
    used_.push_back(lane.window);
    window(lane).lane = &lane;
    return true;
  }

  void release(Lane& lane) {
    for (uint16_t& index : used_) {
      if (index != lane.window) continue;
      index = used_.back();
      used_.pop_back();
      break;
    }
    free_.push_back(lane.window);
    lane.window = 0;
  }

  // What follows lane.next without a hole comes out; the next hole gets its deadline from the
  // arrival of the first segment behind it.
  template <typename Out>
  void advance(Lane& lane, Out&& out) {
    Window& w = window(lane);
    while (w.held != 0 && w.has(lane.next)) {
      w.flip(lane.next);
      --w.held;
      const Item item = w.items[lane.next & kMask];
      held_ -= item != Item{};
      out(item);
      ++lane.next;
    }
    if (w.held == 0) {
      release(lane);
    } else {
      w.deadline = w.arrived[w.first_from(lane.next) & kMask] + w.wait;
    }
  }

  template <typename Out>
  void skip_hole(Lane& lane, Out&& out) {
    give_up(lane, window(lane).first_from(lane.next));
    advance(lane, out);
  }

  void give_up(Lane& lane, uint32_t until) {
    if (lane.next == until) return;
    ++gaps_;
    if (until - lane.next > Lane::kMissing) lane.next = until - Lane::kMissing;
    for (; lane.next != until; ++lane.next) {
      if (lane.missing_count == Lane::kMissing) forget(lane, 0);
      lane.missing[lane.missing_count++] = lane.next;
    }
  }

  // Those behind it move up, so that it is always the oldest that makes room.
  static void forget(Lane& lane, uint8_t i) {
    const auto from = lane.missing.begin() + i;
    std::copy(from + 1, lane.missing.begin() + lane.missing_count, from);
    --lane.missing_count;
  }

  std::unique_ptr<Window[]> windows_;
  std::vector<uint16_t> free_;  // reserved once; never grows
  std::vector<uint16_t> used_;
  uint32_t held_ = 0;
  uint64_t gaps_ = 0;
  uint64_t forced_ = 0;
};

}  // namespace anabranch::dataplane
