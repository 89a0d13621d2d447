// SPDX-License-Identifier: BSD-3-Clause
#include "tests/dataplane/two_gateways.h"

#include "dataplane/eal.h"

namespace anabranch::dataplane {
namespace {

void expect_all_octets_are_metered(const Gateway& sender, const Gateway& receiver, const Link& link,
                                   uint8_t path) {
  SCOPED_TRACE(testing::Message() << "site " << +sender.site << " sends on path " << +path);
  EXPECT_EQ(link.entered().packets + link.added().packets,
            link.lost().packets + link.delivered().packets + link.on_the_way());
  EXPECT_EQ(sender.metered(path_place(path), Direction::sent), link.entered().octets);
  EXPECT_EQ(sender.metered_packets(path_place(path), Direction::sent), link.entered().packets);
  // What names no path is booked on the uplink it came by.
  const Place unnamed = uplink_place(static_cast<uint8_t>(path - 1));
  EXPECT_EQ(receiver.metered(path_place(path), Direction::received) +
                receiver.metered(unnamed, Direction::received),
            link.delivered().octets);
  EXPECT_EQ(receiver.metered_packets(path_place(path), Direction::received) +
                receiver.metered_packets(unnamed, Direction::received),
            link.delivered().packets);
}

}  // namespace

std::array<uint16_t, kPathsMax> only(uint8_t path) {
  std::array<uint16_t, kPathsMax> weights{};
  weights[path] = 1;
  return weights;
}

PacketBuilder datagram(uint32_t number, size_t size) {
  return packet().from("10.10.0.2").to("10.20.0.2").udp(5000, 6000).payload(size, number);
}

PacketBuilder datagram6(uint32_t number, size_t size) {
  return packet6().udp(5000, 6000).payload(size, number);
}

std::vector<Bytes> datagrams_two_hops_on(uint32_t count, size_t size) {
  std::vector<Bytes> packets;
  for (uint32_t n = 0; n < count; ++n) packets.push_back(datagram(n, size).ttl(62).ip());
  return packets;
}

uint8_t& gateway_workers() {
  static uint8_t workers = 1;
  return workers;
}

rte_mempool* packet_pool() {
  static rte_mempool* const pool = create_pool(32767).value();
  return pool;
}

TwoGateways::TwoGateways(uint32_t uplink_ring_size, uint8_t workers_a, uint8_t workers_b,
                         const WorkerOptions& limits, rte_mempool* pool)
    : pool_(pool),
      buffers_before_(rte_mempool_avail_count(pool)),
      a_(std::make_unique<Gateway>(1, pool, uplink_ring_size, limits,
                                   workers_a == 0 ? gateway_workers() : workers_a)),
      b_(std::make_unique<Gateway>(2, pool, uplink_ring_size, limits,
                                   workers_b == 0 ? gateway_workers() : workers_b)) {
  for (uint8_t u = 0; u < kPaths; ++u) {
    RingPort& here = *a_->uplinks[u];
    RingPort& far = *b_->uplinks[u];
    there_.push_back(std::make_unique<Link>(here.out, far.in, pool, 100u + u));
    back_.push_back(std::make_unique<Link>(far.out, here.in, pool, 200u + u));
  }
}

void TwoGateways::SetUp() {
  admit_both(kShares);
  a().classify_all(kService);
  b().classify_all(kService);
  run_for(kSecond);
  for (uint8_t path = 1; path <= kPaths; ++path) {
    ASSERT_EQ(a().worker->telemetry(path).alive.get(), 1u) << "path " << +path;
    ASSERT_EQ(b().worker->telemetry(path).alive.get(), 1u) << "path " << +path;
  }
}

void TwoGateways::publish_paths() {
  for (Gateway* gateway : {&a(), &b()})
    gateway->plans.publish(std::make_unique<const PathTable>(gateway->paths()));
  admit_both(kShares);
}

void TwoGateways::TearDown() {
  settle();
  EXPECT_TRUE(conserved_);
  EXPECT_EQ(counters(a()).held.get() + counters(b()).held.get(), 0u);
  EXPECT_EQ(counters(a()).retained.get() + counters(b()).retained.get(), 0u);
  for (uint8_t path = 1; path <= kPaths; ++path) {
    expect_all_octets_are_metered(a(), b(), there(path), path);
    expect_all_octets_are_metered(b(), a(), back(path), path);
  }
  there_.clear();
  back_.clear();
  a_.reset();
  b_.reset();
  EXPECT_EQ(rte_mempool_avail_count(pool_), buffers_before_) << "packet buffers leaked";
}

void TwoGateways::step() {
  now += step_ns;
  for (uint8_t path = 1; path <= kPaths; ++path) {
    there(path).deliver(now);
    back(path).deliver(now);
  }
  // A poll takes one burst from each port; a step takes all there is.
  while (a().worker->poll(now) != 0) continue;
  while (b().worker->poll(now) != 0) continue;
  for (uint8_t path = 1; path <= kPaths; ++path) {
    there(path).collect(now);
    back(path).collect(now);
  }
  conserved_ = conserved_ && a().conserves() && b().conserves();
}

void TwoGateways::run_for(uint64_t ns) {
  for (const uint64_t end = now + ns; now < end;) step();
}

void TwoGateways::send_datagrams(uint32_t from, uint32_t until, uint32_t each_step, size_t size) {
  for (uint32_t number = from; number < until; ++number) {
    a().host_sends(datagram(number, size).ip());
    if ((number - from) % each_step == each_step - 1) step();
  }
  step();
}

void TwoGateways::admit_both(const std::array<uint16_t, kPathsMax>& weights,
                             Segmentation segmentation, bool resequence, uint16_t slot) {
  a().admit(slot, weights, segmentation, resequence);
  b().admit(slot, weights, segmentation, resequence);
}

void TwoGateways::repair_nothing() {
  a_->recovery = b_->recovery = false;
  admit_both(kShares);
}

uint64_t TwoGateways::first_sends(uint8_t path, uint16_t slot) const {
  return a_->meter(slot, path_place(path), Direction::sent, Kind::first).packets.get();
}

}  // namespace anabranch::dataplane
