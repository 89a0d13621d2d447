// SPDX-License-Identifier: BSD-3-Clause
#include "bench/one_worker.h"

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_eth_ring.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "dataplane/eal.h"
#include "dataplane/parse.h"
#include "dataplane/seal.h"

namespace anabranch::bench {
namespace {

using namespace dataplane;

constexpr uint16_t kService = 1;
constexpr uint32_t kReceiver = 5 * kServicesMax;
constexpr uint32_t kHere = 0x0a0a0000, kThere = 0x0a140000;
constexpr Mac kLanMac{2, 0, 0, 0, 0, 1};

template <typename T>
T value_of(tl::expected<T, std::string> result) {
  if (result) return std::move(*result);
  std::fprintf(stderr, "bench: %s\n", result.error().c_str());
  std::exit(1);
}

// An IPv4/UDP packet from one host to another.
void write_packet(uint8_t* ip, uint16_t octets, uint32_t from, uint32_t to) {
  std::memset(ip, 0, octets);
  ip[0] = 0x45;
  store_be16(ip + 2, octets);
  ip[8] = 64;
  ip[9] = 17;
  store_be32(ip + 12, from);
  store_be32(ip + 16, to);
  store_be16(ip + 20, 1000);
  store_be16(ip + 22, 2000);
  store_be16(ip + 24, static_cast<uint16_t>(octets - 20));
  store_be16(ip + 10, internet_checksum({ip, 20}));
}

PathTable one_path() {
  PathTable table;
  table.uplinks = 1;
  table.lan_mac = kLanMac;
  table.lan_address = kHere + 1;
  Path& path = table.paths[1];
  path.configured = path.reachable = path.in_use = true;
  path.local = table.uplink_address[0] = 0xc6330101;
  path.remote = 0xc6330201;
  path.remote_port = table.udp_port;
  make_header(path, {2, 1}, {2, 2}, table.udp_port);
  return table;
}

}  // namespace

rte_mempool* start_bench_eal() {
  static rte_mempool* const pool = [] {
    std::array<std::string, 10> arguments{
        "bench", "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry",
        "-m",    "256",       "-l",          "0",        "--log-level=error"};
    std::array<char*, 10> pointers{};
    for (size_t i = 0; i < arguments.size(); ++i) pointers[i] = arguments[i].data();
    if (rte_eal_init(static_cast<int>(pointers.size()), pointers.data()) < 0) std::exit(1);
    return value_of(create_pool(8191));
  }();
  return pool;
}

OneWorker::OneWorker()
    : pool_(start_bench_eal()), lan_(make_port("lan")), uplink_(make_port("uplink")) {
  meters_file_ = "/dev/shm/anabranch-bench-" + std::to_string(getpid());
  meters_ = std::make_unique<Meters>(value_of(Meters::open(meters_file_)));
  WorkerOptions options{.lan_port = lan_.port.id, .uplinks = 1, .pool = pool_};
  options.uplink_port[0] = uplink_.port.id;
  options.tsc_hz = rte_get_tsc_hz();
  worker_ = value_of(Worker::create(options, plans_, meters_->region()));
  plans_.publish(std::make_unique<const PathTable>(one_path()));
  const std::vector<std::pair<uint32_t, Mac>> known{{kHere + 2, Mac{2, 0, 0, 0, 0, 2}}};
  NeighbourTable neighbours(known);
  neighbours.on_link = {kHere, 0xffff0000};
  neighbours.behind = {neighbours.on_link};
  plans_.publish(std::make_unique<const NeighbourTable>(neighbours));
  auto keys = std::make_unique<KeyTable>();
  key_ = std::shared_ptr<const TrafficKey>(new TrafficKey(bench_key()));
  keys->send = key_;
  keys->receive[0] = {0, key_};
  plans_.publish(std::move(keys));
  for (const uint16_t slot : {kHouseSlot, kService}) {
    auto plan = std::make_unique<Plan>();
    plan->generation = slot + 1u;
    plan->receiver_index = plan->peer_index = kReceiver + slot;
    plan->inner_mtu = plan->whole_mtu = 1500 - kSegmentOverhead;
    plan->recovery = false;  // nobody acknowledges here
    if (slot == kService) compile_weights({0, 65535}, *plan);
    plans_.publish(slot, std::move(plan));
  }
  auto rules = std::make_unique<Ruleset>();
  rules->epoch = 1;
  rules->rules = {{.source = kHere,
                   .source_mask = 0xffff0000,
                   .destination = kThere,
                   .destination_mask = 0xffff0000,
                   .slot = kService}};
  plans_.publish(std::move(rules));
  worker_->poll(rte_rdtsc());  // it learns of its peer
}

OneWorker::~OneWorker() {
  worker_.reset();
  for (const Rings& rings : {lan_, uplink_}) {
    close_port(rings.port);
    drain(rings.in);
    drain(rings.out);
  }
  unlink(meters_file_.c_str());
}

OneWorker::Rings OneWorker::make_port(const char* name) {
  static int count = 0;
  const std::string unique = name + std::to_string(count++);
  Rings rings;
  rings.in = rte_ring_create((unique + "_in").c_str(), 1024, 0, RING_F_SP_ENQ | RING_F_SC_DEQ);
  rings.out = rte_ring_create((unique + "_out").c_str(), 1024, 0, RING_F_SP_ENQ | RING_F_SC_DEQ);
  const int id = rte_eth_from_rings(unique.c_str(), &rings.in, 1, &rings.out, 1, 0);
  if (id < 0) std::exit(1);
  rings.port = value_of(start_port(static_cast<uint16_t>(id), 1500, pool_));
  return rings;
}

rte_mbuf* OneWorker::make_packet(uint16_t octets) {
  rte_mbuf* packet = rte_pktmbuf_alloc(pool_);
  if (packet == nullptr) std::exit(1);
  std::memset(rte_pktmbuf_append(packet, octets), 0, octets);
  return packet;
}

void OneWorker::offer_packets(uint16_t ip_octets) {
  keep_alive();
  for (uint16_t i = 0; i < kBurst; ++i) {
    rte_mbuf* packet = make_packet(static_cast<uint16_t>(kEthernetHeader + ip_octets));
    uint8_t* frame = rte_pktmbuf_mtod(packet, uint8_t*);
    std::memcpy(frame, kLanMac.data(), kLanMac.size());
    store_be16(frame + 12, 0x0800);
    write_packet(frame + kEthernetHeader, ip_octets, kHere + 2, kThere + 2);
    rte_ring_enqueue(lan_.in, packet);
  }
}

void OneWorker::offer_segments(uint16_t ip_octets) {
  keep_alive();
  for (uint16_t i = 0; i < kBurst; ++i) offer_genuine(ip_octets);
}

bool OneWorker::offer_genuine(uint16_t ip_octets) {
  std::vector<uint8_t> content(size_t{kInnerHeader} + ip_octets);
  store_inner(content.data(), {.lane = 0, .sn = sn_++});
  write_packet(&content[kInnerHeader], ip_octets, kThere + 2, kHere + 2);
  return offer_segment(SegmentType::data, kReceiver + kService, content);
}

bool OneWorker::offer(Attack attack) {
  std::vector<uint8_t> frame = last_;
  const size_t headers = kEthernetHeader + kOuterIp;
  if (attack == Attack::truncated) frame.resize(headers + random_() % (frame.size() - headers));
  // A number to come, so that only the tag tells.
  if (attack == Attack::forged) frame[headers + 11] ^= 0x40;
  if (attack == Attack::random) {
    for (size_t i = headers; i < frame.size(); ++i) frame[i] = static_cast<uint8_t>(random_());
  }
  rte_mbuf* packet = make_packet(static_cast<uint16_t>(frame.size()));
  uint8_t* out = rte_pktmbuf_mtod(packet, uint8_t*);
  std::memcpy(out, frame.data(), frame.size());
  store_be16(out + kEthernetHeader + 10, 0);
  const auto length = static_cast<uint16_t>(frame.size() - kEthernetHeader);
  store_be16(out + kEthernetHeader + 2, length);
  store_be16(out + kEthernetHeader + 24, static_cast<uint16_t>(length - 20));
  store_be16(out + kEthernetHeader + 10, internet_checksum({out + kEthernetHeader, 20}));
  return enqueue(packet);
}

bool OneWorker::enqueue(rte_mbuf* frame) {
  if (rte_ring_enqueue(uplink_.in, frame) == 0) return true;
  rte_pktmbuf_free(frame);
  return false;
}

bool OneWorker::offer_segment(SegmentType type, uint32_t receiver,
                              const std::vector<uint8_t>& content) {
  Path path = one_path().paths[1];
  std::swap(path.local, path.remote);
  make_header(path, {2, 2}, {2, 1}, path.remote_port);
  const auto outer = static_cast<uint16_t>(kOuterIp + kOuterHeader + content.size() + kTag);
  rte_mbuf* packet = make_packet(static_cast<uint16_t>(kEthernetHeader + outer));
  uint8_t* frame = rte_pktmbuf_mtod(packet, uint8_t*);
  std::memcpy(frame, path.header.data(), path.header.size());
  finish_header(frame, outer, 0);
  seal(*key_, {.type = type, .path = 1, .receiver_index = receiver, .packet_number = number_++},
       content, frame + path.header.size());
  if (type == SegmentType::data) last_.assign(frame, frame + rte_pktmbuf_data_len(packet));
  return enqueue(packet);
}

// The peer's beats: without them the path is dead.
void OneWorker::keep_alive() {
  const uint64_t now = rte_rdtsc();
  if (now - beat_at_ < rte_get_tsc_hz() / 50) return;
  beat_at_ = now;
  std::vector<uint8_t> content(kBeatLength);
  store_beat(content.data(), {.sent_ns = number_ + 1, .interval_us = 40'000, .hears = true});
  offer_segment(SegmentType::beat, kReceiver + kHouseSlot, content);
  worker_->poll(rte_rdtsc());
  usleep(1100);  // paths are looked at once a millisecond
  worker_->poll(rte_rdtsc());
  drain();
}

uint64_t OneWorker::poll() {
  const uint64_t start = rte_rdtsc();
  worker_->poll(start);
  const uint64_t ticks = rte_rdtsc() - start;
  drain();
  return ticks;
}

void OneWorker::drain() {
  to_lan_ += drain(lan_.out);
  to_uplink_ += drain(uplink_.out);
}

uint64_t OneWorker::drain(rte_ring* ring) {
  uint64_t count = 0;
  for (void* packet = nullptr; rte_ring_dequeue(ring, &packet) == 0; ++count)
    rte_pktmbuf_free(static_cast<rte_mbuf*>(packet));
  return count;
}

}  // namespace anabranch::bench
