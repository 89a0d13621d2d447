// SPDX-License-Identifier: BSD-3-Clause
#include "tests/dataplane/two_gateways.h"

#include <rte_eth_ring.h>
#include <rte_ethdev.h>

namespace anabranch::dataplane {
namespace {

std::string unique(const std::string& name) {
  static int count = 0;
  return name + std::to_string(++count);
}

uint32_t address(uint8_t path, uint8_t side) {
  return 0x0a010000u | static_cast<uint32_t>(path) << 8 | side;
}
uint32_t receiver(uint8_t side, uint16_t slot) {
  return static_cast<uint32_t>(side) << 20 | slot;
}
constexpr uint32_t kSlotOfTests = 1;

uint64_t ip_octets(rte_mbuf* frame) {
  return load_be16(octets(frame) + kEthernetHeader + 2);
}

}  // namespace

RingPort::RingPort(const std::string& name, uint32_t size, rte_mempool* pool)
    : in(rte_ring_create(unique(name + "in").c_str(), size, SOCKET_ID_ANY,
                         RING_F_SP_ENQ | RING_F_SC_DEQ)),
      out(rte_ring_create(unique(name + "out").c_str(), size, SOCKET_ID_ANY,
                          RING_F_SP_ENQ | RING_F_SC_DEQ)) {
  const int id = rte_eth_from_rings(unique(name).c_str(), &in, 1, &out, 1, 0);
  port = start_port(static_cast<uint16_t>(id), 1500, pool).value();
}

RingPort::~RingPort() {
  close_port(port);
  rte_mbuf* packet = nullptr;
  for (rte_ring* ring : {in, out}) {
    while (rte_ring_dequeue(ring, reinterpret_cast<void**>(&packet)) == 0) rte_pktmbuf_free(packet);
    rte_ring_free(ring);
  }
}

Side::Side(const std::string& name, uint8_t side, rte_mempool* pool, uint32_t uplink_ring_size)
    : number(side), meters(static_cast<MeterRegion*>(std::calloc(1, sizeof(MeterRegion)))) {
  lan = std::make_unique<RingPort>(name + "lan", 4096, pool);
  WorkerOptions options{.lan_port = lan->port.id,
                        .uplinks = kPathCount,
                        .pool = pool,
                        .tsc_hz = 1'000'000'000,
                        .flows_max = 1024,
                        .flow_idle_s = 60};
  auto table = std::make_unique<PathTable>();
  table->uplinks = kPathCount;
  table->lan_address = side == 1 ? 0x0a0a0001 : 0x0a140001;
  table->lan_mac = kLanMac;
  for (uint8_t p = 1; p <= kPathCount; ++p) {
    uplinks.push_back(std::make_unique<RingPort>(name + "up", uplink_ring_size, pool));
    const auto u = static_cast<uint8_t>(p - 1);
    options.uplink_port[u] = uplinks.back()->port.id;
    table->uplink_address[u] = address(p, side);
    Path& path = table->paths[p];
    path.configured = path.reachable = path.in_use = true;
    path.uplink = u;
    path.local = address(p, side);
    path.remote = address(p, side == 1 ? 2 : 1);
    make_header(path, kLanMac, kHostMac, table->udp_port);
  }
  plans.publish(std::unique_ptr<const PathTable>(std::move(table)));
  publish_neighbours(true);
  auto house = std::make_unique<Plan>();
  house->generation = ++generation;
  house->receiver_index = receiver(side, 0);
  house->peer_index = receiver(side == 1 ? 2 : 1, 0);
  plans.publish(kHouseSlot, std::move(house));
  publish_plan({0, 5000, 3000, 2000});
  publish_rules();
  worker = Worker::create(options, plans, *meters).value();
}

void Side::publish_plan(const std::array<uint16_t, kPathsMax>& weights, Segmentation segmentation) {
  auto plan = std::make_unique<Plan>();
  plan->generation = ++generation;
  plan->receiver_index = receiver(number, kSlotOfTests);
  plan->peer_index = receiver(number == 1 ? 2 : 1, kSlotOfTests);
  plan->segmentation = segmentation;
  plan->resequence = segmentation == Segmentation::packet;
  plan->inner_mtu = 1500 - kSegmentOverhead;
  compile_weights(weights, *plan);
  plans.publish(kSlotOfTests, std::move(plan));
}

void Side::publish_rules(uint8_t protocol) {
  auto rules = std::make_unique<Ruleset>();
  rules->epoch = ++generation;
  rules->rules.push_back({.source = number == 1 ? 0x0a0a0000u : 0x0a140000u,
                          .source_mask = 0xffffff00,
                          .destination = number == 1 ? 0x0a140000u : 0x0a0a0000u,
                          .destination_mask = 0xffffff00,
                          .protocol = protocol,
                          .slot = kSlotOfTests});
  plans.publish(std::unique_ptr<const Ruleset>(std::move(rules)));
}

void Side::publish_neighbours(bool resolved) {
  auto table = std::make_unique<NeighbourTable>();
  table->behind = {{number == 1 ? 0x0a0a0000u : 0x0a140000u, 0xffffff00}};
  table->on_link = table->behind.front();
  if (resolved) table->everything = kHostMac;
  plans.publish(std::unique_ptr<const NeighbourTable>(std::move(table)));
}

uint64_t Side::metered(uint16_t slot, uint8_t path, Direction direction, Kind kind) const {
  return meters->services[slot]
      .places[path][static_cast<size_t>(direction)][static_cast<size_t>(kind)]
      .octets.get();
}

uint64_t Side::metered(uint8_t path, Direction direction) const {
  uint64_t sum = 0;
  for (const auto& service : meters->services) {
    for (const size_t place :
         {size_t{path}, size_t{uplink_place(static_cast<uint8_t>(path - 1))}}) {
      for (const MeterCell& cell : service.places[place][static_cast<size_t>(direction)])
        sum += cell.octets.get();
    }
  }
  return sum;
}

void TwoGateways::open(uint32_t uplink_ring_size) {
  static rte_mempool* pool =
      rte_pktmbuf_pool_create("tests", 16383, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
  pool_ = pool;
  available_before_ = rte_mempool_avail_count(pool_);
  a_ = std::make_unique<Side>("a", 1, pool_, uplink_ring_size);
  b_ = std::make_unique<Side>("b", 2, pool_, uplink_ring_size);
}

// Everything that was under way has arrived; then nothing may be missing.
void TwoGateways::TearDown() {
  if (!a_) return;
  run(600 * kMs);
  expect_conservation(*a_);
  expect_conservation(*b_);
  for (uint8_t p = 1; p <= kPathCount; ++p) {
    EXPECT_EQ(a_->metered(p, Direction::sent), ab_[p].octets_in) << "path " << int{p};
    EXPECT_EQ(b_->metered(p, Direction::sent), ba_[p].octets_in) << "path " << int{p};
    EXPECT_EQ(b_->metered(p, Direction::received), ab_[p].octets_out) << "path " << int{p};
    EXPECT_EQ(a_->metered(p, Direction::received), ba_[p].octets_out) << "path " << int{p};
    for (TestLink* link : {&ab_[p], &ba_[p]}) {
      for (auto& [when, packet] : link->flying) rte_pktmbuf_free(packet);
    }
  }
  a_.reset();
  b_.reset();
  EXPECT_EQ(rte_mempool_avail_count(pool_), available_before_) << "packet buffers leaked";
}

void TwoGateways::expect_conservation(const Side& side) const {
  const Counters& c = side.counters();
  EXPECT_EQ(c.rx.get() + c.made.get(),
            c.tx.get() + c.held.get() + c.absorbed.get() + c.to_kernel.get() + c.dropped());
}

void TwoGateways::carry(TestLink& link, rte_ring* from, rte_ring* to) {
  rte_mbuf* packet = nullptr;
  std::uniform_real_distribution<double> chance;
  while (rte_ring_dequeue(from, reinterpret_cast<void**>(&packet)) == 0) {
    link.octets_in += ip_octets(packet);
    if (link.dead || chance(random_) < link.loss) {
      rte_pktmbuf_free(packet);
      continue;
    }
    const uint64_t due = now_ + link.delay + (link.jitter == 0 ? 0 : random_() % link.jitter);
    if (chance(random_) < link.duplication)
      link.flying.emplace(due, rte_pktmbuf_copy(packet, pool_, 0, UINT32_MAX));
    link.flying.emplace(due, packet);
  }
  while (!link.flying.empty() && link.flying.begin()->first <= now_) {
    packet = link.flying.begin()->second;
    link.flying.erase(link.flying.begin());
    if (link.damage) link.damage(packet);
    const uint64_t length = ip_octets(packet);
    if (rte_ring_enqueue(to, packet) == 0)
      link.octets_out += length;
    else
      rte_pktmbuf_free(packet);
  }
}

void TwoGateways::step(uint64_t duration) {
  now_ += duration;
  // More than one burst may have come meanwhile.
  while (a_->worker->poll(now_) == kBurst) {
  }
  while (b_->worker->poll(now_) == kBurst) {
  }
  for (uint8_t p = 1; p <= kPathCount; ++p) {
    carry(ab_[p], a_->uplinks[p - 1u]->out, b_->uplinks[p - 1u]->in);
    carry(ba_[p], b_->uplinks[p - 1u]->out, a_->uplinks[p - 1u]->in);
  }
}

void TwoGateways::run(uint64_t duration, uint64_t step_length) {
  for (const uint64_t end = now_ + duration; now_ < end;) step(step_length);
}

void TwoGateways::wait_until_alive() {
  for (int i = 0; i < 2000; ++i) {
    step(kMs);
    bool alive = true;
    for (uint8_t p = 1; p <= kPathCount; ++p) {
      alive = alive && a_->worker->telemetry(p).alive.get() == 1 &&
              b_->worker->telemetry(p).alive.get() == 1;
    }
    if (alive) return run(500 * kMs);
  }
  FAIL() << "the paths do not come up";
}

void TwoGateways::send(Side& side, const Octets& frame) {
  rte_mbuf* packet = rte_pktmbuf_alloc(pool_);
  ASSERT_NE(packet, nullptr);
  std::memcpy(rte_pktmbuf_append(packet, static_cast<uint16_t>(frame.size())), frame.data(),
              frame.size());
  ASSERT_EQ(rte_ring_enqueue(side.lan->in, packet), 0);
}

std::vector<Octets> TwoGateways::received(Side& side) {
  std::vector<Octets> packets;
  rte_mbuf* packet = nullptr;
  while (rte_ring_dequeue(side.lan->out, reinterpret_cast<void**>(&packet)) == 0) {
    const auto bytes = contents(packet).subspan(kEthernetHeader);
    packets.emplace_back(bytes.begin(), bytes.end());
    rte_pktmbuf_free(packet);
  }
  return packets;
}

std::vector<uint32_t> TwoGateways::numbers(Side& side) {
  std::vector<uint32_t> result;
  for (const Octets& p : received(side)) result.push_back(load_be32(&p[28]));
  return result;
}

}  // namespace anabranch::dataplane
