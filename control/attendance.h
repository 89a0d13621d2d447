// SPDX-License-Identifier: BSD-3-Clause
// Compares the meters with the kernel's own counters on shared ports.
//
// Packets of the moments without a process, before it started or after it was killed, were counted
// by the kernel only. They are found at the first quiet moment and booked to the house as
// `unattended`, once. Any other difference is a fault, and only told: a wrong meter is never made
// to look right.
#pragma once

#include <functional>
#include <vector>

#include "control/kernel/witness.h"
#include "control/usage.h"
#include "dataplane/workers.h"

namespace anabranch::control {

class Attendance {
 public:
  Attendance(Usage& usage, Witness& witness, const dataplane::Workers& workers,
             std::vector<uint8_t> shared_uplinks);

  // Every 200 ms while pending(), now and then afterwards. Takes a few milliseconds; does nothing
  // when traffic does not pause just then.
  void check();
  bool pending() const { return pending_; }
  // Uplinks whose meters differ from the kernel's count now.
  uint32_t alarms() const { return alarms_; }

 private:
  void keep_awake(bool awake);
  bool wait_for_polls();
  void settle(const std::vector<Usage::Residue>& residues);

  Usage& usage_;
  Witness& witness_;
  const dataplane::Workers& workers_;
  std::vector<uint8_t> uplinks_;
  std::vector<Usage::Residue> seen_;  // at the last quiet moment
  bool pending_ = true;               // until the first quiet moment of this process
  uint32_t alarms_ = 0;
};

std::vector<UplinkCount> to_counts(const std::vector<WitnessCount>& witness);

}  // namespace anabranch::control
