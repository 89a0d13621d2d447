// SPDX-License-Identifier: BSD-3-Clause
// How much memory a gateway's workers need. Pure: configurations are checked by it.
#pragma once

#include <cstdint>

#include "dataplane/bounds.h"

namespace anabranch::dataplane {

// What each worker may hold in lanes. Packet buffers are for as many that are kept for repair
// besides, and as many again that wait, are delayed to be even, or are in ports' rings and caches.
inline constexpr uint32_t kHeldMax = 32768;
constexpr uint32_t packets_for(uint32_t workers) {
  return 3 * kHeldMax * workers;
}

// Frames for the peer that may be under way in the workers, between them and in as many ports at
// once.
constexpr uint32_t frames_for(uint32_t uplinks, uint32_t workers = 1) {
  constexpr uint32_t kDescriptors = 1024, kTxQueue = 2 * kBurst, kHandoverRing = 4096;
  constexpr uint32_t kCached = 512;
  return workers * (uplinks * (kDescriptors + kTxQueue) + kCached) + (workers - 1) * kHandoverRing;
}

// A buffer's data room for packets of ports with this MTU: with what DPDK keeps free in front, and
// with all that is put before a packet and behind it; or for a whole slot of a shared port's ring.
inline constexpr uint16_t kHeadroom = 128;  // RTE_PKTMBUF_HEADROOM
inline constexpr uint16_t kRingFrameUsual = 2048;
constexpr uint16_t ring_frame_for(uint16_t mtu) {
  constexpr uint16_t kBesides = 256, kStep = 1024;  // tpacket2_hdr, Ethernet, a tag
  const auto octets = static_cast<uint16_t>((mtu + kBesides + kStep - 1) / kStep * kStep);
  return octets < kRingFrameUsual ? kRingFrameUsual : octets;
}
constexpr uint16_t data_room_for(uint16_t mtu) {
  return static_cast<uint16_t>(kHeadroom + ring_frame_for(mtu));
}

// The least memory_mb for the packets and frames of so many workers, and for the tables of `flows`
// of each family. As measured with rte_malloc_get_socket_stats(): a buffer may not lie across pages
// that need not follow each other in memory, so on ordinary ones each takes whole pages.
constexpr uint32_t memory_mb_for(uint32_t workers, uint32_t uplinks, uint64_t flows, bool hugepages,
                                 uint16_t mtu_max = kMtuUsual) {
  constexpr uint64_t kBesides = 384, kPage = 4096, kFlow = 2 * 80;
  constexpr uint64_t kOthers = 24u << 20;  // rings, ports, caches, and what lies between
  const uint64_t buffers = packets_for(workers) + frames_for(uplinks, workers);
  const uint64_t one = data_room_for(mtu_max) + kBesides;
  const uint64_t in_pages = (one + kPage - 1) / kPage * kPage + 32;
  const uint64_t octets = buffers * (hugepages ? one : in_pages) + flows * kFlow + kOthers;
  return static_cast<uint32_t>((octets + (1u << 20) - 1) >> 20);
}

}  // namespace anabranch::dataplane
