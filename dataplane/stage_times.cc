// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/stage_times.h"

#include <rte_cycles.h>

#include <algorithm>
#include <utility>

namespace anabranch::dataplane {

StageTimes::StageTimes() {
  constexpr int kReadings = 1000;
  clock_cost_ = UINT64_MAX;
  for (int i = 0; i < kReadings; ++i) {
    const uint64_t start = rte_rdtsc();
    clock_cost_ = std::min(clock_cost_, rte_rdtsc() - start);
  }
}

void StageTimes::start() {
  timing_ = true;
  until_timed_ = kEvery;
  stage_ = Stage::upkeep;
  current_poll_ = {};
  since_ = rte_rdtsc();
}

void StageTimes::lap() {
  const uint64_t now = rte_rdtsc();
  const uint64_t taken = now - since_;
  current_poll_[static_cast<size_t>(stage_)].cycles += taken - std::min(taken, clock_cost_);
  since_ = now;
}

void StageTimes::turn_to(Stage stage) {
  lap();
  stage_ = stage;
}

Stage StageTimes::enter(Stage stage, uint32_t packets) {
  lap();
  current_poll_[static_cast<size_t>(stage)].packets += packets;
  return std::exchange(stage_, stage);
}

void StageTimes::finish() {
  lap();
  timing_ = false;
  timed_.add(1);
  Share all;
  for (const Share& share : current_poll_) {
    all.cycles += share.cycles;
    all.packets += share.packets;
  }
  if (all.packets == 0) {
    sums_[static_cast<size_t>(Stage::idle)].cycles.add(all.cycles);
    sums_[static_cast<size_t>(Stage::idle)].packets.add(1);
    return;
  }
  // What lies between the stages is paid for by all that were taken from ports.
  auto& upkeep = current_poll_[static_cast<size_t>(Stage::upkeep)];
  upkeep.packets = current_poll_[static_cast<size_t>(Stage::rx)].packets;
  for (size_t s = 0; s < kStages; ++s) {
    sums_[s].cycles.add(current_poll_[s].cycles);
    sums_[s].packets.add(current_poll_[s].packets);
  }
}

}  // namespace anabranch::dataplane
