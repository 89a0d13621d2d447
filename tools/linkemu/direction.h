// SPDX-License-Identifier: BSD-3-Clause
// One direction of an emulated link: rate, queue, loss, delay, jitter. Pure: time is a parameter,
// in nanoseconds of any one clock, and randomness comes from a seed.
//
// A packet of n IP octets holds the link for (n + 38) × 8 / rate. It starts when it has arrived and
// the link is free; one that would wait longer for that than the queue allows is dropped. It is
// delivered when the link has sent it, plus the delay, plus up to the jitter. Each packet offered
// is delivered, dropped for a named reason, or in flight.
// One thread.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <random>
#include <span>
#include <string_view>
#include <vector>

#include "tools/linkemu/classify.h"

namespace anabranch::linkemu {

// What Ethernet spends on a packet: header 14, checksum 4, preamble 8, gap 12.
inline constexpr uint32_t kLinkFraming = 38;
// 1500 octets behind the Ethernet header and one VLAN tag. Longer ones are superframes that no link
// would carry: the interfaces need TSO and GSO off.
inline constexpr uint32_t kFrameMax = 1518;

struct Settings {
  bool up = true;
  uint64_t rate_bps = 0;  // 0: no limit
  uint64_t delay_ns = 0;
  uint64_t jitter_ns = 0;
  double loss_percent = 0;
  uint64_t queue_ns = 100'000'000;
  bool reorder = false;  // whether jitter lets packets overtake each other

  bool operator==(const Settings&) const = default;
};

// queue: would have waited too long. loss: drawn. down: the link was, or went, down. socket: the
// kernel refused to send it. buffer: too many in flight. too_long: longer than kFrameMax.
enum class Drop : uint8_t { queue, loss, down, socket, buffer, too_long };
inline constexpr std::array<std::string_view, 6> kDropNames{"queue",  "loss",   "down",
                                                            "socket", "buffer", "too_long"};

struct Count {
  uint64_t packets = 0;
  uint64_t octets = 0;

  bool operator==(const Count&) const = default;
};

// By traffic class.
class Counts {
 public:
  void add(const Label& label) {
    Count& count = by_class_[static_cast<size_t>(label.traffic)];
    ++count.packets;
    count.octets += label.octets;
  }
  const Count& of(TrafficClass traffic) const { return by_class_[static_cast<size_t>(traffic)]; }

 private:
  std::array<Count, kClassNames.size()> by_class_{};
};

struct Counters {
  Counts offered;
  Counts delivered;
  std::array<Counts, kDropNames.size()> dropped;

  const Counts& dropped_for(Drop reason) const { return dropped[static_cast<size_t>(reason)]; }
};

class Direction {
 public:
  struct Packet {
    uint64_t release_ns = 0;
    uint64_t order = 0;
    Label label;
    uint32_t buffer = 0;
    uint32_t length = 0;
  };

  // At most `buffers` packets are in flight.
  Direction(const Settings& settings, uint32_t buffers, uint64_t seed);

  const Settings& settings() const { return settings_; }
  // Holds for packets offered from then on. Going down drops what is in flight, and empties the
  // queue.
  void set(const Settings& settings);

  // `frame` is what was captured of a frame of `length` octets; all of it up to kFrameMax.
  void offer(uint64_t arrival_ns, std::span<const uint8_t> frame, uint32_t length,
             const Label& label);

  // When the next packet is due; UINT64_MAX: nothing waits.
  uint64_t next_release_ns() const;
  // Takes packets that are due, earliest first; how many. Each is in flight until settle().
  size_t take(uint64_t now_ns, std::span<Packet> packets);
  std::span<const uint8_t> octets(const Packet& packet) const;
  // What became of a packet taken: delivered, or dropped for Drop::socket.
  void settle(const Packet& packet, bool sent);

  const Counters& counters() const { return counters_; }
  size_t in_flight() const { return buffers_ - free_.size(); }

 private:
  uint64_t draw_release_ns();
  bool draw_loss();
  void drop(const Label& label, Drop reason);

  Settings settings_;
  std::mt19937_64 random_;
  uint64_t free_at_ns_ = 0;      // when the link has sent what it has accepted
  uint64_t release_max_ns_ = 0;  // the latest release drawn: where order has to be kept from
  uint64_t order_ = 0;           // of the next packet, so that equal releases keep their order
  uint32_t buffers_;
  std::vector<Packet> waiting_;  // a heap: the earliest release, then order, in front
  std::vector<uint32_t> free_;   // buffers; used last in first out, so memory follows use
  std::unique_ptr<uint8_t[]> memory_;
  Counters counters_;
};

}  // namespace anabranch::linkemu
