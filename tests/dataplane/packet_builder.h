// SPDX-License-Identifier: BSD-3-Clause
// Packets for tests, said in one line: packet().from("10.10.0.2").to("10.20.0.2").tcp(1234, 80).
// They are of IPv6 when their addresses are.
// Checksums are computed here, word by word, so that the product's arithmetic is not its own judge.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "dataplane/neighbours.h"

namespace anabranch::dataplane {

using Bytes = std::vector<uint8_t>;

// The address of "10.10.0.2" in host order; aborts on anything else.
uint32_t address(std::string_view dotted);
// … of "2001:db8:1::2".
Uint128 address6(std::string_view text);

// RFC 1071 over octets with their checksum in place: true when it is right.
bool checksum_is_right(std::span<const uint8_t> octets);
// Of a whole IP packet: its header, where it has a checksum, and TCP, UDP or ICMP.
bool checksums_are_right(const Bytes& ip);

Bytes operator+(Bytes head, std::span<const uint8_t> tail);

class PacketBuilder {
 public:
  PacketBuilder& from(std::string_view text);
  PacketBuilder& to(std::string_view text);
  PacketBuilder& ttl(uint8_t value) { return ttl_ = value, *this; }
  PacketBuilder& dscp(uint8_t value) { return dscp_ = value, *this; }
  PacketBuilder& ecn(uint8_t value) { return ecn_ = value, *this; }
  PacketBuilder& flow_label(uint32_t value) { return flow_label_ = value, *this; }
  PacketBuilder& identification(uint16_t value) { return identification_ = value, *this; }
  PacketBuilder& dont_fragment() { return fragment_word_ |= 0x4000, *this; }
  PacketBuilder& fragment(uint16_t offset_octets, bool more);
  // An IPv6 extension header, behind those before: its type, and its octets but for the first,
  // which says what follows.
  PacketBuilder& extension(uint8_t type, const Bytes& rest);
  PacketBuilder& ip_options(Bytes options) { return ip_options_ = std::move(options), *this; }

  PacketBuilder& tcp(uint16_t source_port, uint16_t destination_port);
  PacketBuilder& syn() { return tcp_flags_ = 0x02, *this; }
  // A multiple of four octets.
  PacketBuilder& tcp_options(Bytes options) { return tcp_options_ = std::move(options), *this; }
  PacketBuilder& udp(uint16_t source_port, uint16_t destination_port);
  PacketBuilder& echo_request(uint16_t identifier, uint16_t sequence);
  PacketBuilder& icmp_error(uint8_t type, uint8_t code, const Bytes& quoted);
  // `size` octets behind the transport header, different for each `seed`.
  PacketBuilder& payload(size_t size, uint32_t seed = 0);

  Bytes ip() const;  // from the IP header on
  Bytes frame(const Mac& destination, const Mac& source) const;

 private:
  Bytes transport() const;
  Bytes ipv6() const;
  uint8_t protocol() const;  // on the wire

  bool is_ipv6_ = false;
  uint32_t source_ = 0x0a0a0002, destination_ = 0x0a140002;
  Uint128 source6_ = 0, destination6_ = 0;
  uint32_t flow_label_ = 0;
  uint8_t ttl_ = 64, dscp_ = 0, ecn_ = 0, protocol_ = 17;
  uint16_t identification_ = 0, fragment_word_ = 0;
  uint16_t source_port_ = 1000, destination_port_ = 2000;
  uint8_t tcp_flags_ = 0x10;
  std::vector<std::pair<uint8_t, Bytes>> extensions_;
  bool is_fragment_ = false;
  Bytes ip_options_, tcp_options_, icmp_, payload_;
};

inline PacketBuilder packet() {
  return {};
}

// … from 2001:db8:1::2 to 2001:db8:2::2.
inline PacketBuilder packet6() {
  return packet().from("2001:db8:1::2").to("2001:db8:2::2");
}

// An Ethernet frame around an IP packet.
Bytes frame_of(const Bytes& ip, const Mac& destination, const Mac& source);

}  // namespace anabranch::dataplane
