// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/beat.h"

#include <cstring>

namespace anabranch::dataplane {
namespace {
constexpr uint64_t kRttWindowNs = 5'000'000'000;
constexpr uint64_t kDelayWindowNs = 500'000'000;
}  // namespace

void store_beat(uint8_t* p, const Beat& beat) {
  store_be64(p, beat.sent_ns);
  store_be64(p + 8, beat.echo_ns);
  store_be64(p + 16, beat.echo_hold_ns);
  store_be64(p + 24, beat.received);
  store_be64(p + 32, beat.expected);
  store_be32(p + 40, beat.interval_us);
  store_be32(p + 44, beat.hears ? 1u << 24 : 0);
  store_be64(p + 48, beat.capacity_bps);
}

Beat load_beat(const uint8_t* p) {
  return Beat{load_be64(p),      load_be64(p + 8),  load_be64(p + 16), load_be64(p + 24),
              load_be64(p + 32), load_be32(p + 40), (p[44] & 1) != 0,  load_be64(p + 48)};
}

void PathMeasure::beat_received(const Beat& beat, uint64_t now_ns) {
  echo_ns_ = beat.sent_ns;
  echo_at_ns_ = now_ns;
  peer_hears_ = beat.hears;
  peer_received_ = beat.received;
  peer_expected_ = beat.expected;
  peer_capacity_bps_ = beat.capacity_bps;
  // A peer that names no sensible interval must not keep a dead path alive.
  const uint64_t interval_ns = uint64_t{beat.interval_us} * 1000;
  peer_interval_ns_ = interval_ns == 0 || interval_ns > kBeatIdleNs ? kBeatIdleNs : interval_ns;
  const auto delay = static_cast<int64_t>(now_ns - beat.sent_ns);
  delay_min_.add(delay, now_ns, kDelayWindowNs);
  delay_max_.add(delay, now_ns, kDelayWindowNs);
  delay_in_ns_ = least_in_.any() ? delay_in_ns_ + (delay - delay_in_ns_) / 8 : delay;
  least_in_.add(delay, now_ns, kRttWindowNs);

  if (beat.echo_ns == 0) return;
  confirmed_ns_ = std::max(confirmed_ns_, std::min(beat.echo_ns, now_ns));
  delay_out(beat.echo_ns, beat.sent_ns - beat.echo_hold_ns, now_ns);
  round_trip(beat.echo_ns, beat.echo_hold_ns, now_ns);
}

void PathMeasure::delay_out(uint64_t sent_ns, uint64_t received_ns, uint64_t now_ns) {
  const auto delay = static_cast<int64_t>(received_ns - sent_ns);
  delay_out_ns_ = delay_out_known_ ? delay_out_ns_ + (delay - delay_out_ns_) / 8 : delay;
  delay_out_known_ = true;
  least_out_.add(delay, now_ns, kRttWindowNs);
}

void PathMeasure::round_trip(uint64_t sent_ns, uint64_t held_ns, uint64_t now_ns) {
  const uint64_t round_ns = now_ns - sent_ns;
  if (round_ns < held_ns || round_ns - held_ns > 60'000'000'000) return;
  const uint64_t rtt = round_ns - held_ns;
  rtt_latest_ns_ = rtt;
  rtt_min_.add(rtt, now_ns, kRttWindowNs);
  if (rtt_ns_ == 0) {
    rtt_ns_ = rtt;
    rtt_variation_ns_ = rtt / 2;
    return;
  }
  const uint64_t off = rtt > rtt_ns_ ? rtt - rtt_ns_ : rtt_ns_ - rtt;
  rtt_variation_ns_ = (3 * rtt_variation_ns_ + off) / 4;
  rtt_ns_ = (7 * rtt_ns_ + rtt) / 8;
}

Beat PathMeasure::make_beat(uint64_t now_ns, uint64_t interval_ns) {
  next_beat_ns_ = now_ns + interval_ns;
  return Beat{.sent_ns = now_ns,
              .echo_ns = echo_ns_,
              .echo_hold_ns = echo_ns_ == 0 ? 0 : now_ns - echo_at_ns_,
              .received = received_,
              .expected = expected_,
              .interval_us = static_cast<uint32_t>(interval_ns / 1000),
              .hears = hears(now_ns)};
}

void PathMeasure::hurry(uint64_t now_ns, uint64_t interval_ns) {
  if (static_cast<int64_t>(next_beat_ns_ - now_ns) > static_cast<int64_t>(interval_ns)) {
    next_beat_ns_ = now_ns;
  }
}

void PathMeasure::write(PathTelemetry& telemetry, bool alive) const {
  telemetry.alive.set(alive ? 1 : 0);
  telemetry.suspected.set(suspected() ? 1 : 0);
  telemetry.rtt_ns.set(rtt_ns_);
  telemetry.pto_ns.set(pto_ns());
  telemetry.rtt_variation_ns.set(rtt_variation_ns_);
  telemetry.rtt_min_ns.set(rtt_min_.any() ? rtt_min_.get() : 0);
  telemetry.received.set(received_);
  telemetry.expected.set(expected_);
  telemetry.peer_received.set(peer_received_);
  telemetry.peer_expected.set(peer_expected_);
  telemetry.peer_capacity_bps.set(peer_capacity_bps_);
  const auto above = [](int64_t delay, const Windowed<int64_t, Less>& least) {
    return least.any() ? static_cast<uint64_t>(std::max<int64_t>(0, delay - least.get())) : 0;
  };
  telemetry.queue_out_ns.set(above(delay_out_ns_, least_out_));
  telemetry.queue_in_ns.set(above(delay_in_ns_, least_in_));
}

}  // namespace anabranch::dataplane
