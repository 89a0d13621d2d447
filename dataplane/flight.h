// SPDX-License-Identifier: BSD-3-Clause
// What is under way on one path: every packet number that was sent and not yet settled, and the
// client's packet of it, kept until it is acknowledged, so that it can be sent again.
//
// A number is settled when it is acknowledged, or when its segment is given to repair. Numbers that
// carry no client's packet need no repair. Owned by one worker; allocated once.
#pragma once

#include <rte_mbuf.h>
#include <sys/mman.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "dataplane/wire.h"

namespace anabranch::dataplane {

// A client's packet, as it is kept to be sent again.
struct Segment {
  rte_mbuf* clear = nullptr;  // inner header and packet; nullptr: not kept
  uint64_t born_ns = 0;       // sent for the first time
  uint32_t peer_index = 0;
  uint32_t sn = 0;
  uint16_t slot = 0;
  uint8_t lane = 0;
  uint8_t path = 0;  // it was sent on last
  uint8_t sendings = 0;
};

enum class Fate : uint8_t {
  none,       // carries no client's packet; not acknowledged
  in_flight,  // neither acknowledged nor believed lost
  settled,    // acknowledged
  lost,       // given to repair; an acknowledgement may still prove that wrong
};

struct alignas(64) Sent {
  uint64_t number = 0;
  uint64_t at_ns = 0;
  Fate fate = Fate::none;
  uint16_t octets = 0;  // of the outer IP packet
  Segment segment;      // holds unless `fate` is none
};
static_assert(sizeof(Sent) == 64);

class Flight {
 public:
  // Numbers under way at once: 250 ms of 1 Gbit/s at 1500 octets.
  static constexpr uint64_t kSize = 32768;

  bool is_mapped() const { return ring_ != nullptr; }
  // The place of the next number. Whatever was there, a lap ago, must have been settled.
  Sent& add(uint64_t number, uint16_t octets_sent, uint64_t now_ns) {
    Sent& sent = at(number);
    sent.number = number;
    sent.at_ns = now_ns;
    sent.fate = Fate::none;
    sent.octets = octets_sent;
    next = number + 1;
    __builtin_prefetch(&at(number + 4), 1);
    return sent;
  }
  Sent& at(uint64_t number) { return ring_.get()[number % kSize]; }
  // nullptr when the number was never used or is forgotten.
  Sent* find(uint64_t number) {
    if (number >= next || number + kSize < next) return nullptr;
    Sent& sent = at(number);
    return sent.number == number ? &sent : nullptr;
  }
  // Leaves behind what is settled, and what was given to repair and sent before `lost_until_ns`.
  void advance(uint64_t lost_until_ns) {
    for (; first < next; ++first) {
      const Sent& sent = at(first);
      if (sent.fate == Fate::in_flight) return;
      if (sent.fate == Fate::lost && sent.at_ns >= lost_until_ns) return;
    }
  }
  // Numbers go on; all that was learnt of them belongs to a session that is over.
  void forget() {
    first = next;
    octets = acked_at_ns = loss_at_ns = overtaken_ns = 0;
    overdue = 0;
    reordering = kPacketThreshold;
    any_acked = false;
  }

  uint64_t first = 0;  // all before it are settled
  uint64_t next = 0;   // one more than the last number sent
  uint64_t largest_acked = 0;
  uint64_t octets = 0;       // in flight
  uint64_t acked_at_ns = 0;  // when the last new acknowledgement came
  uint64_t loss_at_ns = 0;   // when the time threshold of the oldest is over; 0: none waits
  // By how many others a number may be overtaken, and for how long, and not be lost; learnt from
  // those that came after all.
  uint32_t reordering = kPacketThreshold;
  uint64_t overtaken_ns = 0;
  uint64_t reordered_at_ns = 0;  // when one last did
  bool any_acked = false;
  uint32_t overdue = 0;  // since the last acknowledgement

  static constexpr uint32_t kPacketThreshold = 3;  // RFC 9002 6.1.1

 private:
  struct Unmap {
    void operator()(Sent* ring) const { munmap(ring, kSize * sizeof(Sent)); }
  };
  // Zero pages, touched only for paths in use.
  static Sent* map() {
    void* ring = mmap(nullptr, kSize * sizeof(Sent), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return ring == MAP_FAILED ? nullptr : static_cast<Sent*>(ring);
  }
  std::unique_ptr<Sent, Unmap> ring_{map()};
};

// Segments that are to be sent again, first in, first out.
class RepairQueue {
 public:
  static constexpr uint32_t kSize = 65536;
  bool empty() const { return first_ == end_; }
  bool put(const Segment& segment) {
    if (end_ - first_ == kSize) return false;
    segments_[end_++ % kSize] = segment;
    return true;
  }
  const Segment& front() const { return segments_[first_ % kSize]; }
  void drop_front() { ++first_; }

 private:
  uint32_t first_ = 0, end_ = 0;
  std::vector<Segment> segments_ = std::vector<Segment>(kSize);
};

}  // namespace anabranch::dataplane
