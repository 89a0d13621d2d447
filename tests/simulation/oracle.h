// SPDX-License-Identifier: BSD-3-Clause
// What hosts sent and got, one direction: what comes out is what went in, each packet once, as it
// was, in the order of its flow. What does not hold is said as a sentence.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "tests/dataplane/packet_builder.h"

namespace anabranch::simulation {

using dataplane::Bytes;

struct FlowId {
  uint8_t protocol = 17;
  uint16_t port = 0;  // of the source
  // Every third flow is urgent, every third background, where classes count.
  static constexpr uint8_t kUrgent = 46, kBackground = 8;
  uint8_t dscp() const { return port % 3 == 0 ? kUrgent : port % 3 == 1 ? kBackground : 0; }
  // Every fifth is of IPv6.
  bool is_ipv6() const { return port % 5 == 2; }
  auto operator<=>(const FlowId&) const = default;
};

class Oracle {
 public:
  // `up`: from host 10.10.0.2 or 2001:db8:1::2 to host 10.20.0.2 or 2001:db8:2::2, else back.
  explicit Oracle(bool up) : up_(up) {}

  // The next packet of a flow, of `size` octets of payload; its number is told.
  Bytes send(const FlowId& flow, uint16_t size, uint32_t& number);
  // A packet came out. False when it is none that is expected; `number` of its flow otherwise.
  bool receive(const Bytes& ip, FlowId& flow, uint32_t& number);

  uint64_t sent() const { return sent_; }
  uint64_t received() const { return received_; }
  // Those that came out after a later one of their flow.
  uint64_t out_of_order() const { return out_of_order_; }
  const std::vector<std::string>& complaints() const { return complaints_; }

 private:
  struct Flow {
    uint32_t next = 0;
    uint32_t last = 0;                     // the highest number that came out, plus one
    std::map<uint32_t, uint16_t> missing;  // number → size, of those that did not come out yet
  };
  Bytes make(const FlowId& id, uint32_t number, uint16_t size, uint8_t ttl) const;
  void complain(const FlowId& id, uint32_t number, const char* what);

  const bool up_;
  std::map<FlowId, Flow> flows_;
  uint64_t sent_ = 0, received_ = 0, out_of_order_ = 0;
  std::vector<std::string> complaints_;
};

}  // namespace anabranch::simulation
