// SPDX-License-Identifier: BSD-3-Clause
// Where a packet is cut into fragments: because it does not fit a path, or because several slow
// paths together deliver it sooner than the fastest alone.
//
// Pure. Offsets and sizes are in octets, so that a fragment can be cut again for a narrower path.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "dataplane/bounds.h"
#include "dataplane/wire.h"

namespace anabranch::dataplane {

// A packet of kMtuMax over paths of kMtuMin.
inline constexpr uint8_t kFragmentsMax = 20;
static_assert(kFragmentsMax * (kMtuMin - segment_overhead(kOuterIp6) - 2) >= kMtuMax);

struct Fragment {
  uint8_t path = 0;
  uint16_t octets = 0;  // of the packet
};
struct Cuts {
  std::array<Fragment, kFragmentsMax> fragments{};
  uint8_t count = 0;
  std::span<const Fragment> all() const { return {fragments.data(), count}; }
};

// As few as fit, alike in size. `room`: octets of a packet that fit a fragment. Nothing when it
// were too many.
Cuts cut_to_fit(uint8_t path, uint16_t octets, uint16_t room);

// What a path offers now.
struct Offer {
  uint8_t path = 0;
  uint16_t room = 0;          // octets of a packet that fit a fragment
  int64_t delay_ns = 0;       // when what is given now begins to arrive, of an unknown origin
  uint64_t pace = 0;          // what an octet takes, as pace_of() has it; not 0
  uint32_t extra_octets = 0;  // that a fragment takes besides
};

// The fragments of a packet over several of the paths, all of which arrive at the same time;
// nothing when the packet as a whole would be there about as soon. Cost: with two offers 60 cycles.
Cuts cut_to_hurry(std::span<Offer> offers, uint16_t octets);

}  // namespace anabranch::dataplane
