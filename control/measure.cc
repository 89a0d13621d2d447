// SPDX-License-Identifier: BSD-3-Clause
#include "control/measure.h"

namespace anabranch::control {

PathSample sample(const dataplane::PathTelemetry& t) {
  const auto ms = [](const dataplane::Counter& ns) { return static_cast<double>(ns.get()) / 1e6; };
  return {.alive = t.alive.get() != 0,
          .rtt_ms = ms(t.rtt_ns),
          .rtt_variation_ms = ms(t.rtt_variation_ns),
          .rtt_min_ms = ms(t.rtt_min_ns),
          .received = t.received.get(),
          .expected = t.expected.get(),
          .peer_received = t.peer_received.get(),
          .peer_expected = t.peer_expected.get()};
}

void LossMeter::update(uint64_t received, uint64_t expected) {
  constexpr double kShare = 0.2;
  constexpr uint64_t kPacketsMin = 20;  // fewer say nothing; they are taken together with the next
  if (received < received_ || expected < expected_) {
    received_ = received;
    expected_ = expected;
    return;
  }
  const uint64_t sent = expected - expected_;
  if (sent < kPacketsMin) return;
  const uint64_t came = received - received_;
  const double lost = came >= sent ? 0 : 1 - static_cast<double>(came) / static_cast<double>(sent);
  loss_ += kShare * (lost - loss_);
  received_ = received;
  expected_ = expected;
}

void PathMeter::update(const PathSample& sample) {
  constexpr double kShare = 1.0 / 60;
  down_.update(sample.received, sample.expected);
  up_.update(sample.peer_received, sample.peer_expected);
  availability_ += kShare * ((sample.alive ? 1.0 : 0.0) - availability_);
}

void PathMeter::write(const PathSample& now, PathState& state) const {
  state.alive = now.alive;
  state.rtt_ms = now.rtt_ms;
  state.rtt_min_ms = now.rtt_min_ms;
  state.rtt_variation_ms = now.rtt_variation_ms;
  state.loss_up = up_.loss();
  state.loss_down = down_.loss();
  state.availability = availability_;
}

}  // namespace anabranch::control
