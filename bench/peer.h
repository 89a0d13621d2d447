// SPDX-License-Identifier: BSD-3-Clause
// The far gateway, as far as a worker can tell: segments, beats and acknowledgements, sealed; and
// what an attacker makes of them.
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <deque>
#include <memory>
#include <random>
#include <vector>

#include "dataplane/beat.h"
#include "dataplane/paths.h"
#include "dataplane/plan.h"
#include "dataplane/traffic_key.h"

namespace anabranch::bench {

// The key both seal with.
std::shared_ptr<const dataplane::TrafficKey> bench_key(
    dataplane::Cipher cipher = dataplane::Cipher::aes_128_gcm);

inline constexpr uint16_t kService = 1;
// Of both ends; the slot is in the low bits.
inline constexpr uint32_t kReceiver = 5 * dataplane::kServicesMax;

class Peer {
 public:
  static constexpr uint64_t kRoundTripNs = 4'000'000;
  static constexpr uint64_t kAckEveryNs = dataplane::kAckDelayMinNs;

  // `paths` as the worker has them. Of several sending workers this is `worker`, who hears the
  // worker of that number.
  explicit Peer(const dataplane::PathTable& paths,
                dataplane::Cipher cipher = dataplane::Cipher::aes_128_gcm, uint8_t worker = 0);

  // A segment with a packet of `octets` of one flow, number `sn` of its lane.
  rte_mbuf* segment(uint8_t path, uint32_t sn, uint16_t octets);
  rte_mbuf* beat(uint8_t path, uint64_t now_ns);
  enum class Attack : uint8_t { forged, replayed, truncated, random };
  // Made of the last segment.
  rte_mbuf* attack(Attack attack);

  // The worker sent this frame now. It arrives, always.
  void sent(rte_mbuf* frame, uint64_t now_ns);
  // The acknowledgement that comes back now; nullptr: none is due.
  rte_mbuf* ack(uint64_t now_ns);

 private:
  rte_mbuf* seal(dataplane::SegmentType type, uint8_t path, uint32_t receiver,
                 std::span<const uint8_t> content);

  struct Sent {
    uint64_t number;
    uint64_t at_ns;
  };
  dataplane::PathTable paths_;  // mirrored
  const uint8_t worker_;
  std::shared_ptr<const dataplane::TrafficKey> key_;
  std::array<uint64_t, dataplane::kPathsMax> number_{};
  std::array<std::deque<Sent>, dataplane::kPathsMax> under_way_;  // the last number of each poll
  uint64_t ack_at_ns_ = 0;
  std::vector<uint8_t> last_;  // frame of the last segment
  std::mt19937_64 random_{1};
};

}  // namespace anabranch::bench
