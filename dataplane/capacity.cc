// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/capacity.h"

#include <utility>

namespace anabranch::dataplane {
namespace {

constexpr double kLeastPace = 100e3;
constexpr double kMostPace = 100e9;
constexpr double kHeld = 0.985;    // of the capacity, while nothing is tried
constexpr double kOverflow = 0.1;  // of a round is lost: more than a bad link loses twice in a row
constexpr double kLeastGain = 1.0 / 16;
constexpr uint64_t kProbeEveryNs = 1'000'000'000;
constexpr uint64_t kLeastDelayWindowNs = 10'000'000'000;
constexpr uint64_t kShortRoundNs = 25'000'000;  // while the pace grows fast
constexpr uint64_t kRoundNs = 100'000'000;
constexpr double kPacketsInRound = 40, kPacketsInShortRound = 10;

}  // namespace

uint64_t Capacity::round_ns(uint64_t rtt_ns) const {
  const bool short_one = !found_ || gain_ >= 1;
  const double packets = short_one ? kPacketsInShortRound : kPacketsInRound;
  return std::max({short_one ? kShortRoundNs : kRoundNs, rtt_ns / 2,
                   static_cast<uint64_t>(packets * packet_ns())});
}

// Whether much more was lost than this path loses anyway; a burst may be, two rounds are not.
bool Capacity::loses(const Finding& f) {
  if (!f.used_up) return lost_before_ = false;
  const double passes = f.arrived / pace_;
  const double tolerated = mode_ == Mode::probe ? gain_ / (1 + gain_) / 2 : 0.1;
  if (passes > passes_ - tolerated) {
    if (mode_ == Mode::cruise) passes_ += (std::min(passes, 1.0) - passes_) / 8;
    return lost_before_ = false;
  }
  return mode_ == Mode::probe || std::exchange(lost_before_, true);
}

// What the link carried if it was busy with what we sent: it has a queue, or drops. 0: it was not.
double Capacity::full_at(const Finding& f) {
  // What comes in bursts at a pace that was never used up may overflow a link all the same; it
  // carries the most that ever arrived in a round.
  overflows_ = f.lost_share > kOverflow ? overflows_ + 1 : 0;
  if (!found_ && overflows_ > 1) return std::max(f.arrived, capacity_);
  const double before = std::exchange(arrived_with_queue_, has_queue(f) ? f.arrived_late : 0);
  if (!has_queue(f)) return loses(f) ? f.arrived : 0;
  // Who is not held back sends no two rounds alike; a link that was busy while its queue stood, in
  // the second half, does.
  if (!f.used_up) {
    const bool alike = f.arrived_late > 0.97 * before && f.arrived_late < 1.03 * before;
    return alike ? f.arrived_late : 0;
  }
  if (f.arrived < 0.98 * pace_ * passes_) return f.arrived;
  // All came that we sent; but the queue may be growing slowly.
  if (mode_ != Mode::drain) return f.queue_ns > 4 * kQueueNs ? f.arrived : 0;
  // A busy link carries more than we send while its queue gets shorter; if this one does not, it is
  // the path that has become longer.
  if (f.arrived >= 1.03 * pace_) return f.arrived;
  least_delay_ = {};
  return 0;
}

void Capacity::hold(double carried, const Finding& f) {
  // Two rounds of a busy link differ by little more than their ends.
  const bool confirms = found_ && carried > 0.95 * capacity_ && carried < 1.05 * capacity_;
  capacity_ = confirms ? (capacity_ + carried) / 2 : carried;
  found_ = true;
  gain_ = kLeastGain;
  mode_ = Mode::drain;
  pace_ = capacity_ * std::clamp(1 - f.queue_ns / f.expected_ns, 0.5, 0.95);
}

void Capacity::decide(const Finding& f, uint64_t now_ns) {
  if (const double carried = full_at(f); carried > 0) {
    hold(carried, f);
  } else if (mode_ == Mode::drain) {
    mode_ = Mode::cruise;
    probe_at_ns_ = now_ns + kProbeEveryNs;
    pace_ = kHeld * capacity_;
  } else if (!found_) {
    // A host's TCP that speeds up from nothing must not be held back, or it stops doing so.
    capacity_ = std::max(capacity_, f.arrived);
    pace_ = std::max(pace_, capacity_ * (1 + gain_));
  } else if (f.used_up && mode_ == Mode::probe) {
    capacity_ = std::max(capacity_, f.arrived);
    gain_ = std::min(2 * gain_, 1.0);
    pace_ = capacity_ * (1 + gain_);
  } else if (f.used_up && now_ns >= probe_at_ns_) {
    mode_ = Mode::probe;
    pace_ = capacity_ * (1 + gain_);
  }
  pace_ = std::clamp(pace_, kLeastPace, kMostPace);
  pace_of_octet_ = pace_of(static_cast<uint64_t>(pace_));
}

void Capacity::begin_round(const Report& report) {
  round_ = {.from_ns = report.now_ns};
  sent_octets_ = 0;
}

void Capacity::reported(const Report& report) {
  const auto delay = static_cast<int64_t>(report.received_ns - report.sent_ns);
  least_delay_.add(delay, report.now_ns, kLeastDelayWindowNs);
  if (round_.from_ns == 0) return begin_round(report);
  if (report.sent_ns < round_.from_ns) return;
  if (!round_.counts) {
    round_.counts = true;
    round_.since_ns = report.received_ns;
    arrived_octets_ = lost_octets_ = 0;
    return;
  }
  const uint64_t enough_ns = round_ns(report.rtt_ns);
  const uint64_t counted_ns = report.received_ns - round_.since_ns;
  if (counted_ns >= enough_ns / 2) {
    round_.least_late = std::min(round_.least_late, delay);
    if (round_.late_ns == 0) {
      round_.late_ns = report.received_ns;
      round_.octets_before = arrived_octets_;
    }
  }
  if (counted_ns < enough_ns || static_cast<int64_t>(counted_ns) < 0) return;
  const double sent =
      static_cast<double>(sent_octets_) * 8e9 / static_cast<double>(report.now_ns - round_.from_ns);
  const auto rate = [](uint64_t octets, uint64_t ns) {
    return ns == 0 ? 0 : static_cast<double>(octets) * 8e9 / static_cast<double>(ns);
  };
  const auto all = static_cast<double>(std::max<uint64_t>(1, lost_octets_ + arrived_octets_));
  decide({.sent = sent,
          .arrived = rate(arrived_octets_, counted_ns),
          .arrived_late =
              rate(arrived_octets_ - round_.octets_before, report.received_ns - round_.late_ns),
          .queue_ns = static_cast<double>(round_.least_late - least_delay_.get()),
          .expected_ns = static_cast<double>(report.rtt_ns + enough_ns),
          .used_up = sent > 0.97 * pace_,
          .lost_share = static_cast<double>(lost_octets_) / all},
         report.now_ns);
  begin_round(report);
}

}  // namespace anabranch::dataplane
