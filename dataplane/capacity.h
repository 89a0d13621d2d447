// SPDX-License-Identifier: BSD-3-Clause
// What a path's link carries, found out by what we send on it (`rate = "auto"`).
//
// The pace is held for a round: until what was sent at it has arrived for long enough to count. A
// queue that stands at the round's end shows that the link was busy all the while, so what arrived
// in the round is what it carries; so does loss that came with a higher pace, where a policer keeps
// no queue; and two rounds of which a tenth was lost, where bursts overflow a link at a pace that
// is never used up. Until any was met the pace stays at twice of what arrives. Then the capacity is
// known and held a little below; every second a little more is tried, and as long as that is used
// up and arrives, twice as much more. (Delivered rate by time of arrival as in BBR,
// draft-cardwell-iccrg-bbr; delay as the brake as in Vegas, but a delay that does not fall when we
// slow down is not ours.)
//
// Pure; times in ns, rates in bits a second with what the link adds to each packet. One thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include "dataplane/pace.h"
#include "dataplane/windowed.h"

namespace anabranch::dataplane {

class Capacity {
 public:
  static constexpr double kFirstPace = 3e6;

  // What we give the link.
  uint64_t pace() const { return pace_of_octet_; }  // as pace_of() has it
  // What it was found to carry; 0: it was never full.
  uint64_t found() const { return found_ ? static_cast<uint64_t>(capacity_) : 0; }

  // What is estimated elsewhere is followed here: then only the counts are kept, for who does it.
  void follow(uint64_t pace_of_octet, uint64_t found_bps) {
    pace_of_octet_ = pace_of_octet;
    capacity_ = static_cast<double>(found_bps);
    found_ = found_bps != 0;
  }
  struct Counts {
    uint64_t sent = 0, arrived = 0, lost = 0;
  };
  Counts take_counts() {
    return {std::exchange(sent_octets_, 0), std::exchange(arrived_octets_, 0),
            std::exchange(lost_octets_, 0)};
  }
  void add(const Counts& counts) {
    sent_octets_ += counts.sent;
    arrived_octets_ += counts.arrived;
    lost_octets_ += counts.lost;
  }

  void sent(uint32_t octets) { sent_octets_ += octets; }
  void arrived(uint32_t octets) { arrived_octets_ += octets; }
  void lost(uint32_t octets) { lost_octets_ += octets; }

  // An acknowledgement was worked in.
  struct Report {
    uint64_t sent_ns = 0;      // when the newest that arrived was sent, by our clock
    uint64_t received_ns = 0;  // … and arrived, by the peer's
    uint64_t rtt_ns = 0;
    uint64_t now_ns = 0;
  };
  void reported(const Report& report);

 private:
  enum class Mode : uint8_t { probe, cruise, drain };
  struct Round {
    uint64_t from_ns = 0;  // what is sent from here on is sent at this pace
    bool counts = false;   // one of those has arrived, at `since_ns` of the peer's clock
    uint64_t since_ns = 0;
    // Its second half.
    uint64_t late_ns = 0;  // begins, by the peer's clock; 0: not yet
    uint64_t octets_before = 0;
    int64_t least_late = INT64_MAX;
  };
  // What a round showed.
  struct Finding {
    double sent = 0, arrived = 0;  // bits a second
    double arrived_late = 0;       // … in the second half
    double queue_ns = 0;
    double expected_ns = 0;  // how long the next will take
    bool used_up = false;    // we sent all that the pace allowed
    double lost_share = 0;
  };

  bool has_queue(const Finding& f) const { return f.queue_ns > kQueueNs + 2 * packet_ns(); }
  double packet_ns() const { return kPacketBits / pace_ * 1e9; }
  uint64_t round_ns(uint64_t rtt_ns) const;
  bool loses(const Finding& f);
  void decide(const Finding& f, uint64_t now_ns);
  double full_at(const Finding& f);
  void hold(double carried, const Finding& f);
  void begin_round(const Report& report);

  static constexpr double kPacketBits = 1538 * 8;
  // Less than this is not a queue: polls, neighbours on the link; and two packets' time.
  static constexpr double kQueueNs = 3e6;

  double pace_ = kFirstPace;
  uint64_t pace_of_octet_ = pace_of(static_cast<uint64_t>(kFirstPace));
  double capacity_ = 0;
  double gain_ = 1;
  double passes_ = 1;  // the part of what we send that arrives when the link is not full
  bool found_ = false;
  bool lost_before_ = false;
  uint64_t lost_octets_ = 0;       // in this round
  uint32_t overflows_ = 0;         // rounds in a row of which much was lost
  double arrived_with_queue_ = 0;  // in the round before; 0: it had none
  Mode mode_ = Mode::probe;
  Round round_;
  uint64_t sent_octets_ = 0, arrived_octets_ = 0;  // in this round
  uint64_t probe_at_ns_ = 0;
  Windowed<int64_t, Less> least_delay_;
};

}  // namespace anabranch::dataplane
