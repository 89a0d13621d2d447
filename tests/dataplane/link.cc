// SPDX-License-Identifier: BSD-3-Clause
#include "tests/dataplane/link.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "dataplane/bounds.h"
#include "dataplane/parse.h"
#include "dataplane/wire.h"

namespace anabranch::dataplane {

size_t ip_in(const uint8_t* frame) {
  return kEthernetHeader + (load_be16(frame + 12) == kEtherTypeVlan ? kVlanTag : 0);
}

size_t segment_in(const uint8_t* frame) {
  const size_t ip = ip_in(frame);
  return ip + (is_ipv6(frame + ip) ? kOuterIp6 : kOuterIp);
}

namespace {
size_t ip_octets(const rte_mbuf* frame) {
  return rte_pktmbuf_pkt_len(frame) - ip_in(rte_pktmbuf_mtod(frame, const uint8_t*));
}
}  // namespace

void Carried::add(const rte_mbuf* frame) {
  ++packets;
  octets += ip_octets(frame);
}

Link::Link(rte_ring* from, rte_ring* to, rte_mempool* pool, uint64_t seed)
    : from_(from), to_(to), pool_(pool), random_(seed) {}

Link::~Link() {
  for (const auto& [at, frame] : on_the_way_) rte_pktmbuf_free(frame);
}

bool Link::chance(double probability) {
  return probability > 0 && std::uniform_real_distribution<>(0, 1)(random_) < probability;
}

bool Link::loses(const rte_mbuf* frame, uint64_t now) {
  if (dead || ip_octets(frame) > mtu) return true;
  if (chance(bad_ ? turn_good : turn_bad)) bad_ = !bad_;
  if (chance(loss) || (bad_ && chance(loss_bad))) return true;
  if (rate_bps == 0) return false;
  const uint64_t begins = std::max(free_at_, now);
  if (begins - now > queue_ns) return true;
  free_at_ = begins + ip_octets(frame) * 8'000'000'000 / rate_bps;
  return false;
}

void Link::collect(uint64_t now) {
  void* taken = nullptr;
  while (rte_ring_dequeue(from_, &taken) == 0) {
    auto* frame = static_cast<rte_mbuf*>(taken);
    entered_.add(frame);
    if (recording != nullptr) recording->push_back(bytes_of(frame));
    if (steal(frame) || loses(frame, now)) {
      lose(frame);
      continue;
    }
    const auto arrival = [&] {
      const uint64_t at =
          std::max(now, free_at_) + delay_ns + (jitter_ns == 0 ? 0 : random_() % jitter_ns);
      return last_arrival_ = in_order ? std::max(at, last_arrival_) : at;
    };
    if (chance(corrupt)) {
      auto* octets = rte_pktmbuf_mtod(frame, uint8_t*);
      const size_t segment = segment_in(octets);
      const size_t at = segment + random_() % (rte_pktmbuf_pkt_len(frame) - segment);
      octets[at] ^= static_cast<uint8_t>(1 + random_() % 255);
    }
    if (marks) {
      auto* octets = rte_pktmbuf_mtod(frame, uint8_t*);
      mark_congestion(octets + ip_in(octets));
    }
    if (chance(duplicate)) {
      added_.add(frame);
      on_the_way_.emplace(arrival(), buffer_of(bytes_of(frame), pool_));
    }
    on_the_way_.emplace(arrival(), frame);
  }
}

void Link::deliver(uint64_t now) {
  while (!on_the_way_.empty() && on_the_way_.begin()->first <= now) {
    rte_mbuf* frame = on_the_way_.begin()->second;
    on_the_way_.erase(on_the_way_.begin());
    if (dead) {
      lose(frame);
    } else {
      hand_over(frame);
    }
  }
}

void Link::inject(const Bytes& frame) {
  rte_mbuf* buffer = buffer_of(frame, pool_);
  added_.add(buffer);
  hand_over(buffer);
}

void Link::lose(rte_mbuf* frame) {
  lost_.add(frame);
  rte_pktmbuf_free(frame);
}

void Link::hand_over(rte_mbuf* frame) {
  if (translate && !translate(rte_pktmbuf_mtod(frame, uint8_t*))) return lose(frame);
  if (rte_ring_enqueue(to_, frame) != 0) return lose(frame);
  delivered_.add(frame);
}

bool Link::steal(rte_mbuf* frame) {
  if (!stealing_) return false;
  Bytes octets = bytes_of(frame);
  if ((octets[segment_in(octets.data())] & 0x0f) != static_cast<uint8_t>(SegmentType::data))
    return false;
  stolen_ = std::move(octets);
  stealing_ = false;
  return true;
}

Bytes frame_on(const Path& path, const Bytes& segment) {
  const auto headers = path.headers();
  Bytes frame = Bytes(headers.begin(), headers.end()) + segment;
  finish_header(&frame[path.link_header], static_cast<uint16_t>(frame.size() - path.link_header));
  return frame;
}

Path seen_from_there(const Path& path) {
  Path there = path;
  there.local = path.remote.address;
  there.remote.address = path.local;
  make_header(there, {}, {}, path.remote.port);
  return there;
}

rte_mbuf* buffer_of(const Bytes& frame, rte_mempool* pool) {
  rte_mbuf* buffer = rte_pktmbuf_alloc(pool);
  if (buffer == nullptr) std::abort();
  std::memcpy(rte_pktmbuf_append(buffer, static_cast<uint16_t>(frame.size())), frame.data(),
              frame.size());
  return buffer;
}

Bytes bytes_of(rte_mbuf* frame) {
  const auto* octets = rte_pktmbuf_mtod(frame, const uint8_t*);
  return {octets, octets + rte_pktmbuf_data_len(frame)};
}

}  // namespace anabranch::dataplane
