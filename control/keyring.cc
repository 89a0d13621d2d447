// SPDX-License-Identifier: BSD-3-Clause
#include "control/keyring.h"

#include <algorithm>

namespace anabranch::control {

using dataplane::kPhasesMax;

void Keyring::receive_with(uint64_t peer_instance, const PhaseKeys& keys) {
  if (table_.peer_instance != peer_instance) {
    table_ = {.peer_instance = peer_instance};
    phases_.clear();
  }
  std::erase_if(phases_, [&](const Phase& p) { return (p.number - keys.phase) % kPhasesMax == 0; });
  phases_.push_back({keys.phase, opened_(keys.phase % kPhasesMax)});
  newest_ = keys;
  table_.receive[keys.phase % kPhasesMax] = {keys.phase, keys.receive};
  publish();
}

void Keyring::send_with_newest() {
  table_.send = newest_.send;
  table_.send_phase = newest_.phase;
  publish();
}

void Keyring::tick(Clock::time_point now, std::chrono::nanoseconds rtt_max) {
  if (phases_.empty()) return;
  const Phase& newest = phases_.back();
  const bool in_use = opened_(newest.number % kPhasesMax) != newest.opened_before;
  bool changed = false;
  for (Phase& phase : phases_) {
    if (&phase != &newest && in_use)
      phase.until = std::min(phase.until, now + 3 * rtt_max + std::chrono::seconds(5));
    if (phase.until > now) continue;
    table_.receive[phase.number % kPhasesMax] = {};
    changed = true;
  }
  if (!changed) return;
  std::erase_if(phases_, [&](const Phase& p) { return p.until <= now; });
  publish();
}

void Keyring::publish() {
  plans_.publish(std::make_unique<const dataplane::KeyTable>(table_));
}

}  // namespace anabranch::control
