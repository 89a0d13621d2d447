// SPDX-License-Identifier: BSD-3-Clause
#include "control/measure.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace anabranch::control {

PathSample sample(const dataplane::PathTelemetry& t) {
  const auto ms = [](const dataplane::Counter& ns) { return static_cast<double>(ns.get()) / 1e6; };
  return {.alive = t.alive.get() != 0,
          .suspected = t.suspected.get() != 0,
          .rtt_ms = ms(t.rtt_ns),
          .rtt_variation_ms = ms(t.rtt_variation_ns),
          .rtt_min_ms = ms(t.rtt_min_ns),
          .pto_ms = ms(t.pto_ns),
          .received = t.received.get(),
          .expected = t.expected.get(),
          .peer_received = t.peer_received.get(),
          .peer_expected = t.peer_expected.get(),
          .capacity_bps = t.capacity_bps.get(),
          .peer_capacity_bps = t.peer_capacity_bps.get(),
          .queue_out_ms = ms(t.queue_out_ns),
          .queue_in_ms = ms(t.queue_in_ns),
          .arrived = t.arrived.get()};
}

void LossMeter::update(uint64_t received, uint64_t expected) {
  constexpr double kShare = 0.2;
  constexpr uint64_t kPacketsMin = 20;  // fewer say nothing; they are taken together with the next
  if (received < received_ || expected < expected_) return leave_out(received, expected);
  const uint64_t sent = expected - expected_;
  ++seconds_;
  if (sent < kPacketsMin) return;
  const uint64_t came = received - received_;
  const double lost = came >= sent ? 0 : 1 - static_cast<double>(came) / static_cast<double>(sent);
  loss_ += (1 - std::pow(1 - kShare, seconds_)) * (lost - loss_);
  leave_out(received, expected);
}

void LossMeter::leave_out(uint64_t received, uint64_t expected) {
  received_ = received;
  expected_ = expected;
  seconds_ = 0;
}

bool PathMeter::is_doubted() const {
  constexpr double kLossless = 0.001;
  return was_alive_ && (up_.loss() > kLossless || down_.loss() > kLossless);
}

// A queue that stands longer than noise explains: somebody fills the path.
bool PathMeter::is_full(const PathSample& sample) {
  constexpr double kForget = 1.0 / 600;
  constexpr double kNoiseMs = 10, kNoiseShare = 0.25;
  if (sample.rtt_min_ms <= 0) return false;
  if (least_rtt_ms_ <= 0 || sample.rtt_min_ms < least_rtt_ms_) least_rtt_ms_ = sample.rtt_min_ms;
  least_rtt_ms_ += kForget * (sample.rtt_min_ms - least_rtt_ms_);
  return sample.rtt_ms > least_rtt_ms_ + std::max(kNoiseMs, kNoiseShare * least_rtt_ms_);
}

void PathMeter::update(const PathSample& sample) {
  constexpr double kShare = 1.0 / 60;
  const bool was_alive = std::exchange(was_alive_, sample.alive);
  if (is_full(sample) || !was_alive || !sample.alive) {
    down_.leave_out(sample.received, sample.expected);
    up_.leave_out(sample.peer_received, sample.peer_expected);
  } else {
    down_.update(sample.received, sample.expected);
    up_.update(sample.peer_received, sample.peer_expected);
  }
  availability_ += kShare * ((sample.alive ? 1.0 : 0.0) - availability_);
  delivered_bps_ = 8 * (sample.arrived - std::exchange(arrived_, sample.arrived));
  alive_for_ = sample.alive ? alive_for_ + 1 : 0;
  condition_ = condition_of(sample);
}

Condition PathMeter::condition_of(const PathSample& sample) const {
  constexpr uint32_t kProbed = 3;
  constexpr double kLossy = 0.03, kLossyNoMore = 0.01;
  constexpr double kSlow = 2, kSlowNoMore = 1.5, kSlowMs = 20;
  if (!sample.alive) return Condition::dead;
  if (sample.suspected) return Condition::suspected;
  if (alive_for_ <= kProbed) return Condition::probing;
  const double loss = std::max(up_.loss(), down_.loss());
  if (loss > (condition_ == Condition::lossy ? kLossyNoMore : kLossy)) return Condition::lossy;
  const double times = condition_ == Condition::slow ? kSlowNoMore : kSlow;
  const bool slow = least_rtt_ms_ > 0 && sample.rtt_ms > times * least_rtt_ms_ &&
                    sample.rtt_ms > least_rtt_ms_ + kSlowMs;
  return slow ? Condition::slow : Condition::up;
}

void PathMeter::write(const PathSample& now, PathState& state) const {
  state.alive = now.alive;
  state.condition = condition_;
  state.rtt_ms = now.rtt_ms;
  state.rtt_min_ms = now.rtt_min_ms;
  state.rtt_variation_ms = now.rtt_variation_ms;
  state.pto_ms = now.pto_ms;
  state.loss_up = up_.loss();
  state.loss_down = down_.loss();
  state.availability = availability_;
  state.delivered_bps = delivered_bps_;
  state.queue_up_ms = now.queue_out_ms;
  state.queue_down_ms = now.queue_in_ms;
}

}  // namespace anabranch::control
