// SPDX-License-Identifier: BSD-3-Clause
#include "tests/simulation/world.h"

#include <fmt/format.h>

#include <algorithm>

namespace anabranch::simulation {
namespace {

using dataplane::Counters;
using dataplane::Drop;
using dataplane::Gateway;
using dataplane::kMillisecond;
using dataplane::kSecond;
using dataplane::kService;
using dataplane::Link;
using dataplane::operator+;

constexpr uint64_t kStepNs = 200'000;
constexpr uint64_t kWarmUpNs = 2 * kSecond;
constexpr uint64_t kDrainNs = 6 * kSecond;
constexpr uint64_t kUnderWayMaxNs = kSecond / 2;
constexpr uint32_t kRingSize = 1024;
constexpr size_t kSeenMax = 1000;

const char* way(bool up) {
  return up ? "up" : "down";
}

// Reasons for which a client's packet never leaves the gateway it came to.
uint64_t dropped_on_entry(const Gateway& gateway) {
  uint64_t sum = 0;
  for (const Drop reason : {Drop::codel, Drop::queue_full, Drop::path_down, Drop::no_buffer,
                            Drop::no_session, Drop::key_worn, Drop::flow_table_full})
    sum += gateway.drops(reason);
  return sum;
}

std::string sums(const Gateway& gateway) {
  const Counters& c = gateway.worker->counters();
  std::string text = fmt::format(
      "repaired {}, in vain {}, given up {}, unretained {}, late {}, gaps {}, forced {}, held {}",
      c.repaired.get(), c.repaired_in_vain.get(), c.given_up.get(), c.unretained.get(),
      c.late.get(), c.gaps.get(), c.forced.get(), c.held.get());
  for (size_t i = 0; i < dataplane::kDropCount; ++i)
    if (const uint64_t n = c.drops[i].get(); n != 0)
      text += fmt::format(", {} {}", dataplane::kDropNames[i], n);
  return text;
}

}  // namespace

World::World(const Conditions& conditions, rte_mempool* pool, Plant plant, uint8_t workers)
    : conditions_(conditions),
      pool_(pool),
      plant_(plant),
      buffers_before_(rte_mempool_avail_count(pool)),
      random_(conditions.seed),
      a_(std::make_unique<Gateway>(1, pool, kRingSize, conditions.limits, workers)),
      b_(std::make_unique<Gateway>(2, pool, kRingSize, conditions.limits, workers)) {
  for (uint8_t u = 0; u < kPaths; ++u) {
    auto &here = *a_->uplinks[u], &there = *b_->uplinks[u];
    there_.push_back(std::make_unique<Link>(here.out, there.in, pool, random_()));
    back_.push_back(std::make_unique<Link>(there.out, here.in, pool, random_()));
  }
  set_up_service(*a_);
  set_up_service(*b_);
  set_links(0);
}

World::~World() {
  rte_pktmbuf_free_bulk(leaked_.data(), static_cast<unsigned>(leaked_.size()));
}

void World::set_up_service(Gateway& gateway) {
  gateway.rate_bps = conditions_.configured_bps;
  gateway.mtu = conditions_.configured_mtu;
  gateway.ipv6 = conditions_.ipv6;
  gateway.vlan = conditions_.vlan;
  gateway.lan_vlan = conditions_.lan_vlan;
  gateway.estimated = conditions_.estimated;
  gateway.dispersion = conditions_.dispersion;
  gateway.recovery = conditions_.repaired;
  gateway.rate_max_bps = conditions_.rate_max_bps;
  if (conditions_.classes) {
    gateway.urgent = uint64_t{1} << FlowId::kUrgent;
    gateway.background = uint64_t{1} << FlowId::kBackground;
  }
  gateway.plans.publish(std::make_unique<const dataplane::PathTable>(gateway.paths()));
  std::array<uint16_t, dataplane::kPathsMax> shares{};
  for (uint8_t path = 1; path <= kPaths; ++path)
    shares[path] =
        static_cast<uint16_t>(std::max<uint64_t>(1, conditions_.configured_bps[path] / 1'000'000));
  gateway.order = {3, 1, 2};
  gateway.provider = {0, 1, 1, 2};
  gateway.admit(kService, shares, conditions_.segmentation, conditions_.in_order());
  gateway.classify_all(kService);
}

void World::set_links(uint64_t since_begin) {
  for (uint8_t path = 1; path <= kPaths; ++path) {
    conditions_.up[path].apply(link(true, path));
    conditions_.down[path].apply(link(false, path));
    const bool dead =
        begin_ != 0 &&
        std::any_of(conditions_.outages.begin(), conditions_.outages.end(), [&](const Outage& o) {
          return o.path == path && o.from_ns <= since_begin && since_begin < o.to_ns;
        });
    link(true, path).dead = link(false, path).dead = dead;
  }
  if (conditions_.on_path) link(true, kPaths).recording = &seen_;
}

// As a sends it to b on a path.
Bytes World::frame_on(uint8_t path, const Bytes& segment) const {
  return dataplane::frame_on(a_->paths().paths[path], segment);
}

Bytes World::noise(size_t octets) {
  Bytes noise(octets);
  for (uint8_t& octet : noise) octet = static_cast<uint8_t>(random_());
  return noise;
}

// On the path: what was seen comes again, and changed. Off the path: the addresses are known.
void World::attack() {
  if (seen_.size() > kSeenMax) seen_.erase(seen_.begin(), seen_.end() - kSeenMax / 2);
  if (conditions_.on_path && !seen_.empty() && random_() % 4 == 0) {
    const Bytes& seen = seen_[random_() % seen_.size()];
    const auto headers = static_cast<std::ptrdiff_t>(dataplane::segment_in(seen.data()));
    Bytes segment(seen.begin() + headers, seen.end());
    if (random_() % 2 == 0)
      segment[random_() % segment.size()] ^= static_cast<uint8_t>(1u << random_() % 8);
    if (random_() % 8 == 0) segment.resize(random_() % segment.size());
    link(true, kPaths).inject(frame_on(kPaths, segment));
  }
  if (conditions_.off_path && random_() % 4 == 0) {
    link(true, 1).inject(frame_on(1, noise(random_() % 1400)));
  }
}

// What a gateway puts out, with the bug that is planted.
void World::hear(bool up, const Bytes& ip) {
  const bool now = !planted_ && (up ? hosts_->up : hosts_->down).received() > 50;
  Bytes heard = ip;
  if (now && plant_ == Plant::duplicate) {
    planted_ = true;
    hosts_->received(up, ip, now_);
  } else if (now && plant_ == Plant::lose) {
    planted_ = true;
    return;
  } else if (now && plant_ == Plant::corrupt) {
    planted_ = true;
    heard.back() ^= 1;
  } else if (now && plant_ == Plant::reorder) {
    const bool ipv4 = ip[0] >> 4 == 4;
    if (kept_.empty() && ipv4) {
      kept_ = ip;
      return;
    }
    constexpr int kProtocol = 9, kPorts = 20;
    hosts_->received(up, ip, now_);
    if (!ipv4 || ip[kProtocol] != kept_[kProtocol] ||
        !std::equal(ip.begin() + kPorts, ip.begin() + kPorts + 4, kept_.begin() + kPorts))
      return;
    planted_ = true;
    heard = kept_;
  }
  hosts_->received(up, heard, now_);
}

void World::plant_elsewhere() {
  if (planted_ || now_ < begin_ + kSecond / 4) return;
  if (plant_ == Plant::unmetered) {
    // A frame that no link carried.
    rte_ring_enqueue(b_->uplinks[0]->in, dataplane::buffer_of(frame_on(1, noise(100)), pool_));
  } else if (plant_ == Plant::leak || plant_ == Plant::unbounded) {
    const size_t count = plant_ == Plant::leak ? 1 : memory_limit();
    while (leaked_.size() < count) leaked_.push_back(rte_pktmbuf_alloc(pool_));
  } else {
    return;
  }
  planted_ = true;
}

void World::poll(Gateway& gateway, uint64_t now, bool up) {
  while (gateway.worker->poll(now) != 0) hand_to_hosts(gateway, up);
  hand_to_hosts(gateway, up);
}

void World::hand_to_hosts(Gateway& gateway, bool up) {
  for (const Bytes& ip : gateway.hosts_received()) hear(up, ip);
}

void World::step() {
  now_ += kStepNs;
  if (begin_ != 0) {
    set_links(now_ - begin_);
    hosts_->step(now_);
    if (now_ < begin_ + conditions_.traffic_ns) attack();
    plant_elsewhere();
  }
  for (uint8_t path = 1; path <= kPaths; ++path) {
    link(true, path).deliver(now_);
    link(false, path).deliver(now_);
  }
  poll(*a_, now_, false);
  // Its clock began elsewhere and goes at another speed.
  poll(*b_,
       77 * kSecond + static_cast<uint64_t>(static_cast<double>(now_) * (1 + conditions_.drift)),
       true);
  for (uint8_t path = 1; path <= kPaths; ++path) {
    link(true, path).collect(now_);
    link(false, path).collect(now_);
  }
  check_memory();
}

size_t World::buffers_under_way() const {
  size_t count = 0;
  for (const auto& link : there_) count += link->on_the_way();
  for (const auto& link : back_) count += link->on_the_way();
  return count;
}

size_t World::buffers_in_use() const {
  return buffers_before_ - rte_mempool_avail_count(pool_);
}

size_t World::memory_limit() const {
  const auto& o = a_->options;
  const size_t workers = a_->worker->each().size() + b_->worker->each().size();
  return workers *
         (o.held_max + o.queued_max + o.retained_max + kPaths * dataplane::DelayLine::kSize);
}

void World::expect(bool holds, const std::string& otherwise) {
  if (!holds) outcome_.broken.push_back(otherwise);
}

void World::check_memory() {
  if (!outcome_.broken.empty()) return;
  const size_t own = buffers_in_use() - std::min(buffers_in_use(), buffers_under_way());
  expect(own <= memory_limit(),
         fmt::format("the gateways hold {} buffers; {} would be the most", own, memory_limit()));
  for (const Gateway* gateway : {a_.get(), b_.get()})
    expect(gateway->conserves(),
           fmt::format("{} ms: gateway {} lost count of its packets: {}",
                       (now_ - begin_) / kMillisecond, gateway->site, sums(*gateway)));
}

bool World::at_rest() const {
  return a_->worker->counters().held.get() + b_->worker->counters().held.get() == 0 &&
         buffers_in_use() == buffers_under_way();
}

void World::check_hosts(bool up) {
  const Oracle& oracle = up ? hosts_->up : hosts_->down;
  const Counters &from = near(up).worker->counters(), &to = far(up).worker->counters();
  for (const std::string& complaint : oracle.complaints()) outcome_.broken.push_back(complaint);
  const uint64_t missing = oracle.sent() - oracle.received();
  const uint64_t named = dropped_on_entry(near(up)) + far(up).drops(Drop::lan_tx_full);
  expect(named <= missing, fmt::format("{}: {} packets are counted as dropped, but {} are missing",
                                       way(up), named, missing));
  outcome_.packets += oracle.sent();
  outcome_.repaired += from.repaired.get();
  outcome_.dropped += named;
  if (named > missing) return;
  uint64_t lost_max = 0;
  if (!conditions_.repaired) {
    for (uint8_t path = 1; path <= kPaths; ++path)
      lost_max += link(up, path).lost().packets + far(up).drops(Drop::bad_tag);
    lost_max += near(up).drops(Drop::tx_full);
  } else if (conditions_.blackout || conditions_.few_buffers) {
    lost_max = from.given_up.get() + from.unretained.get() + far(up).drops(Drop::duplicate);
  }
  expect(missing - named <= lost_max,
         fmt::format("{}: {} of {} packets were lost and {} of them dropped with a reason; {} "
                     "others may be lost",
                     way(up), missing, oracle.sent(), named, lost_max));
  if (conditions_.in_order())
    expect(oracle.out_of_order() <= to.late.get(),
           fmt::format("{}: {} packets out of order, but {} counted as late", way(up),
                       oracle.out_of_order(), to.late.get()));
}

void World::check_meters(bool up) {
  const Gateway &from = near(up), &to = far(up);
  for (uint8_t path = 1; path <= kPaths; ++path) {
    const Link& l = link(up, path);
    const auto place = dataplane::path_place(path);
    const auto unnamed = dataplane::uplink_place(static_cast<uint8_t>(path - 1));
    using dataplane::Direction;
    const auto compare = [&](const char* what, uint64_t metered, uint64_t carried) {
      expect(metered == carried, fmt::format("{}, path {}: {} metered as {}, the link carried {}",
                                             way(up), path, metered, what, carried));
    };
    compare("octets sent", from.metered(place, Direction::sent), l.entered().octets);
    compare("packets sent", from.metered_packets(place, Direction::sent), l.entered().packets);
    compare("octets received",
            to.metered(place, Direction::received) + to.metered(unnamed, Direction::received),
            l.delivered().octets);
    compare("packets received",
            to.metered_packets(place, Direction::received) +
                to.metered_packets(unnamed, Direction::received),
            l.delivered().packets);
  }
}

// What is known flow by flow, and the rest, come to the meters.
void World::check_flows(Gateway& gateway) {
  using namespace dataplane;
  if (!conditions_.limits.flow_accounts) return;
  struct Sum {
    uint64_t octets = 0, overhead = 0, packets = 0;
  };
  Sum sums[kPathsMax][kDirections][kRestKinds];
  for (const auto& worker : gateway.worker->each()) {
    FlowAccounts& accounts = *worker->accounts();
    for (bool all = false; !all;) {
      all = accounts.hand_out_all();
      for (AccountRecord record; accounts.take(record);) {
        if (plant_ == Plant::unaccounted && !std::exchange(planted_, true)) continue;
        Sum& sum = sums[record.key.place][static_cast<size_t>(record.key.direction())]
                       [static_cast<size_t>(record.key.kind())];
        sum.octets += record.octets;
        sum.overhead += record.overhead;
        sum.packets += record.packets;
      }
    }
    for (size_t i = 0; i < kPathsMax * kDirections * kRestKinds; ++i) {
      const RestCell& rest = (&accounts.rest(kService).cells[0][0][0])[i];
      Sum& sum = (&sums[0][0][0])[i];
      sum.octets += rest.octets.get();
      sum.overhead += rest.overhead.get();
      sum.packets += rest.packets.get();
    }
  }
  for (uint8_t path = 1; path <= kPaths; ++path) {
    for (const Direction direction : {Direction::sent, Direction::received}) {
      uint64_t overhead = 0;
      const auto compare = [&](const char* what, uint64_t sum, uint64_t metered) {
        expect(
            sum == metered,
            fmt::format("gateway {}, path {}, direction {}: {} of flows come to {}, metered are {}",
                        gateway.site, path, static_cast<int>(direction), what, sum, metered));
      };
      for (const Kind kind : {Kind::first, Kind::repair, Kind::copy}) {
        const Sum& sum = sums[path][static_cast<size_t>(direction)][static_cast<size_t>(kind)];
        const MeterCell meter = gateway.meter(kService, path_place(path), direction, kind);
        compare("octets", sum.octets, meter.octets.get());
        compare("packets", sum.packets, meter.packets.get());
        overhead += sum.overhead;
      }
      compare("octets of overhead", overhead,
              gateway.meter(kService, path_place(path), direction, Kind::overhead).octets.get());
    }
  }
}

Outcome World::run() {
  hosts_ = std::make_unique<Hosts>(conditions_, now_ + kWarmUpNs,
                                   [this](bool up, const Bytes& ip) { near(up).host_sends(ip); });
  while (now_ < 10 * kSecond + kWarmUpNs) step();
  begin_ = now_;
  uint64_t end = begin_ + conditions_.traffic_ns;
  for (const Outage& outage : conditions_.outages) end = std::max(end, begin_ + outage.to_ns);
  while (now_ < end) step();
  // What is not kept to be repaired is seen by nobody while it is under way.
  for (uint64_t moved_at = now_; now_ < end + kDrainNs && now_ < moved_at + kUnderWayMaxNs;) {
    step();
    if (!at_rest()) moved_at = now_;
  }
  expect(at_rest(),
         fmt::format("{} ms after the traffic, {} packets are still held and {} buffers in use",
                     kDrainNs / kMillisecond,
                     a_->worker->counters().held.get() + b_->worker->counters().held.get(),
                     buffers_in_use() - std::min(buffers_in_use(), buffers_under_way())));
  for (const bool up : {true, false}) {
    check_hosts(up);
    check_meters(up);
    check_flows(near(up));
  }
  if (!outcome_.broken.empty())
    for (const Gateway* gateway : {a_.get(), b_.get()})
      outcome_.broken.push_back(fmt::format("  gateway {}: {}", gateway->site, sums(*gateway)));
  there_.clear();
  back_.clear();
  a_.reset();
  b_.reset();
  expect(buffers_in_use() == 0, fmt::format("{} buffers leaked", buffers_in_use()));
  return std::move(outcome_);
}

}  // namespace anabranch::simulation
