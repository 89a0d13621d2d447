// SPDX-License-Identifier: BSD-3-Clause
// Beats: what two gateways tell each other on each path, so that both know it is alive and what it
// is worth. Layout after the outer header, 56 octets, big-endian:
//    0  time sent, ns of the sender's clock
//    8  time sent of the last beat the sender received; 0: none yet
//   16  how long ago that was, ns
//   24  segments and beats received on this path since the session began
//   32  how many the peer sent from the first of these to the last, by their packet numbers
//   40  interval until the next beat, µs
//   44  flags: bit 0: the sender hears us
//   45  zero
//   48  what the sender found the path to carry, bits a second; 0: not known, or configured
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "dataplane/address.h"
#include "dataplane/bounds.h"
#include "dataplane/counters.h"
#include "dataplane/windowed.h"
#include "dataplane/wire.h"

namespace anabranch::dataplane {

inline constexpr uint16_t kBeatLength = 56;
inline constexpr uint64_t kBeatInUseNs = 40'000'000;    // on a path a plan uses
inline constexpr uint64_t kBeatDoubtedNs = 50'000'000;  // on one that is to be measured anew
inline constexpr uint64_t kBeatIdleNs = 500'000'000;    // on any other
inline constexpr uint64_t kBeatsUntilDead = 3;
inline constexpr uint64_t kRttInitialNs = 333'000'000;  // RFC 9002 6.2.2
inline constexpr uint64_t kTimerNs = 2'000'000;         // how late a worker may look at a timer
inline constexpr uint64_t kAckDelayMaxNs = 5'000'000;
inline constexpr uint64_t kAckDelayMinNs = 1'000'000;

struct Beat {
  uint64_t sent_ns = 0;
  uint64_t echo_ns = 0;
  uint64_t echo_hold_ns = 0;
  uint64_t received = 0;
  uint64_t expected = 0;
  uint32_t interval_us = 0;
  bool hears = false;
  uint64_t capacity_bps = 0;
};
void store_beat(uint8_t* p, const Beat& beat);
Beat load_beat(const uint8_t* p);

// What control reads of a path; written by the worker.
struct PathTelemetry {
  Counter alive;
  Counter suspected;  // what is under way is overdue; others are used meanwhile
  Counter rtt_ns;     // smoothed, RFC 9002 5.3; 0: not measured
  Counter rtt_variation_ns;
  Counter rtt_min_ns;     // of the last ten seconds
  Counter pto_ns;         // RFC 9002 6.2.1
  Counter fits_octets;    // the largest outer packet that is believed to arrive
  Counter received;       // segments and beats accepted from the path in this session
  Counter expected;       // how many were sent meanwhile, by their packet numbers
  Counter peer_received;  // the same as the peer sees it
  Counter peer_expected;
  // What was found to be carried where the rate is not configured, bits a second; 0: not known.
  Counter capacity_bps, peer_capacity_bps;
  // By how much a packet takes longer than the fastest of the last seconds: what stands in queues,
  // each way.
  Counter queue_out_ns, queue_in_ns;
  Counter arrived;        // octets of the outer packets that the peer acknowledged
  Counter given;          // octets of the outer packets put on it, taken by the port or not
  SharedEndpoint remote;  // where its segments come from, proved; none: as configured
};

// What a worker remembers of a path. Times in ns.
class PathMeasure {
 public:
  // Something authentic arrived from a worker of the peer; `number` is its packet number.
  void heard(uint64_t now_ns, uint8_t worker, uint64_t number) {
    heard_ns_ = now_ns;
    ++received_;
    uint64_t& next = next_[worker];
    if (number < next) return;
    expected_ += next == 0 ? 1 : number + 1 - next;
    next = number + 1;
  }
  // … by another of our workers.
  void heard_elsewhere(uint64_t at_ns) { heard_ns_ = std::max(heard_ns_, at_ns); }
  uint64_t heard_at_ns() const { return heard_ns_; }
  uint64_t received() const { return received_; }
  // Packets sent from the first we received of each worker of the peer to the last; early ones that
  // came late are not known.
  uint64_t expected() const { return expected_; }
  void beat_received(const Beat& beat, uint64_t now_ns);
  // A packet sent at `sent_ns` of our clock arrived at `received_ns` of the peer's.
  void delay_out(uint64_t sent_ns, uint64_t received_ns, uint64_t now_ns);
  // An acknowledgement arrived that the peer held for `held_ns`.
  void round_trip(uint64_t sent_ns, uint64_t held_ns, uint64_t now_ns);
  // What is under way is overdue; until the peer echoes a beat sent after this, others are used.
  void suspect(uint64_t now_ns) { suspected_ns_ = now_ns; }
  bool suspected() const { return suspected_ns_ > confirmed_ns_; }
  // The beat to send now; the next is due after `interval_ns`.
  Beat make_beat(uint64_t now_ns, uint64_t interval_ns);
  bool beat_due(uint64_t now_ns) const { return static_cast<int64_t>(now_ns - next_beat_ns_) >= 0; }
  // A path that becomes used must not wait out its idle interval.
  void hurry(uint64_t now_ns, uint64_t interval_ns);

