// SPDX-License-Identifier: BSD-3-Clause
#include "tools/linkemu/direction.h"

#include <algorithm>
#include <numeric>

namespace anabranch::linkemu {
namespace {

constexpr size_t kBufferOctets = 1536;
static_assert(kBufferOctets >= kFrameMax);

bool later(const Direction::Packet& a, const Direction::Packet& b) {
  return a.release_ns != b.release_ns ? a.release_ns > b.release_ns : a.order > b.order;
}

uint64_t serialisation_ns(uint64_t rate_bps, uint32_t octets) {
  if (rate_bps == 0) return 0;
  return (uint64_t{octets} + kLinkFraming) * 8 * 1'000'000'000 / rate_bps;
}

}  // namespace

Direction::Direction(const Settings& settings, uint32_t buffers, uint64_t seed)
    : settings_(settings),
      random_(seed),
      buffers_(buffers),
      free_(buffers),
      memory_(std::make_unique_for_overwrite<uint8_t[]>(buffers * kBufferOctets)) {
  std::iota(free_.rbegin(), free_.rend(), 0u);
  waiting_.reserve(buffers);
}

void Direction::set(const Settings& settings) {
  settings_ = settings;
  if (settings_.up) return;
  for (const Packet& packet : waiting_) {
    drop(packet.label, Drop::down);
    free_.push_back(packet.buffer);
  }
  waiting_.clear();
  free_at_ns_ = 0;
  release_max_ns_ = 0;
}

void Direction::offer(uint64_t arrival_ns, std::span<const uint8_t> frame, uint32_t length,
                      const Label& label) {
  counters_.offered.add(label);
  if (!settings_.up) return drop(label, Drop::down);
  if (length > kFrameMax) return drop(label, Drop::too_long);
  const uint64_t start_ns = std::max(arrival_ns, free_at_ns_);
  if (start_ns - arrival_ns > settings_.queue_ns) return drop(label, Drop::queue);
  free_at_ns_ = start_ns + serialisation_ns(settings_.rate_bps, label.octets);
  // A packet that gets lost has used the link.
  if (draw_loss()) return drop(label, Drop::loss);
  if (free_.empty()) return drop(label, Drop::buffer);
  const uint32_t buffer = free_.back();
  free_.pop_back();
  std::copy(frame.begin(), frame.end(), &memory_[buffer * kBufferOctets]);
  waiting_.push_back({.release_ns = draw_release_ns(),
                      .order = order_++,
                      .label = label,
                      .buffer = buffer,
                      .length = static_cast<uint32_t>(frame.size())});
  std::push_heap(waiting_.begin(), waiting_.end(), later);
}

bool Direction::draw_loss() {
  if (settings_.loss_percent == 0) return false;
  return std::uniform_real_distribution<double>(0, 100)(random_) < settings_.loss_percent;
}

uint64_t Direction::draw_release_ns() {
  uint64_t release_ns = free_at_ns_ + settings_.delay_ns;
  if (settings_.jitter_ns > 0)
    release_ns += std::uniform_int_distribution<uint64_t>(0, settings_.jitter_ns)(random_);
  if (!settings_.reorder) release_ns = std::max(release_ns, release_max_ns_);
  release_max_ns_ = std::max(release_ns, release_max_ns_);
  return release_ns;
}

uint64_t Direction::next_release_ns() const {
  return waiting_.empty() ? UINT64_MAX : waiting_.front().release_ns;
}

size_t Direction::take(uint64_t now_ns, std::span<Packet> packets) {
  size_t count = 0;
  while (count < packets.size() && next_release_ns() <= now_ns) {
    packets[count++] = waiting_.front();
    std::pop_heap(waiting_.begin(), waiting_.end(), later);
    waiting_.pop_back();
  }
  return count;
}

std::span<const uint8_t> Direction::octets(const Packet& packet) const {
  return {&memory_[packet.buffer * kBufferOctets], packet.length};
}

void Direction::settle(const Packet& packet, bool sent) {
  if (sent)
    counters_.delivered.add(packet.label);
  else
    drop(packet.label, Drop::socket);
  free_.push_back(packet.buffer);
}

void Direction::drop(const Label& label, Drop reason) {
  counters_.dropped[static_cast<size_t>(reason)].add(label);
}

}  // namespace anabranch::linkemu
