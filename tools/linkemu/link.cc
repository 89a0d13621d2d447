// SPDX-License-Identifier: BSD-3-Clause
#include "tools/linkemu/link.h"

#include <algorithm>
#include <cstdlib>

namespace linkemu {
namespace {

constexpr uint32_t kBufferSize = 1536;

bool later(const Direction::Packet& a, const Direction::Packet& b) {
  return a.release_ns != b.release_ns ? a.release_ns > b.release_ns : a.order > b.order;
}

uint16_t be16(const uint8_t* p) {
  return static_cast<uint16_t>(p[0] << 8 | p[1]);
}

}  // namespace

Kinship classify(std::span<const uint8_t> frame, uint16_t tunnel_port) {
  constexpr uint32_t kEthernet = 14;
  constexpr uint16_t kIpv4 = 0x0800, kIpv6 = 0x86dd;
  if (frame.size() < kEthernet) return {Class::other, 0};
  const auto packet = frame.subspan(kEthernet);
  const uint16_t type = be16(&frame[12]);
  if (type == kIpv6 && packet.size() >= 40) return {Class::kernel, 40u + be16(&packet[4])};
  if (type != kIpv4 || packet.size() < 20)
    return {Class::other, static_cast<uint32_t>(packet.size())};
  const uint32_t total = be16(&packet[2]);
  const size_t header = (packet[0] & 0x0f) * 4u;
  const bool later_fragment = (be16(&packet[6]) & 0x1fff) != 0;
  const bool udp = packet[9] == 17 && !later_fragment && packet.size() >= header + 4;
  const bool tunnel =
      udp && (be16(&packet[header]) == tunnel_port || be16(&packet[header + 2]) == tunnel_port);
  return {tunnel ? Class::tunnel : Class::kernel, total};
}

Direction::Direction(const Settings& settings, uint64_t seed)
    : settings_(settings),
      random_(seed),
      buffers_(static_cast<uint8_t*>(std::malloc(size_t{kInFlightMax} * kBufferSize)), std::free) {
  heap_.reserve(kInFlightMax);
  for (uint32_t i = kInFlightMax; i > 0; --i) free_buffers_.push_back(i - 1);
}

void Direction::offer(uint64_t arrival_ns, std::span<const uint8_t> frame, uint16_t tunnel_port) {
  const Kinship kinship = classify(frame, tunnel_port);
  offered_[index(kinship.kind)].add(kinship.octets);
  if (!settings_.up) return dropped(kinship, Drop::down);
  const uint64_t start_ns = std::max(arrival_ns, free_ns_);
  if (start_ns - arrival_ns > settings_.queue_ns) return dropped(kinship, Drop::queue);
  if (settings_.rate_bps != 0) {
    free_ns_ = start_ns +
               (uint64_t{kinship.octets} + kLinkFraming) * 8 * 1'000'000'000 / settings_.rate_bps;
  } else {
    free_ns_ = start_ns;
  }
  // A lost packet has used the link all the same.
  if (settings_.loss > 0 && std::uniform_real_distribution<double>()(random_) < settings_.loss) {
    return dropped(kinship, Drop::loss);
  }
  uint64_t release_ns = free_ns_ + settings_.delay_ns;
  if (settings_.jitter_ns > 0)
    release_ns += std::uniform_int_distribution<uint64_t>(0, settings_.jitter_ns)(random_);
  if (!settings_.reorder) release_ns = last_release_ns_ = std::max(release_ns, last_release_ns_);
  launch(release_ns, frame, kinship);
}

void Direction::launch(uint64_t release_ns, std::span<const uint8_t> frame,
                       const Kinship& kinship) {
  if (free_buffers_.empty()) return dropped(kinship, Drop::buffer);
  const uint32_t buffer = free_buffers_.back();
  free_buffers_.pop_back();
  std::memcpy(buffers_.get() + size_t{buffer} * kBufferSize, frame.data(), frame.size());
  heap_.push_back({release_ns, order_++, static_cast<uint32_t>(frame.size()), buffer, kinship});
  std::push_heap(heap_.begin(), heap_.end(), later);
}

void Direction::refuse(std::span<const uint8_t> frame, uint32_t length, Drop reason,
                       uint16_t tunnel_port) {
  Kinship kinship = classify(frame, tunnel_port);
  kinship.octets = length - std::min(length, 14u);
  offered_[index(kinship.kind)].add(kinship.octets);
  dropped(kinship, reason);
}

bool Direction::take(uint64_t now_ns, Packet& packet) {
  while (!heap_.empty() && heap_.front().release_ns <= now_ns) {
    packet = heap_.front();
    std::pop_heap(heap_.begin(), heap_.end(), later);
    heap_.pop_back();
    // The buffer is reused by the next offer() at the earliest, when the packet has been sent.
    free_buffers_.push_back(packet.buffer);
    if (settings_.up) return true;
    dropped(packet.kinship, Drop::down);
  }
  return false;
}

std::span<const uint8_t> Direction::octets(const Packet& packet) const {
  return {buffers_.get() + size_t{packet.buffer} * kBufferSize, packet.length};
}

void Direction::dropped(const Kinship& kinship, Drop reason) {
  dropped_[static_cast<size_t>(reason)][index(kinship.kind)].add(kinship.octets);
}

}  // namespace linkemu
