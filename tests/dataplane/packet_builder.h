// SPDX-License-Identifier: BSD-3-Clause
// Packets as a test says them: packet().from("10.10.0.2").to("10.20.0.2").udp(1,
// 2).payload(100).frame()
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "control/config.h"
#include "dataplane/bytes.h"
#include "dataplane/neighbours.h"
#include "dataplane/parse.h"

namespace anabranch::dataplane {

using Octets = std::vector<uint8_t>;

class PacketBuilder {
 public:
  PacketBuilder& from(const char* address) { return set(source_, address); }
  PacketBuilder& to(const char* address) { return set(destination_, address); }
  PacketBuilder& to_mac(const Mac& mac) {
    mac_ = mac;
    return *this;
  }
  PacketBuilder& udp(uint16_t source, uint16_t destination) {
    protocol_ = 17;
    l4_.assign(8, 0);
    store_be16(&l4_[0], source);
    store_be16(&l4_[2], destination);
    return *this;
  }
  // A TCP header with the given flags; options are appended as they are.
  PacketBuilder& tcp(uint16_t source, uint16_t destination, uint8_t flags = 0x10,
                     const Octets& options = {}) {
    protocol_ = 6;
    l4_.assign(20, 0);
    store_be16(&l4_[0], source);
    store_be16(&l4_[2], destination);
    l4_[12] = static_cast<uint8_t>((20 + options.size()) / 4 << 4);
    l4_[13] = flags;
    l4_.insert(l4_.end(), options.begin(), options.end());
    return *this;
  }
  PacketBuilder& icmp(uint8_t type, uint8_t code) {
    protocol_ = 1;
    l4_.assign(8, 0);
    l4_[0] = type;
    l4_[1] = code;
    return *this;
  }
  PacketBuilder& ttl(uint8_t value) {
    ttl_ = value;
    return *this;
  }
  PacketBuilder& dscp(uint8_t value) {
    dscp_ = value;
    return *this;
  }
  PacketBuilder& may_be_fragmented() {
    fragment_word_ = 0;
    return *this;
  }
  PacketBuilder& fragment(uint16_t offset, bool more) {
    fragment_word_ = static_cast<uint16_t>(offset / 8 | (more ? 0x2000 : 0));
    return *this;
  }
  // So many octets behind the transport header; the first four are `number`.
  PacketBuilder& payload(size_t octets, uint32_t number = 0) {
    payload_.assign(octets, 0);
    for (size_t i = 0; i < octets; ++i) payload_[i] = static_cast<uint8_t>(i * 7 + number);
    if (octets >= 4) store_be32(payload_.data(), number);
    return *this;
  }
  PacketBuilder& payload(const Octets& octets) {
    payload_ = octets;
    return *this;
  }

  // From the IPv4 header on.
  Octets ip() const {
    Octets out(20);
    for (const Octets* part : {&l4_, &payload_}) {
      for (const uint8_t octet : *part) out.push_back(octet);
    }
    out[0] = 0x45;
    out[1] = static_cast<uint8_t>(dscp_ << 2);
    store_be16(&out[2], static_cast<uint16_t>(out.size()));
    store_be16(&out[6], fragment_word_);
    out[8] = ttl_;
    out[9] = protocol_;
    store_be32(&out[12], source_);
    store_be32(&out[16], destination_);
    store_be16(&out[10], internet_checksum({out.data(), 20}));
    return out;
  }
  Octets frame() const {
    Octets out(mac_.begin(), mac_.end());
    out.resize(12);
    out.push_back(0x08);
    out.push_back(0x00);
    for (const uint8_t octet : ip()) out.push_back(octet);
    return out;
  }

 private:
  PacketBuilder& set(uint32_t& place, const char* address) {
    place = control::parse_ipv4(address).value().value;
    return *this;
  }
  Mac mac_{};
  uint32_t source_ = 0x0a0a0002, destination_ = 0x0a140002;
  uint8_t protocol_ = 17, ttl_ = 64, dscp_ = 0;
  uint16_t fragment_word_ = 0x4000;
  Octets l4_ = Octets(8, 0), payload_;
};

inline PacketBuilder packet() {
  return {};
}

}  // namespace anabranch::dataplane
