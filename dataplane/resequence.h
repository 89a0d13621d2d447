// SPDX-License-Identifier: BSD-3-Clause
// Assemblage of lanes: segments come out in the order of their lane's numbers.
//
// A hole in one lane holds back that lane only, and only until its deadline; then it is given up
// and what waits passes on. Memory is bounded: kWindows lanes may have a hole at once, each with
// kWindowSize numbers behind it, of which those that are there lie in kPages pages of 64; a lane
// without a hole costs 64 octets. Numbers are compared by serial arithmetic (RFC 1982), so they may
// wrap. A number is delivered at most once: one that comes after its hole was given up is delivered
// late if it is still remembered as missing, else it is a duplicate.
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
#include "dataplane/serial.h"

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
  Resequencer() {
    for (uint16_t i = kWindows; i > 0; --i) free_windows_.push_back(i);
    for (uint16_t i = kPages; i > 0; --i) free_pages_.push_back(i);
    used_.reserve(kWindows);
  }

  // Whether receive() would take the number.
  bool wants(const Lane& lane, uint32_t sn) const {
    const auto ahead = static_cast<int32_t>(sn - lane.next);
    const auto missing = lane.missing.begin();
    if (ahead < 0)
      return std::find(missing, missing + lane.missing_count, sn) != missing + lane.missing_count;
    return lane.window == 0 || static_cast<uint32_t>(ahead) >= kWindowSize ||
           !has(windows_[lane.window - 1u], sn);
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

  // Gives up holes whose deadline has passed. Cost: when one may have, the lanes with a hole.
  template <typename Out>
  void expire(uint64_t now, Out&& out) {
    if (used_.empty() || is_before(now, first_deadline_)) return;
    first_deadline_ = now + kFarAway;
    for (size_t i = 0; i < used_.size();) {
      Window& w = windows_[used_[i] - 1u];
      Lane& lane = *w.lane;
      while (lane.window != 0 && !is_before(now, w.deadline)) skip_hole(lane, out);
      if (lane.window == 0) continue;  // the last of used_ took this place
      set_deadline(w, w.deadline);
      ++i;
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
      if (oldest == nullptr || is_before(w.deadline, oldest->deadline)) oldest = &w;
    }
    ++forced_;
    flush(*oldest->lane, out);
  }

  uint32_t held() const { return held_; }
  // Lanes with a hole, and the pages in which is what they hold.
  uint32_t holed() const { return static_cast<uint32_t>(used_.size()); }
  uint32_t pages() const { return kPages - static_cast<uint32_t>(free_pages_.size()); }
  uint64_t gaps() const { return gaps_; }      // holes given up
  uint64_t forced() const { return forced_; }  // … before their deadline, for want of room

 private:
  static constexpr uint32_t kMask = kWindowSize - 1;
  static_assert(std::has_single_bit(kWindowSize));
  static constexpr uint32_t kPageSize = 64;
  static constexpr uint64_t kFarAway = uint64_t{1} << 62;

  // What is there of kPageSize numbers.
  struct Page {
    uint64_t present = 0;
    std::array<uint64_t, kPageSize> arrived;
    std::array<Item, kPageSize> items;
  };
  struct Window {
    Lane* lane = nullptr;
    uint64_t deadline = 0;  // of the hole at lane->next
    uint64_t wait = 0;      // how long a hole may wait
    uint32_t held = 0;
    uint16_t used_at = 0;                                   // place in used_
    std::array<uint16_t, kWindowSize / kPageSize> pages{};  // 1-based; 0: nothing is there
  };

  Window& window(const Lane& lane) { return windows_[lane.window - 1u]; }
  static uint16_t& page_of(Window& w, uint32_t sn) { return w.pages[(sn & kMask) / kPageSize]; }
  bool has(const Window& w, uint32_t sn) const {
    const uint16_t page = w.pages[(sn & kMask) / kPageSize];
    return page != 0 && (pages_[page - 1u].present >> (sn % kPageSize) & 1) != 0;
  }
  // The first number at or after `sn` that is held. Something must be.
  uint32_t first_from(Window& w, uint32_t sn) const {
    while (true) {
      const uint16_t page = page_of(w, sn);
      const uint64_t word = page == 0 ? 0 : pages_[page - 1u].present >> (sn % kPageSize);
      if (word != 0) return sn + static_cast<uint32_t>(std::countr_zero(word));
      sn += kPageSize - sn % kPageSize;
    }
  }
  void set_deadline(Window& w, uint64_t deadline) {
    w.deadline = deadline;
    if (is_before(deadline, first_deadline_)) first_deadline_ = deadline;
  }

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
    while (lane.window != 0 && sn != lane.next && !has_room(lane, sn)) {
      ++forced_;
      skip_hole(lane, out);
    }
    if (sn == lane.next || (lane.window == 0 && !acquire(lane, sn))) {
      if (sn != lane.next) ++forced_;
      give_up(lane, sn);
      out(item);
      ++lane.next;
      if (lane.window != 0) advance(lane, out);
      return Arrival::passed;
    }
    Window& w = window(lane);
    if (has(w, sn)) return Arrival::duplicate;
    put(w, sn, item, now);
    w.wait = wait;
    if (w.held++ == 0) set_deadline(w, now + wait);
    return Arrival::held;
  }

  bool has_room(Lane& lane, uint32_t sn) {
    return sn - lane.next < kWindowSize && (page_of(window(lane), sn) != 0 || !free_pages_.empty());
  }

  void put(Window& w, uint32_t sn, Item item, uint64_t now) {
    uint16_t& page = page_of(w, sn);
    if (page == 0) {
      page = free_pages_.back();
      free_pages_.pop_back();
    }
    Page& p = pages_[page - 1u];
    p.present |= uint64_t{1} << (sn % kPageSize);
    p.arrived[sn % kPageSize] = now;
    p.items[sn % kPageSize] = item;
    held_ += item != Item{};
  }

  Item take(Window& w, uint32_t sn) {
    uint16_t& page = page_of(w, sn);
    Page& p = pages_[page - 1u];
    const Item item = p.items[sn % kPageSize];
    p.present ^= uint64_t{1} << (sn % kPageSize);
    if (p.present == 0) {
      free_pages_.push_back(page);
      page = 0;
    }
    --w.held;
    held_ -= item != Item{};
    return item;
  }

  bool acquire(Lane& lane, uint32_t sn) {
    if (sn - lane.next >= kWindowSize || free_windows_.empty() || free_pages_.empty()) return false;
    lane.window = free_windows_.back();
    free_windows_.pop_back();
    window(lane).lane = &lane;
    window(lane).used_at = static_cast<uint16_t>(used_.size());
    used_.push_back(lane.window);
    return true;
  }

  void release(Lane& lane) {
    const uint16_t place = window(lane).used_at;
    used_[place] = used_.back();
    windows_[used_[place] - 1u].used_at = place;
    used_.pop_back();
    free_windows_.push_back(lane.window);
    lane.window = 0;
  }

  // What follows lane.next without a hole comes out; the next hole gets its deadline from the
  // arrival of the first segment behind it.
  template <typename Out>
  void advance(Lane& lane, Out&& out) {
    Window& w = window(lane);
    while (w.held != 0 && has(w, lane.next)) {
      out(take(w, lane.next));
      ++lane.next;
    }
    if (w.held == 0) return release(lane);
    const uint32_t behind = first_from(w, lane.next);
    set_deadline(w, pages_[page_of(w, behind) - 1u].arrived[behind % kPageSize] + w.wait);
  }

  template <typename Out>
  void skip_hole(Lane& lane, Out&& out) {
    give_up(lane, first_from(window(lane), lane.next));
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

  std::unique_ptr<Window[]> windows_ = std::make_unique<Window[]>(kWindows);
  std::unique_ptr<Page[]> pages_ = std::make_unique<Page[]>(kPages);
  std::vector<uint16_t> free_windows_, free_pages_;  // never grow beyond what they begin with
  std::vector<uint16_t> used_;
  uint64_t first_deadline_ = 0;  // no hole has one before
  uint32_t held_ = 0;
  uint64_t gaps_ = 0;
  uint64_t forced_ = 0;
};

}  // namespace anabranch::dataplane
