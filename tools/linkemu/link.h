// SPDX-License-Identifier: BSD-3-Clause
// One direction of an emulated link: rate, delay, jitter, loss, queue. Pure: time is a parameter,
// in nanoseconds, and so is randomness' seed.
//
// A packet of n IP octets occupies the link for (n + 38) × 8 / rate: Ethernet's header, FCS,
// preamble and gap. It starts when the link is free; one that would have to wait longer than the
// queue is dropped. It comes out after the delay, and up to the jitter later. What is offered is
// delivered, dropped for a named reason, or in flight; in octets of the IP packet, by class.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <span>
#include <string_view>
#include <vector>

namespace linkemu {

inline constexpr uint32_t kLinkFraming = 38;
inline constexpr uint32_t kFrameMax = 1514;
inline constexpr uint32_t kInFlightMax = 32768;  // 200 ms of 2 Gbit/s; beyond that: drop "buffer"

struct Settings {
  uint64_t rate_bps = 0;  // 0: unlimited
  uint64_t delay_ns = 0;
  uint64_t jitter_ns = 0;
  double loss = 0;  // 0..1
  uint64_t queue_ns = 100'000'000;
  bool up = true;
  bool reorder = false;  // with jitter: packets may overtake each other
};

enum class Class : uint8_t { tunnel, kernel, other };
inline constexpr std::array<std::string_view, 3> kClassNames{"tunnel", "kernel", "other"};
enum class Drop : uint8_t { queue, loss, down, socket, buffer, too_long };
inline constexpr std::array<std::string_view, 6> kDropNames{"queue",  "loss",   "down",
                                                            "socket", "buffer", "too_long"};

struct Count {
  uint64_t packets = 0, octets = 0;
  void add(uint32_t octet_count) {
    ++packets;
    octets += octet_count;
  }
  bool operator==(const Count&) const = default;
};
using Counts = std::array<Count, kClassNames.size()>;

// What a frame counts as, and how many octets: its IP packet's, or for others all but the Ethernet
// header. Tunnel: UDP over IPv4 from or to the port.
struct Kinship {
  Class kind = Class::other;
  uint32_t octets = 0;
};
Kinship classify(std::span<const uint8_t> frame, uint16_t tunnel_port);

class Direction {
 public:
  struct Packet {
    uint64_t release_ns = 0;
    uint64_t order = 0;
    uint32_t length = 0;
    uint32_t buffer = 0;
    Kinship kinship;
  };

  Direction(const Settings& settings, uint64_t seed);

  // Settings hold for packets that arrive from then on; a link that goes down loses what is in
  // flight.
  void set(const Settings& settings) { settings_ = settings; }
  const Settings& settings() const { return settings_; }

  void offer(uint64_t arrival_ns, std::span<const uint8_t> frame, uint16_t tunnel_port);
  void refuse(std::span<const uint8_t> frame, uint32_t length, Drop reason, uint16_t tunnel_port);

  // When the next packet comes out; UINT64_MAX: nothing is in flight.
  uint64_t next_release_ns() const { return heap_.empty() ? UINT64_MAX : heap_.front().release_ns; }
  // Takes the next packet that is due, and false when there is none. Its octets stay valid until
  // the next offer(). The caller says what became of it.
  bool take(uint64_t now_ns, Packet& packet);
  std::span<const uint8_t> octets(const Packet& packet) const;
  void delivered(const Packet& packet) {
    delivered_[index(packet.kinship.kind)].add(packet.kinship.octets);
  }
  void dropped(const Kinship& kinship, Drop reason);

  const Counts& offered() const { return offered_; }
  const Counts& delivered() const { return delivered_; }
  const Counts& dropped(Drop reason) const { return dropped_[static_cast<size_t>(reason)]; }
  size_t in_flight() const { return heap_.size(); }

 private:
  static constexpr size_t index(Class kind) { return static_cast<size_t>(kind); }
  void launch(uint64_t release_ns, std::span<const uint8_t> frame, const Kinship& kinship);

  Settings settings_;
  std::mt19937_64 random_;
  uint64_t free_ns_ = 0;          // when the link has sent what it has
  uint64_t last_release_ns_ = 0;  // so that order is kept
  uint64_t order_ = 0;
  std::vector<Packet> heap_;  // by release, then order
  std::vector<uint32_t> free_buffers_;
  std::unique_ptr<uint8_t, void (*)(void*)> buffers_;
  Counts offered_{}, delivered_{};
  std::array<Counts, kDropNames.size()> dropped_{};
};

}  // namespace linkemu