  // Heard within three of the peer's intervals and a half, and the peer hears us.
  bool alive(uint64_t now_ns) const { return peer_hears_ && hears(now_ns); }
  // A plan of the peer uses this path, as the interval of its beats says.
  bool peer_uses() const { return peer_interval_ns_ <= kBeatInUseNs; }
  // One-way delay less an unknown constant that is the same for all paths to this peer.
  bool delay_known() const { return delay_max_.any(); }
  int64_t delay_min_ns() const { return delay_min_.get(); }
  int64_t delay_max_ns() const { return delay_max_.get(); }
  // The same for what we send, smoothed; and by another constant.
  bool delay_out_known() const { return delay_out_known_; }
  int64_t delay_out_ns() const { return delay_out_ns_; }

  uint64_t rtt_ns() const { return rtt_ns_ == 0 ? kRttInitialNs : rtt_ns_; }
  // RFC 9002 6.1.2 and 6.2.1. What is overdue is sent again though it may be under way: half a
  // round trip more, and two acknowledgements that went by slower paths, are waited for.
  uint64_t loss_patience_ns() const {
    return std::max(rtt_ns(), rtt_latest_ns_) * 9 / 8 + kTimerNs;
  }
  uint64_t pto_ns() const {
    return rtt_ns() * 3 / 2 + std::max(4 * rtt_variation_ns_, kTimerNs) + 2 * kAckDelayMaxNs;
  }

  void write(PathTelemetry& telemetry, bool alive) const;

 private:
  bool hears(uint64_t now_ns) const {
    return heard_ns_ != 0 &&
           now_ns - heard_ns_ <= peer_interval_ns_ * kBeatsUntilDead + peer_interval_ns_ / 2;
  }

  uint64_t next_beat_ns_ = 0;
  uint64_t heard_ns_ = 0;
  uint64_t peer_interval_ns_ = kBeatIdleNs;
  bool peer_hears_ = false;
  uint64_t echo_ns_ = 0, echo_at_ns_ = 0;
  uint64_t received_ = 0, expected_ = 0;
  std::array<uint64_t, kWorkersMax> next_{};  // one more than the highest number; 0: none came
  uint64_t peer_received_ = 0, peer_expected_ = 0, peer_capacity_bps_ = 0;
  uint64_t rtt_ns_ = 0, rtt_variation_ns_ = 0, rtt_latest_ns_ = 0;
  uint64_t suspected_ns_ = 0, confirmed_ns_ = 0;
  bool delay_out_known_ = false;
  int64_t delay_out_ns_ = 0;
  Windowed<uint64_t, Less> rtt_min_;
  int64_t delay_in_ns_ = 0;  // smoothed
  Windowed<int64_t, Less> delay_min_;
  Windowed<int64_t, Greater> delay_max_;
  Windowed<int64_t, Less> least_in_, least_out_;
};

}  // namespace anabranch::dataplane
