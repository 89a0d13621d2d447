// SPDX-License-Identifier: BSD-3-Clause
#include "bench/peer.h"

#include <algorithm>
#include <cstring>

#include "bench/packets.h"
#include "dataplane/ack.h"
#include "dataplane/seal.h"

namespace anabranch::bench {
namespace {

using namespace dataplane;

constexpr size_t kHeaders = kEthernetHeader + kOuterIp;

PathTable mirrored(const PathTable& paths) {
  PathTable result = paths;
  for (Path& path : result.paths) {
    if (!path.configured) continue;
    std::swap(path.local, path.remote.address);
    make_header(path, {2, 2}, {2, 1}, path.remote.port);
  }
  return result;
}

// An IPv4 header that is right for the frame's length.
void mend_header(uint8_t* ip, uint16_t octets) {
  store_be16(ip + 2, octets);
  store_be16(ip + 24, static_cast<uint16_t>(octets - 20));
  store_be16(ip + 10, 0);
  store_be16(ip + 10, internet_checksum({ip, 20}));
}

}  // namespace

std::shared_ptr<const TrafficKey> bench_key(Cipher cipher) {
  const std::vector<uint8_t> key(key_length(cipher), 7);
  return std::shared_ptr<const TrafficKey>(new TrafficKey(cipher, key, Nonce{}));
}

Peer::Peer(const PathTable& paths, Cipher cipher, uint8_t worker)
    : paths_(mirrored(paths)), worker_(worker), key_(bench_key(cipher)) {}

rte_mbuf* Peer::seal(SegmentType type, uint8_t path, uint32_t receiver,
                     std::span<const uint8_t> content) {
  const auto outer = static_cast<uint16_t>(kOuterIp + kOuterHeader + content.size() + kTag);
  rte_mbuf* packet = make_frame_of(static_cast<uint16_t>(kEthernetHeader + outer));
  uint8_t* frame = rte_pktmbuf_mtod(packet, uint8_t*);
  std::memcpy(frame, paths_.paths[path].header.data(), kHeaders);
  finish_header(frame + kEthernetHeader, outer);
  const Outer header{.type = type,
                     .worker = worker_,
                     .path = path,
                     .receiver_index = receiver,
                     .packet_number = number_[path]++};
  dataplane::seal(*key_, header, content, frame + kHeaders);
  return packet;
}

rte_mbuf* Peer::segment(uint8_t path, uint32_t sn, uint16_t octets) {
  std::array<uint8_t, kInnerHeader + 1500> content;
  store_inner(content.data(), {.flags = kInnerEven, .lane = 0, .sn = sn});
  FlowKey flow = flow_key(0);
  std::swap(flow.source, flow.destination);
  write_packet(&content[kInnerHeader], octets, flow);
  rte_mbuf* packet = seal(SegmentType::data, path, kReceiver + kService,
                          {content.data(), size_t{kInnerHeader} + octets});
  const auto* frame = rte_pktmbuf_mtod(packet, const uint8_t*);
  last_.assign(frame, frame + rte_pktmbuf_data_len(packet));
  return packet;
}

rte_mbuf* Peer::beat(uint8_t path, uint64_t now_ns) {
  uint8_t content[kBeatLength];
  store_beat(content, {.sent_ns = now_ns - kRoundTripNs / 2, .interval_us = 40'000, .hears = true});
  return seal(SegmentType::beat, path, kReceiver + kHouseSlot, content);
}

rte_mbuf* Peer::attack(Attack attack) {
  std::vector<uint8_t> frame = last_;
  if (attack == Attack::truncated) frame.resize(kHeaders + random_() % (frame.size() - kHeaders));
  // A number to come, so that only the tag tells.
  if (attack == Attack::forged) frame[kHeaders + 11] ^= 0x40;
  if (attack == Attack::random) {
    for (size_t i = kHeaders; i < frame.size(); ++i) frame[i] = static_cast<uint8_t>(random_());
  }
  rte_mbuf* packet = make_frame_of(static_cast<uint16_t>(frame.size()));
  uint8_t* out = rte_pktmbuf_mtod(packet, uint8_t*);
  std::memcpy(out, frame.data(), frame.size());
  mend_header(out + kEthernetHeader, static_cast<uint16_t>(frame.size() - kEthernetHeader));
  return packet;
}

void Peer::sent(rte_mbuf* frame, uint64_t now_ns) {
  Outer outer;
  if (!load_outer(rte_pktmbuf_mtod_offset(frame, const uint8_t*, kHeaders), outer)) return;
  std::deque<Sent>& under_way = under_way_[outer.path];
  if (under_way.empty() || under_way.back().at_ns != now_ns) under_way.push_back({0, now_ns});
  under_way.back().number = outer.packet_number;
}

rte_mbuf* Peer::ack(uint64_t now_ns) {
  if (now_ns < ack_at_ns_) return nullptr;
  ack_at_ns_ = now_ns + kAckEveryNs;
  std::array<uint8_t, kPathsMax * kAckReportMax> content;
  size_t length = 0;
  for (uint8_t p = 1; p < kPathsMax; ++p) {
    std::deque<Sent>& under_way = under_way_[p];
    Sent last{};
    for (; !under_way.empty() && under_way.front().at_ns + kRoundTripNs <= now_ns;
         under_way.pop_front())
      last = under_way.front();
    if (last.at_ns == 0) continue;
    AckReport report{.path = p, .worker = worker_, .range_count = 1, .largest = last.number};
    report.received_ns = last.at_ns + kRoundTripNs / 2;
    report.held_us = static_cast<uint32_t>((now_ns - last.at_ns - kRoundTripNs) / 1000);
    report.ranges[0] = {0, static_cast<uint16_t>(std::min(kAckDepth, last.number + 1))};
    store_report(&content[length], report);
    length += report.length();
  }
  if (length == 0) return nullptr;
  return seal(SegmentType::ack, 1, kReceiver + kHouseSlot, {content.data(), length});
}

}  // namespace anabranch::bench
