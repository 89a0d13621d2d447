// SPDX-License-Identifier: BSD-3-Clause
// Which keys the data plane has. A change loses nothing, whatever becomes of the session meanwhile:
// a new phase is opened before the peer may seal with it, and an old one is opened until the peer
// was seen to have left it, and then for 3 RTT + 5 s more. Control thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "control/phase_keys.h"
#include "dataplane/plan_table.h"

namespace anabranch::control {

class Keyring {
 public:
  using Clock = std::chrono::steady_clock;
  // How many segments of a phase (modulo kPhasesMax) workers have opened so far.
  using Opened = std::function<uint64_t(size_t phase)>;
  Keyring(dataplane::PlanTable& plans, Opened opened) : plans_(plans), opened_(std::move(opened)) {}

  // The peer's segments of this phase are opened from now on. Keys of another instance go.
  void receive_with(uint64_t peer_instance, const PhaseKeys& keys);
  // The peer opens the newest phase: our segments are sealed with it from now on.
  void send_with_newest();
  // Now and then: retires phases the peer has left.
  void tick(Clock::time_point now, std::chrono::nanoseconds rtt_max);
  // How many phases are opened now.
  size_t phases() const { return phases_.size(); }

 private:
  struct Phase {
    uint8_t number = 0;
    uint64_t opened_before = 0;  // what was counted when it came in force
    Clock::time_point until = Clock::time_point::max();
  };
  void publish();

  dataplane::PlanTable& plans_;
  Opened opened_;
  dataplane::KeyTable table_;
  PhaseKeys newest_;
  std::vector<Phase> phases_;  // by age; the newest last
};

}  // namespace anabranch::control
