// SPDX-License-Identifier: BSD-3-Clause
// From what a worker writes of its paths to what the scenario is chosen by.
#pragma once

#include <array>
#include <cstdint>

#include "control/scenario.h"
#include "dataplane/beat.h"

namespace anabranch::control {

// One reading of a path's telemetry.
struct PathSample {
  bool alive = false;
  double rtt_ms = 0, rtt_variation_ms = 0, rtt_min_ms = 0;
  uint64_t received = 0, expected = 0;
  uint64_t peer_received = 0, peer_expected = 0;
};
PathSample sample(const dataplane::PathTelemetry& telemetry);

// Loss in one direction from counts that only grow, smoothed over about five seconds. A session's
// end sets both counts back; that interval is left out.
class LossMeter {
 public:
  void update(uint64_t received, uint64_t expected);
  double loss() const { return loss_; }

 private:
  uint64_t received_ = 0, expected_ = 0;
  double loss_ = 0;
};

class PathMeter {
 public:
  // Once a second.
  void update(const PathSample& sample);
  void write(const PathSample& now, PathState& state) const;

 private:
  LossMeter up_, down_;
  double availability_ = 1;  // over about a minute
};

}  // namespace anabranch::control
