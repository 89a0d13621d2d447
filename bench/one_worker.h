// SPDX-License-Identifier: BSD-3-Clause
// A worker with a LAN port, an uplink for each path, one service and a peer, as in a gateway: what
// the stages cost when they are run together. Its clock is the benchmark's: each poll is 16 µs
// after the one before, so a burst each is 2 million packets a second, whatever the machine.
#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "bench/peer.h"
#include "bench/ring_port.h"
#include "bench/tables.h"
#include "dataplane/worker.h"

namespace anabranch::bench {

class OneWorker {
 public:
  explicit OneWorker(const Setup& setup);
  ~OneWorker();
  OneWorker(const OneWorker&) = delete;
  OneWorker& operator=(const OneWorker&) = delete;

  // What is polled next: a burst of clients' packets, of known flows at random, or of flows that
  // are new; a burst of the peer's segments with one lane's next numbers, all on one path, each
  // time another, or on all paths and shuffled, 64 at a time; or one of these.
  void offer_packets();
  void offer_new_flows();
  void offer_segments();
  void offer_shuffled();
  bool offer_segment();  // false: the port's queue was full
  bool offer(Peer::Attack attack);
  // Beats and acknowledgements that are due. The offers of bursts do it too.
  void keep_alive();

  // Takes what was offered through, and frees what comes out. Ticks of the poll alone.
  uint64_t poll();
  // Polls with nothing to do, a microsecond apart. Ticks of them all.
  uint64_t poll_idly(uint32_t polls);

  // The floor: from the LAN port to the first uplink, MAC addresses swapped. Ticks.
  uint64_t swap_macs();

  // Frames that came out, beats included.
  uint64_t to_lan() const { return to_lan_; }
  uint64_t to_uplinks() const { return to_uplinks_; }
  // For a thread that publishes; nobody else may meanwhile.
  dataplane::PlanTable& plans() { return plans_; }
  // A plan like the one in force.
  std::unique_ptr<dataplane::Plan> make_plan(uint16_t slot) const {
    return bench::make_plan(setup_, slot);
  }
  const dataplane::Counters& counters() const { return worker_->counters(); }

 private:
  void learn_flows();
  void offer_packet(uint32_t flow);
  void drain();

  const Setup setup_;
  RingPort lan_{"lan"};
  std::vector<std::unique_ptr<RingPort>> uplinks_;
  dataplane::PlanTable plans_;
  std::string meters_file_;
  std::unique_ptr<dataplane::Meters> meters_;
  std::unique_ptr<dataplane::Worker> worker_;
  std::unique_ptr<Peer> peer_;
  uint64_t clock_ns_ = 1'000'000'000;
  uint64_t beat_at_ns_ = 0;
  uint64_t to_lan_ = 0, to_uplinks_ = 0;
  uint32_t sn_ = 0, bursts_ = 0, new_flow_ = 0;
  std::vector<uint32_t> shuffled_;
  std::mt19937 random_{1};
};

}  // namespace anabranch::bench
