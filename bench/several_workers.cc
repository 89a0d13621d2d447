// SPDX-License-Identifier: BSD-3-Clause
#include "bench/several_workers.h"

#include <rte_ethdev.h>
#include <rte_ether.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "bench/cycles.h"
#include "bench/eal.h"
#include "dataplane/spread.h"

namespace anabranch::bench {
namespace {

using namespace dataplane;

std::span<const uint8_t> contents_of(rte_mbuf* frame) {
  return {rte_pktmbuf_mtod(frame, const uint8_t*), rte_pktmbuf_data_len(frame)};
}

}  // namespace

SeveralWorkers::SeveralWorkers(const Setup& setup, Queues queues) : setup_(setup), queues_(queues) {
  static int made = 0;
  meters_file_ =
      "/dev/shm/anabranch-bench-" + std::to_string(getpid()) + "-" + std::to_string(made++);
  meters_ = std::make_unique<Meters>(value_of(Meters::open(meters_file_, setup_.workers)));
  if (setup_.workers > 1) {
    crew_ = std::make_unique<Crew>(setup_.workers);
    crew_->ports.fill({queues == Queues::each, queues == Queues::each});
  }
  for (uint8_t w = 0; w < setup_.workers; ++w) make_worker(w);
  publish_tables(setup_, make_paths(setup_), plans_);
  // They learn of their peer, and of its beats: paths are looked at once a millisecond.
  for (int ms = 0; ms < 3; ++ms) {
    if (ms == 1) keep_alive();
    for (uint8_t w = 0; w < setup_.workers; ++w) mine_[w].clock_ns += 1'000'000;
    for (uint8_t i = 0; i < 2 * setup_.workers; ++i)
      mine_[i % setup_.workers].worker->poll(mine_[0].clock_ns);
  }
}

void SeveralWorkers::make_worker(uint8_t w) {
  Mine& mine = mine_[w];
  if (w == 0 || queues_ == Queues::each) {
    mine.lan = std::make_unique<RingPort>("lan", static_cast<uint8_t>(w + 1));
    for (uint8_t u = 0; u < setup_.paths; ++u)
      mine.uplinks.push_back(std::make_unique<RingPort>("uplink", static_cast<uint8_t>(w + 1)));
  }
  WorkerOptions options{.id = w,
                        .crew = crew_.get(),
                        .lan_port = ports_of(w).lan->id(),
                        .uplinks = setup_.paths,
                        .pool = bench_pool(),
                        .frames = bench_frames()};
  for (uint8_t u = 0; u < setup_.paths; ++u) options.uplink_port[u] = ports_of(w).uplinks[u]->id();
  options.tsc_hz = 1'000'000'000;  // our clock's
  options.flow_idle_s = 3600;
  mine.worker = value_of(Worker::create(options, plans_, meters_->region().workers[w]));
  mine.peer = std::make_unique<Peer>(make_paths(setup_), setup_.cipher, w);
}

SeveralWorkers::~SeveralWorkers() {
  for (Mine& mine : mine_) mine.worker.reset();
  unlink(meters_file_.c_str());
}

void SeveralWorkers::offer_packets(uint8_t w) {
  if (w == 0) keep_alive();
  if (!attends(w, kLanPort)) return;
  // Each worker's own flows where the port's hardware would part them.
  const uint32_t count = hands_over() ? kPackets * setup_.workers : kPackets;
  const uint32_t every = hands_over() ? 1 : setup_.workers;
  Mine& mine = mine_[w];
  for (uint32_t i = 0; i < count; ++i) {
    mine.flow = (mine.flow + 389) % (setup_.flows / every);
    mine.lan->offer(make_client_frame(setup_, mine.flow * every + w), queue_of(w));
  }
}

void SeveralWorkers::offer_segments(uint8_t w) {
  if (w == 0) keep_alive();
  const auto offer = [&](uint8_t sender, uint8_t path) {
    Mine& from = mine_[sender];
    for (uint16_t i = 0; i < kBurst; ++i)
      ports_of(w).uplinks[path - 1u]->offer(from.peer->segment(path, from.sn++, setup_.octets),
                                            queue_of(w));
  };
  if (hands_over() && w != 0) return;
  for (uint32_t burst = 0; burst < kBursts; ++burst) {
    const auto path = static_cast<uint8_t>(1 + mine_[w].bursts++ % setup_.paths);
    if (!hands_over()) {
      offer(w, path);
      continue;
    }
    for (uint8_t sender = 0; sender < setup_.workers; ++sender) offer(sender, path);
  }
}

// By the first thread, for all: what comes to a port without queues has one sender.
void SeveralWorkers::keep_alive() {
  sent_before_ = sent();
  Mine& mine = mine_[0];
  for (uint8_t w = 0; w < setup_.workers && setup_.recovery; ++w) {
    if (rte_mbuf* ack = mine_[w].peer->ack(mine.clock_ns))
      ports_of(w).uplinks[0]->offer(ack, queue_of(w));
  }
  if (mine.clock_ns - mine.beat_at_ns < 20'000'000) return;
  mine.beat_at_ns = mine.clock_ns;
  for (uint8_t p = 1; p <= setup_.paths; ++p)
    mine.uplinks[p - 1u]->offer(mine.peer->beat(p, mine.clock_ns));
}

uint64_t SeveralWorkers::sent() const {
  uint64_t sum = 0;
  for (uint8_t w = 0; w < setup_.workers; ++w) sum += mine_[w].worker->counters().tx.get();
  return sum;
}

uint64_t SeveralWorkers::carry(uint8_t w) {
  // By a round's clock, what came over one path may have to wait for the next round.
  constexpr uint32_t kPatience = 2000;
  Worker& worker = *mine_[w].worker;
  const uint64_t begun_ns = mine_[w].clock_ns;
  const uint64_t wanted = sent_before_ + uint64_t{kPackets} * setup_.workers;
  const uint32_t bursts = hands_over() ? kBursts * setup_.workers : kBursts;
  mine_[w].clock_ns += (bursts + 1) * kStepNs;
  const uint64_t start = ticks_now();
  uint64_t end = start;
  for (uint32_t i = 0, empty = 0; empty < kPatience; ++i) {
    if (worker.poll(begun_ns + std::min(i, bursts) * kStepNs) != 0) {
      end = rte_rdtsc();
      empty = 0;
      continue;
    }
    ++empty;
    if (!hands_over() || sent() >= wanted) break;
  }
  return end - start;
}

uint64_t SeveralWorkers::swap_macs(uint8_t w) {
  const uint64_t start = ticks_now();
  for (uint32_t n = 0; n < kBursts; ++n) {
    rte_mbuf* burst[kBurst];
    const uint16_t count = rte_eth_rx_burst(mine_[w].lan->id(), w, burst, kBurst);
    for (uint16_t i = 0; i < count; ++i) {
      auto* ethernet = rte_pktmbuf_mtod(burst[i], rte_ether_hdr*);
      std::swap(ethernet->dst_addr, ethernet->src_addr);
    }
    rte_eth_tx_burst(mine_[w].uplinks[0]->id(), w, burst, count);
  }
  return ticks_now() - start;
}

void SeveralWorkers::collect(uint8_t w) {
  Mine& mine = mine_[w];
  if (attends(w, kLanPort)) mine.came_out += ports_of(w).lan->drain([](rte_mbuf*) {}, queue_of(w));
  for (uint8_t u = 0; u < setup_.paths; ++u) {
    if (!attends(w, static_cast<uint8_t>(u + 1))) continue;
    const auto note = [&](rte_mbuf* frame) {
      mine_[sending_worker(contents_of(frame), 0) % setup_.workers].peer->sent(frame,
                                                                               mine.clock_ns);
    };
    mine.came_out += ports_of(w).uplinks[u]->drain(note, queue_of(w));
  }
}

uint64_t SeveralWorkers::came_out() const {
  uint64_t sum = 0;
  for (const Mine& mine : mine_) {
    sum += mine.came_out;
    if (mine.worker != nullptr) sum += mine.worker->counters().held.get();
  }
  return sum;
}

}  // namespace anabranch::bench
