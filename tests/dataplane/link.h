// SPDX-License-Identifier: BSD-3-Clause
// One direction between an uplink of one gateway and an uplink of the other: takes frames out of
// the ring the sender's port writes and puts them into the ring the receiver's port reads, with the
// troubles a provider's network may have. Time is the test's.
#pragma once

#include <rte_mbuf.h>
#include <rte_ring.h>

#include <cstdint>
#include <functional>
#include <map>
#include <random>
#include <vector>

#include "dataplane/paths.h"
#include "tests/dataplane/packet_builder.h"

namespace anabranch::dataplane {

// Where its IP packet begins, and the segment in that.
size_t ip_in(const uint8_t* frame);
size_t segment_in(const uint8_t* frame);

// In packets and octets of the outer IP packet.
struct Carried {
  uint64_t packets = 0;
  uint64_t octets = 0;
  void add(const rte_mbuf* frame);
};

class Link {
 public:
  Link(rte_ring* from, rte_ring* to, rte_mempool* pool, uint64_t seed);
  ~Link();
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  uint64_t delay_ns = 10'000'000;
  uint64_t jitter_ns = 0;  // up to so much more for each frame, so that they overtake each other
  double loss = 0;
  double duplicate = 0;
  double corrupt = 0;  // an octet of the segment is changed
  bool dead = false;
  bool marks = false;     // congestion, on packets that know of marks (RFC 3168)
  bool in_order = false;  // jitter lets none overtake another
  uint64_t rate_bps = 0;  // 0: as fast as they come; no framing counts
  uint64_t queue_ns = 100'000'000;
  uint16_t mtu = 1500;
  // Losses in bursts (Gilbert and Elliott): the chance to turn bad with each frame, to turn good
  // again, and of a frame to be lost meanwhile.
  double turn_bad = 0, turn_good = 0.2, loss_bad = 0.5;

  // A NAT on the way: changes a frame; false: it is not for anybody behind it, and lost.
  std::function<bool(uint8_t* frame)> translate;
  // Somebody on the way who keeps what he sees.
  std::vector<Bytes>* recording = nullptr;

  // Takes what was sent; it is lost or on its way then.
  void collect(uint64_t now);
  // Hands over what has arrived by `now`.
  void deliver(uint64_t now);
  // As if the frame had come over the link.
  void inject(const Bytes& frame);
  // A copy of the next segment with a client's packet, which itself is lost.
  void steal_next() { stealing_ = true; }
  const Bytes& stolen() const { return stolen_; }

  size_t on_the_way() const { return on_the_way_.size(); }
  const Carried& entered() const { return entered_; }
  const Carried& lost() const { return lost_; }
  // Copies the link made itself, and what was injected.
  const Carried& added() const { return added_; }
  const Carried& delivered() const { return delivered_; }

 private:
  void lose(rte_mbuf* frame);
  void hand_over(rte_mbuf* frame);
  bool steal(rte_mbuf* frame);
  bool loses(const rte_mbuf* frame, uint64_t now);
  bool chance(double probability);

  rte_ring* from_;
  rte_ring* to_;
  rte_mempool* pool_;
  std::mt19937_64 random_;
  std::multimap<uint64_t, rte_mbuf*> on_the_way_;
  Carried entered_, lost_, added_, delivered_;
  uint64_t free_at_ = 0;       // when the last frame that was sent will have left
  uint64_t last_arrival_ = 0;  // of what was sent so far
  bool bad_ = false;
  bool stealing_ = false;
  Bytes stolen_;
};

// A segment as it is sent on a path.
Bytes frame_on(const Path& path, const Bytes& segment);
// … by the other end of it.
Path seen_from_there(const Path& path);

// Between octets and packet buffers.
rte_mbuf* buffer_of(const Bytes& frame, rte_mempool* pool);
Bytes bytes_of(rte_mbuf* frame);

}  // namespace anabranch::dataplane
