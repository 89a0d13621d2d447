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
  bool suspected = false;
  double rtt_ms = 0, rtt_variation_ms = 0, rtt_min_ms = 0, pto_ms = 0;
  uint64_t received = 0, expected = 0;
  uint64_t peer_received = 0, peer_expected = 0;
  uint64_t capacity_bps = 0, peer_capacity_bps = 0;  // 0: not known
  double queue_out_ms = 0, queue_in_ms = 0;
  uint64_t arrived = 0;
};
PathSample sample(const dataplane::PathTelemetry& telemetry);

// Loss in one direction from counts that only grow, smoothed over about five seconds. A session's
// end sets both counts back; that interval is left out.
class LossMeter {
 public:
  // Once a second.
  void update(uint64_t received, uint64_t expected);
  // What was lost until now says nothing about the link.
  void leave_out(uint64_t received, uint64_t expected);
  double loss() const { return loss_; }

 private:
  uint64_t received_ = 0, expected_ = 0;
  uint32_t seconds_ = 0;  // since enough came
  double loss_ = 0;
};

// What an outage lost counts for availability only, or a path would be shunned long after it came
// back; and what a full queue dropped is the traffic's own doing, which a sender of any kind finds
// on any link.
class PathMeter {
 public:
  // Once a second.
  void update(const PathSample& sample);
  void write(const PathSample& now, PathState& state) const;
  // What it is said to lose is to be measured anew soon, also when nothing takes it.
  bool is_doubted() const;

 private:
  bool is_full(const PathSample& sample);
  Condition condition_of(const PathSample& sample) const;

  LossMeter up_, down_;
  uint64_t arrived_ = 0, delivered_bps_ = 0;
  bool was_alive_ = false;
  uint32_t alive_for_ = 0;  // updates
  Condition condition_ = Condition::dead;
  double least_rtt_ms_ = 0;  // over about ten minutes
  double availability_ = 1;  // over about a minute
};

}  // namespace anabranch::control
