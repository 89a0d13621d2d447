// SPDX-License-Identifier: BSD-3-Clause
// The keys in force between this gateway and its peer. Immutable once published.
//
// Each key phase comes from a handshake of its own. The sender uses one phase, named by an octet of
// the outer header; the receiver takes every phase that may still be under way.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "dataplane/bounds.h"
#include "dataplane/traffic_key.h"

namespace anabranch::dataplane {

// Sealed with one key at most. Control changes keys long before; this is for when it cannot. With
// segments of 94 blocks an attacker's advantage stays below 2^-47 (as RFC 9001 B.1 reckons).
inline constexpr uint64_t kSealedMax = uint64_t{1} << 34;

struct alignas(64) KeyTable {
  // Another instance of the peer numbers its segments from 0 and has other keys.
  uint64_t peer_instance = 0;
  std::shared_ptr<const TrafficKey> send;  // nullptr: nothing may be sent
  uint8_t send_phase = 0;
  struct Receive {
    uint8_t phase = 0;
    std::shared_ptr<const TrafficKey> key;
  };
  std::array<Receive, kPhasesMax> receive;  // phase p at p % kPhasesMax

  const TrafficKey* find(uint8_t phase) const {
    const Receive& r = receive[phase % kPhasesMax];
    return r.phase == phase ? r.key.get() : nullptr;
  }
};

}  // namespace anabranch::dataplane
