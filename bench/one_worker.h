// SPDX-License-Identifier: BSD-3-Clause
// A worker with one path and one service, sealed, on ports whose far ends are rings: what the
// stages cost when they are run as in a gateway.
#pragma once

#include <rte_ring.h>

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "dataplane/ports.h"
#include "dataplane/traffic_key.h"
#include "dataplane/worker.h"

namespace anabranch::bench {

inline dataplane::TrafficKey bench_key() {
  const std::vector<uint8_t> key(16, 7);
  return {dataplane::Cipher::aes_128_gcm, key, dataplane::Nonce{}};
}

// EAL of the benchmarks, with as many packet buffers as one worker needs.
rte_mempool* start_bench_eal();

class OneWorker {
 public:
  OneWorker();
  ~OneWorker();
  OneWorker(const OneWorker&) = delete;
  OneWorker& operator=(const OneWorker&) = delete;

  // A burst of clients' packets, or of the peer's segments that carry such, waits to be polled.
  void offer_packets(uint16_t ip_octets);
  void offer_segments(uint16_t ip_octets);
  // One genuine segment; what an attacker makes of the last one; false: the port's queue was full.
  bool offer_genuine(uint16_t ip_octets);
  enum class Attack : uint8_t { forged, replayed, truncated, random };
  bool offer(Attack attack);
  // Takes what was offered through, and frees what comes out. Ticks of the poll alone.
  uint64_t poll();
  // Frames that came out, beats included.
  uint64_t to_lan() const { return to_lan_; }
  uint64_t to_uplink() const { return to_uplink_; }
  const dataplane::Counters& counters() const { return worker_->counters(); }
  void keep_alive();

 private:
  struct Rings {
    rte_ring *in = nullptr, *out = nullptr;
    dataplane::Port port;
  };
  Rings make_port(const char* name);
  rte_mbuf* make_packet(uint16_t octets);
  bool offer_segment(dataplane::SegmentType type, uint32_t receiver,
                     const std::vector<uint8_t>& content);
  bool enqueue(rte_mbuf* frame);
  void drain();
  static uint64_t drain(rte_ring* ring);

  rte_mempool* pool_;
  Rings lan_, uplink_;
  dataplane::PlanTable plans_;
  std::string meters_file_;
  std::unique_ptr<dataplane::Meters> meters_;
  std::unique_ptr<dataplane::Worker> worker_;
  std::shared_ptr<const dataplane::TrafficKey> key_;
  uint64_t number_ = 0, to_lan_ = 0, to_uplink_ = 0;
  uint32_t sn_ = 0;
  uint64_t beat_at_ = 0;
  std::vector<uint8_t> last_;  // frame of the last genuine segment
  std::mt19937_64 random_{1};
};

}  // namespace anabranch::bench
