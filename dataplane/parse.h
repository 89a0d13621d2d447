// SPDX-License-Identifier: BSD-3-Clause
// From the octets of a frame to what is known of its IPv4 packet. Never reads past the span.
#pragma once

#include <cstdint>
#include <span>

#include "dataplane/drops.h"

namespace anabranch::dataplane {

// What a flow is told apart by. Source is the LAN side. Ports are 0 where there are none (and for
// fragments, so that all of a datagram stay in one flow); ICMP echo has its identifier as source.
// An ICMP error belongs to the flow of the packet it quotes.
struct FlowKey {
  uint32_t source = 0;
  uint32_t destination = 0;
  uint16_t source_port = 0;
  uint16_t destination_port = 0;
  uint8_t protocol = 0;
  uint8_t dscp = 0;
  uint16_t zero = 0;
  bool operator==(const FlowKey&) const = default;
};
static_assert(sizeof(FlowKey) == 16);

enum class Parsed : uint8_t {
  ipv4,
  other,    // ARP and the like: the kernel's
  invalid,  // `drop` says why
};

struct PacketView {
  Parsed result = Parsed::invalid;
  Drop drop = Drop::bad_length;
  uint8_t ttl = 0;
  bool dont_fragment = false;
  bool fragment = false;
  uint8_t header_length = 0;  // of IPv4, octets
  uint16_t total_length = 0;  // of the IPv4 packet
  FlowKey key;
};

// `frame` starts at the Ethernet header.
PacketView parse_frame(std::span<const uint8_t> frame);
// `packet` starts at the IPv4 header. Checks: version, header length, total length, header checksum
// (RFC 1812 5.2.2).
PacketView parse_ipv4(std::span<const uint8_t> packet);

// RFC 1071 over a header or message; 0 when a stored checksum is included and right.
uint16_t internet_checksum(std::span<const uint8_t> bytes, uint32_t initial = 0);
// RFC 1624: the checksum after a 16-bit word changed from `before` to `after`.
inline uint16_t adjust_checksum(uint16_t checksum, uint16_t before, uint16_t after) {
  uint32_t sum = static_cast<uint16_t>(~checksum) +
                 static_cast<uint32_t>(static_cast<uint16_t>(~before)) + after;
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

// Not-ECT, ECT(1), ECT(0) or CE (RFC 3168), in the second octet of an IPv4 header.
inline constexpr uint8_t kEcnMask = 3;
// Sets these bits in the IPv4 header at `ip`; the checksum stays right.
void add_ecn(uint8_t* ip, uint8_t ecn);
inline bool met_congestion(const uint8_t* ip) {
  return (ip[1] & kEcnMask) == kEcnMask;
}
// Marks the IPv4 header at `ip` as one that met congestion (RFC 3168); false when it may not be.
bool mark_congestion(uint8_t* ip);

// Takes one off the TTL of the IPv4 header at `ip`; the checksum stays right.
void decrement_ttl(uint8_t* ip);

}  // namespace anabranch::dataplane
