// SPDX-License-Identifier: BSD-3-Clause
// How much may still be put on a path, whoever is there to say stop. Control hands each worker a
// part of what is left of a path's quota and renews it as usage is seen; a worker that has used its
// part up leaves the path by itself, also when control is away.
//
// A part is a reading: that of what the worker has put on the path since it began
// (PathTelemetry::given). Readings of one worker are compared with nothing but its own counter, so
// workers need not agree on anything: together they exceed what they were given by a packet each.
#pragma once

#include <array>
#include <cstdint>

#include "dataplane/bounds.h"

namespace anabranch::dataplane {

struct PathLimit {
  static constexpr uint64_t kNone = UINT64_MAX;
  std::array<uint64_t, kWorkersMax> until;  // by worker, octets of outer packets
  uint64_t slow_pace = 0;  // what the path is given then, as pace_of() has it; 0: nothing
  PathLimit() { until.fill(kNone); }
};

// Immutable once published. By the path's number.
struct LimitTable {
  uint64_t version = 0;  // differs from every earlier table's; 0: there was none yet
  std::array<PathLimit, kPathsMax> paths;
};

}  // namespace anabranch::dataplane
