// SPDX-License-Identifier: BSD-3-Clause
// The hosts' traffic. What they send is told to the oracle; what they get they acknowledge where
// the flow wants it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <vector>

#include "tests/simulation/conditions.h"
#include "tests/simulation/oracle.h"

namespace anabranch::simulation {

// Like TCP with CUBIC (RFC 9438) as far as load goes: a window that grows and shrinks by what is
// acknowledged. What is lost is not sent again: each packet is a new one.
class Bulk {
 public:
  explicit Bulk(FlowId id) : id(id) {}
  bool may_send(uint64_t now) const;
  void sent(uint32_t number, uint64_t now);
  void acknowledged(uint32_t number, uint64_t now);

  const FlowId id;

 private:
  void slow_down(uint64_t now);
  double window_ = 10, top_ = 0;
  bool starting_ = true;
  uint64_t slowed_at_ = 0, heard_at_ = 0;
  std::map<uint32_t, uint64_t> in_flight_;  // number → sent at
};

// Both hosts. `send` puts a packet on the LAN of one of them.
class Hosts {
 public:
  using Send = std::function<void(bool up, const Bytes& ip)>;
  Hosts(const Conditions& conditions, uint64_t now, Send send);

  // What is due to be sent.
  void step(uint64_t now);
  void received(bool up, const Bytes& ip, uint64_t now);

  Oracle up{true}, down{false};

 private:
  struct Constant {
    FlowId id;
    uint16_t size;
    uint64_t gap_ns, next_ns;
  };
  struct Short {
    FlowId id;
    uint64_t at_ns;
    uint32_t packets;
  };
  Oracle& oracle(bool upwards) { return upwards ? up : down; }
  void send(bool upwards, const FlowId& id, uint16_t size);
  void step_bulk(std::vector<Bulk>& flows, bool upwards, uint64_t now);

  const uint64_t end_;
  Send send_;
  std::vector<Bulk> bulk_up_, bulk_down_;
  std::vector<Constant> constant_;
  std::vector<Short> short_;
  // Which packet an acknowledgement speaks of, by its own number.
  std::map<std::pair<bool, FlowId>, std::map<uint32_t, uint32_t>> acknowledges_;
};

}  // namespace anabranch::simulation
