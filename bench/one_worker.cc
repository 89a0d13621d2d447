// SPDX-License-Identifier: BSD-3-Clause
#include "bench/one_worker.h"

#include <rte_ethdev.h>
#include <rte_ether.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <numeric>

#include "bench/cycles.h"
#include "bench/eal.h"

namespace anabranch::bench {
using namespace dataplane;

OneWorker::OneWorker(const Setup& setup) : setup_(setup) {
  meters_file_ = "/dev/shm/anabranch-bench-" + std::to_string(getpid());
  meters_ = std::make_unique<Meters>(value_of(Meters::open(meters_file_)));
  WorkerOptions options{.lan_port = lan_.id(),
                        .uplinks = setup_.paths,
                        .pool = bench_pool(),
                        .frames = bench_frames()};
  for (uint8_t u = 0; u < setup_.paths; ++u) {
    uplinks_.push_back(std::make_unique<RingPort>("uplink"));
    options.uplink_port[u] = uplinks_.back()->id();
  }
  options.tsc_hz = 1'000'000'000;  // our clock's
  options.flows_max = setup_.flows_max;
  options.flow_idle_s = 3600;
  options.owners = meters_->region().owners;
  if (setup_.accounted) options.flow_accounts.emplace();
  worker_ = value_of(Worker::create(options, plans_, meters_->region().workers[0]));
  const PathTable paths = make_paths(setup_);
  peer_ = std::make_unique<Peer>(paths, setup_.cipher);
  publish_tables(setup_, paths, plans_);
  poll();  // it learns of its peer
  learn_flows();
}

OneWorker::~OneWorker() {
  worker_.reset();
  unlink(meters_file_.c_str());
}

void OneWorker::learn_flows() {
  for (uint32_t n = 0; n < setup_.flows; n += kBurst) {
    keep_alive();
    for (uint32_t i = n; i < std::min(n + kBurst, setup_.flows); ++i) offer_packet(i);
    poll();
  }
  const uint64_t known = counters().flows.get();
  if (known == setup_.flows) return;
  std::fprintf(stderr, "bench: the flow table knows %lu flows of %u\n", known, setup_.flows);
  std::exit(1);
}

void OneWorker::offer_packet(uint32_t flow) {
  lan_.offer(make_client_frame(setup_, flow));
}

void OneWorker::offer_packets() {
  keep_alive();
  for (uint16_t i = 0; i < kBurst; ++i) offer_packet(random_() % setup_.flows);
}

void OneWorker::offer_new_flows() {
  keep_alive();
  for (uint16_t i = 0; i < kBurst; ++i) offer_packet(setup_.flows + new_flow_++);
}

void OneWorker::offer_segments() {
  keep_alive();
  const auto path = static_cast<uint8_t>(1 + bursts_++ % setup_.paths);
  for (uint16_t i = 0; i < kBurst; ++i)
    uplinks_[path - 1u]->offer(peer_->segment(path, sn_++, setup_.octets));
}

void OneWorker::offer_shuffled() {
  keep_alive();
  if (shuffled_.empty()) {
    shuffled_.resize(64);
    std::iota(shuffled_.begin(), shuffled_.end(), sn_);
    std::shuffle(shuffled_.begin(), shuffled_.end(), random_);
    sn_ += 64;
  }
  for (uint16_t i = 0; i < kBurst; ++i) {
    const auto path = static_cast<uint8_t>(1 + i % setup_.paths);
    uplinks_[path - 1u]->offer(peer_->segment(path, shuffled_.back(), setup_.octets));
    shuffled_.pop_back();
  }
}

bool OneWorker::offer_segment() {
  return uplinks_[0]->offer(peer_->segment(1, sn_++, setup_.octets));
}

bool OneWorker::offer(Peer::Attack attack) {
  return uplinks_[0]->offer(peer_->attack(attack));
}

void OneWorker::keep_alive() {
  if (rte_mbuf* ack = setup_.recovery ? peer_->ack(clock_ns_) : nullptr) uplinks_[0]->offer(ack);
  if (clock_ns_ - beat_at_ns_ < 20'000'000) return;
  const bool first = beat_at_ns_ == 0;
  beat_at_ns_ = clock_ns_;
  for (uint8_t p = 1; p <= setup_.paths; ++p) uplinks_[p - 1u]->offer(peer_->beat(p, clock_ns_));
  poll();
  if (!first) return;
  clock_ns_ += 1'000'000;  // paths are looked at once a millisecond
  poll();
}

uint64_t OneWorker::poll() {
  clock_ns_ += kStepNs;
  const uint64_t start = ticks_now();
  worker_->poll(clock_ns_);
  const uint64_t ticks = ticks_now() - start;
  drain();
  return ticks;
}

uint64_t OneWorker::poll_idly(uint32_t polls) {
  keep_alive();
  const uint64_t start = ticks_now();
  for (uint32_t i = 0; i < polls; ++i) worker_->poll(clock_ns_ += 1000);
  const uint64_t ticks = ticks_now() - start;
  drain();
  return ticks;
}

uint64_t OneWorker::swap_macs() {
  const uint64_t start = ticks_now();
  rte_mbuf* burst[kBurst];
  const uint16_t count = rte_eth_rx_burst(lan_.id(), 0, burst, kBurst);
  for (uint16_t i = 0; i < count; ++i) {
    auto* ethernet = rte_pktmbuf_mtod(burst[i], rte_ether_hdr*);
    std::swap(ethernet->dst_addr, ethernet->src_addr);
  }
  rte_eth_tx_burst(uplinks_[0]->id(), 0, burst, count);
  const uint64_t ticks = ticks_now() - start;
  to_uplinks_ += uplinks_[0]->drain([](rte_mbuf*) {});
  return ticks;
}

void OneWorker::drain() {
  to_lan_ += lan_.drain([](rte_mbuf*) {});
  for (const auto& uplink : uplinks_)
    to_uplinks_ += uplink->drain([&](rte_mbuf* frame) { peer_->sent(frame, clock_ns_); });
}

}  // namespace anabranch::bench
