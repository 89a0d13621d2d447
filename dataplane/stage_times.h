// SPDX-License-Identifier: BSD-3-Clause
// Where a worker's cycles go, stage by stage. One poll of kEvery is timed; in all others a stage
// pays a branch that is never taken. Times are of the stage alone: what it calls is another's.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "dataplane/counters.h"

namespace anabranch::dataplane {

enum class Stage : uint8_t {
  rx,        // taking bursts from ports
  parse,     // headers; what is ours and what is the kernel's
  flows,     // finding flows in their table
  disperse,  // plan, number in the lane, choice of path, or into a queue
  queue,     // out of a queue
  seal,      // a frame: copied, sealed, kept for repair
  tx,        // handing bursts to ports, booking what they took
  open,      // checking, opening, booking what came from the peer
  assemble,  // into the lane and out of it
  deliver,   // next hop on the LAN
  repair,    // sending again
  acks,      // acknowledgements, both ways
  upkeep,    // beats, timers, ageing, and what is between the stages
  idle,      // polls in which there was nothing to do, as a whole; counted are polls
  count_
};
inline constexpr size_t kStages = static_cast<size_t>(Stage::count_);
inline constexpr std::array<std::string_view, kStages> kStageNames{
    "rx",   "parse",    "flows",   "disperse", "queue", "seal",   "tx",
    "open", "assemble", "deliver", "repair",   "acks",  "upkeep", "idle"};
static_assert(!kStageNames.back().empty());

class StageTimes {
 public:
  static constexpr uint32_t kEvery = 1021;  // a prime, lest it keep step with the traffic

  StageTimes();

  // Around a poll: whether this one is timed; then turn_to() and finish() are called.
  bool begin() {
    if (--until_timed_ != 0) [[likely]]
      return false;
    start();
    return true;
  }
  void turn_to(Stage stage);
  void finish();

  // While it lives, time is the stage's, which has so many packets in hand.
  class Scope {
   public:
    Scope(StageTimes& times, Stage stage, uint32_t packets = 0) : times_(times) {
      if (times.timing_) [[unlikely]]
        before_ = times.enter(stage, packets);
    }
    ~Scope() {
      if (times_.timing_) [[unlikely]]
        times_.enter(before_, 0);
    }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    StageTimes& times_;
    Stage before_{};
  };
  void count(Stage stage, uint32_t packets) {
    if (timing_) [[unlikely]]
      current_poll_[static_cast<size_t>(stage)].packets += packets;
  }

  // Of all polls that were timed.
  uint64_t timed() const { return timed_.get(); }
  uint64_t cycles(Stage stage) const { return sums_[static_cast<size_t>(stage)].cycles.get(); }
  uint64_t packets(Stage stage) const { return sums_[static_cast<size_t>(stage)].packets.get(); }

 private:
  struct Sum {
    Counter cycles, packets;
  };
  struct Share {
    uint64_t cycles = 0, packets = 0;
  };
  void start();
  Stage enter(Stage stage, uint32_t packets);
  void lap();

  bool timing_ = false;
  Stage stage_ = Stage::upkeep;
  uint32_t until_timed_ = kEvery;  // polls
  uint64_t since_ = 0;
  uint64_t clock_cost_ = 0;  // of reading the clock, which is nobody's
  std::array<Share, kStages> current_poll_{};
  Counter timed_;
  std::array<Sum, kStages> sums_;
};

}  // namespace anabranch::dataplane
