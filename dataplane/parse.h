// SPDX-License-Identifier: BSD-3-Clause
// From the octets of a frame to what is known of its IP packet. Never reads past the span.
#pragma once

#include <cstdint>
#include <span>

#include "dataplane/bytes.h"
#include "dataplane/drops.h"
#include "dataplane/ip_protocol.h"

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
// The same of IPv6.
struct alignas(16) FlowKey6 {
  Uint128 source = 0;
  Uint128 destination = 0;
  uint16_t source_port = 0;
  uint16_t destination_port = 0;
  uint8_t protocol = 0;
  uint8_t dscp = 0;
  uint16_t zero[5] = {};
  bool operator==(const FlowKey6&) const = default;
};
static_assert(sizeof(FlowKey6) == 48, "of those lengths that rte_hash compares fastest");

enum class Parsed : uint8_t {
  ipv4,
  ipv6,
  other,    // ARP and the like: the kernel's
  invalid,  // `drop` says why
};

struct PacketView {
  Parsed result = Parsed::invalid;
  Drop drop = Drop::bad_length;
  uint8_t ttl = 0;
  bool dont_fragment = false;
  bool fragment = false;
  uint16_t header_length = 0;  // up to the transport header, octets
  uint16_t total_length = 0;   // of the IP packet
  uint16_t quoted = 0;         // where the packet begins that an ICMP error quotes; 0: it is none
  FlowKey key;                 // of IPv6 without its addresses: flow_key6() has them
};

// Whether somebody, as a port's hardware, has found an IPv4 header's checksum to be right already.
enum class Checksum : uint8_t { unverified, verified };

// `frame` starts at the Ethernet header.
PacketView parse_frame(std::span<const uint8_t> frame, Checksum checksum = Checksum::unverified);
// `packet` starts at the IPv4 header. Checks: version, header length, total length, header checksum
// (RFC 1812 5.2.2).
PacketView parse_ipv4(std::span<const uint8_t> packet, Checksum checksum = Checksum::unverified);
// parse6.cc: the same of IPv6: version, payload length, extension headers up to the transport
// header, at most kExtensionsMax (RFC 8200 4). All fragments are of their first header's protocol.
PacketView parse_ipv6(std::span<const uint8_t> packet);
inline constexpr int kExtensionsMax = 8;
inline constexpr uint16_t kIpv6Header = 40;
// The flow of a packet that parse_ipv6() took.
FlowKey6 flow_key6(std::span<const uint8_t> packet, const PacketView& view);
// Of either version.
PacketView parse_ip(std::span<const uint8_t> packet);

// Offsets of the addresses in an IPv6 header.
inline constexpr size_t kSource6 = 8, kDestination6 = 24;
inline bool is_ipv6(const uint8_t* ip) {
  return ip[0] >> 4 == 6;
}

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

// Not-ECT, ECT(1), ECT(0) or CE (RFC 3168), of the IP header at `ip`.
inline constexpr uint8_t kEcnMask = 3;
inline uint8_t ecn_in(const uint8_t* ip) {
  return (is_ipv6(ip) ? ip[1] >> 4 : ip[1]) & kEcnMask;
}
// Sets these bits in the IP header at `ip`; the checksum stays right.
void add_ecn(uint8_t* ip, uint8_t ecn);
inline bool met_congestion(const uint8_t* ip) {
  return ecn_in(ip) == kEcnMask;
}
// Marks the IP header at `ip` as one that met congestion (RFC 3168); false when it may not be.
bool mark_congestion(uint8_t* ip);

// Takes one off the TTL, or the hop limit, of the IP header at `ip`; the checksum stays right.
void decrement_ttl(uint8_t* ip);

}  // namespace anabranch::dataplane
