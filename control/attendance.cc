// SPDX-License-Identifier: BSD-3-Clause
#include "control/attendance.h"

#include <spdlog/spdlog.h>

#include <chrono>
#include <thread>
#include <utility>

namespace anabranch::control {

Attendance::Attendance(Usage& usage, Witness& witness, const dataplane::Workers& workers,
                       std::vector<uint8_t> shared_uplinks)
    : usage_(usage), witness_(witness), workers_(workers), uplinks_(std::move(shared_uplinks)) {
  keep_awake(true);
}

// A worker that listens takes milliseconds for a poll, and nothing must come for three of them.
void Attendance::keep_awake(bool awake) {
  for (const auto& worker : workers_.each()) worker->stay_awake(awake);
}

std::vector<UplinkCount> to_counts(const std::vector<WitnessCount>& witness) {
  std::vector<UplinkCount> counts;
  for (const WitnessCount& w : witness) {
    counts.push_back({{w.sent_octets, w.received_octets}, {w.sent_packets, w.received_packets}});
  }
  return counts;
}

// A packet that the kernel had counted before is taken after two more polls of whoever attends the
// port, and in the meters after two more of the worker it is for.
bool Attendance::wait_for_polls() {
  const auto patience = std::chrono::steady_clock::now() + std::chrono::milliseconds(20);
  const int rounds = workers_.each().size() > 1 ? 2 : 1;
  for (int round = 0; round < rounds; ++round) {
    std::vector<uint64_t> wanted;
    for (const auto& worker : workers_.each()) wanted.push_back(worker->counters().polls.get() + 3);
    for (size_t w = 0; w < wanted.size(); ++w) {
      while (workers_.each()[w]->counters().polls.get() < wanted[w]) {
        if (std::chrono::steady_clock::now() > patience) return false;
        std::this_thread::sleep_for(std::chrono::microseconds(50));
      }
    }
  }
  return true;
}

void Attendance::check() {
  const auto before = witness_.read();
  if (!before) return spdlog::error("{}", before.error());
  std::vector<UplinkCount> own_before;
  for (uint8_t u : uplinks_) own_before.push_back(usage_.uplink(u));
  keep_awake(true);
  const bool polled = wait_for_polls();
  keep_awake(pending_);
  if (!polled) return;
  const auto after = witness_.read();
  if (!after) return;
  const auto counts_before = to_counts(*before), counts_after = to_counts(*after);
  if (counts_before != counts_after) return;
  for (size_t i = 0; i < uplinks_.size(); ++i) {
    if (usage_.uplink(uplinks_[i]) != own_before[i]) return;
  }
  std::vector<Usage::Residue> residues;
  for (size_t i = 0; i < uplinks_.size(); ++i)
    residues.push_back(usage_.residue(uplinks_[i], counts_after[i]));
  // Twice the same: an interrupt that was held up between DPDK's copy and the kernel's counter
  // looks like a difference once.
  if (std::exchange(seen_, residues) != residues) return;
  settle(residues);
}

void Attendance::settle(const std::vector<Usage::Residue>& residues) {
  alarms_ = 0;
  for (size_t i = 0; i < uplinks_.size(); ++i) {
    const Usage::Residue& residue = residues[i];
    if (residue.zero()) continue;
    if (pending_ && !residue.negative()) {
      usage_.book_unattended(uplinks_[i], residue);
      spdlog::warn(
          "uplink {}: {} octets sent and {} received while no process attended are booked to the "
          "house",
          uplinks_[i], residue.octets[0], residue.octets[1]);
      continue;
    }
    ++alarms_;
    spdlog::error(
        "uplink {}: meters differ from the kernel's count by {} octets sent, {} received (kernel "
        "less meter)",
        uplinks_[i], residue.octets[0], residue.octets[1]);
  }
  pending_ = false;
  keep_awake(false);
}

}  // namespace anabranch::control
