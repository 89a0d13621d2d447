// SPDX-License-Identifier: BSD-3-Clause
// A plan: one service's scenario, compiled for the data plane. Immutable once published.
#pragma once

#include <array>
#include <cstdint>

#include "dataplane/bounds.h"

namespace anabranch::dataplane {

enum class Segmentation : uint8_t { flow, packet };
// Which path a packet takes.
enum class Dispersion : uint8_t {
  weighted,           // by shares; whole flows by their bucket
  earliest_delivery,  // the one that delivers it first
  flowlet,            // … when its flow paused, so that it overtakes nothing; else as before
  redundant,          // … and a copy of it goes another way
  priority,           // the first in order that is not busy
  standby,            // the first in order that is alive
};
// Of a service's packets, by their own DSCP: which go ahead of which while they wait.
enum class TrafficClass : uint8_t { urgent, normal, background };
inline constexpr uint8_t kTrafficClasses = 3;

struct Plan {
  uint32_t generation = 0;      // differs from every earlier plan's of this slot
  uint32_t receiver_index = 0;  // what the peer writes on segments for us; 0: nothing is received
  uint32_t peer_index = 0;      // what we write on segments for the peer; 0: nothing may be sent
  Segmentation segmentation = Segmentation::packet;
  Dispersion dispersion = Dispersion::weighted;
  bool resequence = true;  // assemblage: in order of the lane, or as they come
  bool recovery = true;    // what is lost is sent again
  uint8_t weight = 1;      // share against other services' while all paths are busy
  uint16_t path_mask = 0;  // bit p: path p may be used
  uint16_t inner_mtu = 0;  // largest IPv4 packet that fits a path of the mask; others may cut it
  uint16_t whole_mtu = 0;  // … that fits all of them
  uint64_t pace = 0;       // of the service's own rate, as pace_of() has it; 0: not limited
  // Bit d: packets of DSCP d; urgent, if it is in both.
  uint64_t urgent = 0, background = 0;
  // What one octet on path p adds to its virtual time: inversely proportional to its weight.
  std::array<uint32_t, kPathsMax> cost{};
  // Paths in the order priority and standby take them; 0 ends it.
  std::array<uint8_t, kPathsMax> order{};
  // Paths of one number fail together: they are of one provider.
  std::array<uint8_t, kPathsMax> provider{};
  // Path of each bucket of flows, in proportion to the weights; two in an octet.
  std::array<uint8_t, kFlowBuckets / 2> buckets{};

  uint8_t path_of(uint8_t bucket) const { return buckets[bucket / 2] >> bucket % 2 * 4 & 0x0f; }
  TrafficClass class_of(uint8_t dscp) const {
    if ((urgent >> dscp & 1) != 0) return TrafficClass::urgent;
    return (background >> dscp & 1) != 0 ? TrafficClass::background : TrafficClass::normal;
  }
};
static_assert(sizeof(Plan) <= 256 && kPathsMax <= 16);

// Fills path_mask, cost and buckets from weights by path (0: not used). Neighbouring weights change
// few buckets: each path owns a contiguous run.
inline void compile_weights(const std::array<uint16_t, kPathsMax>& weights, Plan& plan) {
  plan.path_mask = 0;
  plan.cost = {};
  plan.buckets = {};
  uint32_t sum = 0;
  for (uint16_t w : weights) sum += w;
  uint32_t before = 0;
  for (uint8_t p = 1; p < kPathsMax; ++p) {
    if (weights[p] == 0) continue;
    plan.path_mask = static_cast<uint16_t>(plan.path_mask | 1u << p);
    plan.cost[p] = (65535u << 8) / weights[p];
    const uint32_t from = before * kFlowBuckets / sum;
    before += weights[p];
    const uint32_t to = before * kFlowBuckets / sum;
    for (uint32_t b = from; b < to; ++b) {
      uint8_t& two = plan.buckets[b / 2];
      two = static_cast<uint8_t>(two | p << b % 2 * 4);
    }
  }
}

}  // namespace anabranch::dataplane
