// SPDX-License-Identifier: BSD-3-Clause
// Workers of one gateway, each on a thread and a core of its own, on ports whose far ends are the
// benchmark's. Work goes in rounds: everybody makes packets, all workers carry them at the same
// time, and what came out is freed. Only the second is timed, so that workers meet nothing but each
// other meanwhile.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "bench/peer.h"
#include "bench/ring_port.h"
#include "bench/tables.h"
#include "dataplane/workers.h"

namespace anabranch::bench {

// Each worker has a queue pair of its own on the LAN and on each uplink, or one attends a port for
// all and hands over. Queue pairs are of ports of their own: net_ring keeps what it counts of
// several queues in one cache line, which costs workers more than all they share themselves, and is
// no property of NICs.
enum class Queues : uint8_t { each, one };

class SeveralWorkers {
 public:
  static constexpr uint32_t kBursts = 8;  // for each worker in a round
  static constexpr uint32_t kPackets = kBursts * dataplane::kBurst;

  // `setup.workers` of them.
  SeveralWorkers(const Setup& setup, Queues queues);
  ~SeveralWorkers();
  SeveralWorkers(const SeveralWorkers&) = delete;
  SeveralWorkers& operator=(const SeveralWorkers&) = delete;

  uint8_t workers() const { return setup_.workers; }

  // A round, step by step: each is for worker `w`'s thread, when all threads have done the one
  // before. What clients send, or what the peer does:
  void offer_packets(uint8_t w);
  void offer_segments(uint8_t w);
  // Polls until all has come out. Ticks until this worker had nothing more to do.
  uint64_t carry(uint8_t w);
  // The floor: from the LAN port to the first uplink, MAC addresses swapped. Ticks.
  uint64_t swap_macs(uint8_t w);
  // Frees what came out where worker `w` sends.
  void collect(uint8_t w);

  // Frames that came out, beats included, or are held. When no round is under way.
  uint64_t came_out() const;

 private:
  // Of one thread; lines of its own.
  struct alignas(128) Mine {
    std::unique_ptr<RingPort> lan;
    std::vector<std::unique_ptr<RingPort>> uplinks;
    std::unique_ptr<dataplane::Worker> worker;
    std::unique_ptr<Peer> peer;
    uint64_t clock_ns = 1'000'000'000;
    uint64_t beat_at_ns = 0;
    uint64_t came_out = 0;
    uint32_t flow = 0, sn = 0, bursts = 0;
  };

  bool hands_over() const { return queues_ == Queues::one && setup_.workers > 1; }
  uint8_t queue_of(uint8_t w) const { return hands_over() ? uint8_t{0} : w; }
  Mine& ports_of(uint8_t w) { return mine_[queue_of(w)]; }
  bool attends(uint8_t w, uint8_t port) const {
    return !hands_over() || crew_->attendant(port) == w;
  }
  void make_worker(uint8_t w);
  uint64_t sent() const;
  void keep_alive();

  const Setup setup_;
  const Queues queues_;
  dataplane::PlanTable plans_;
  std::string meters_file_;
  std::unique_ptr<dataplane::Meters> meters_;
  std::unique_ptr<dataplane::Crew> crew_;
  std::array<Mine, dataplane::kWorkersMax> mine_;
  alignas(128) uint64_t sent_before_ = 0;  // when the round began
};

}  // namespace anabranch::bench
