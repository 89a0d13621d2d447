// SPDX-License-Identifier: BSD-3-Clause
// What the data plane must know of each path to send on it and to accept from it.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "dataplane/address.h"
#include "dataplane/bounds.h"
#include "dataplane/neighbours.h"
#include "dataplane/wire.h"

namespace anabranch::dataplane {

// What each packet needs comes first: two cache lines.
struct alignas(64) Path {
  // Ethernet, IP and UDP headers, complete but for lengths and checksum; no octets of it are used
  // while the next hop is not known (has_header()).
  static constexpr size_t kHeaderMax = kEthernetHeader + kVlanTag + kOuterIp6;
  std::array<uint8_t, kHeaderMax> header{};
  // By family and tag; set by make_header().
  uint8_t link_header = kEthernetHeader, outer_ip = kOuterIp;  // octets of the headers
  uint16_t mtu = 1500;                                         // of the outer IP packet
  uint16_t link_overhead = 0;  // octets a packet takes on the link besides
  uint16_t vlan = 0;           // the tag's VLAN; 0: frames have none
  uint8_t uplink = 0;          // index of the uplink's port
  bool configured = false;
  bool reachable = false;  // the next hop's MAC is known and the port is up
  bool in_use = false;     // a plan uses it: beats come more often
  bool doubted = false;    // it is to be measured though nothing takes it: likewise, less so
  bool estimated = false;  // the worker finds out its pace
  uint64_t pace = 0;       // pace_of() the link's rate; 0: not paced
  Endpoint remote;         // the peer's address, with the port its segments come from
  Address local = 0;       // our address on it, which says of which family it is

  bool is_ipv6() const { return !is_ipv4(local); }
  size_t header_length() const { return size_t{link_header} + outer_ip; }
  std::span<const uint8_t> headers() const { return {header.data(), header_length()}; }
  bool has_header() const { return header[link_header - 2u] != 0; }  // the type of its frames
};

// Immutable once published. Index is the path's number on the wire.
struct alignas(64) PathTable {
  uint16_t udp_port = 9188;
  uint8_t uplinks = 0;
  uint16_t lan_vlan = 0;  // 0: its frames have no tags
  // Of an uplink's port; 0: it has no address of this family, its frames no tags.
  std::array<uint16_t, kUplinksMax> uplink_vlan{};
  std::array<uint32_t, kUplinksMax> uplink_address{};
  std::array<Address, kUplinksMax> uplink_address6{};
  std::array<Path, kPathsMax> paths{};
  uint32_t lan_address = 0;  // ours on the LAN: source of ICMP errors
  Uint128 lan_address6 = 0;  // … of ICMPv6 errors; 0: none
  Mac lan_mac{};
  uint16_t lan_mtu = 1500;
};

// Writes the header template of a path, by its ends and VLAN.
void make_header(Path& path, const Mac& source, const Mac& next_hop, uint16_t udp_port);

// Another address of the peer, of the same family, in the template too.
void redirect(Path& path, const Endpoint& remote);

// Fills in what differs from packet to packet in the headers at `ip`, where a template's were
// copied to. `ip_length` is of the whole outer packet. Its identification is 0: nobody may cut it
// (RFC 6864 4.1).
void finish_header(uint8_t* ip, uint16_t ip_length);
inline void finish_header4(uint8_t* ip, uint16_t ip_length) {
  store_be16(ip + 2, ip_length);
  // The template's checksum was made with the length 0 (RFC 1624).
  uint32_t sum = static_cast<uint16_t>(~load_be16(ip + 10)) + uint32_t{ip_length};
  sum = (sum & 0xffff) + (sum >> 16);
  store_be16(ip + 10, static_cast<uint16_t>(~sum));
  store_be16(ip + 24, static_cast<uint16_t>(ip_length - 20));
}

// The checksum of UDP over IPv6, when all behind it is written. Over IPv4 there is none (RFC 768):
// the tag covers what matters. Over IPv6 it is asked for (RFC 8200 8.1) where the network does not
// know of a tunnel that does without (RFC 6935), and who is on the way would drop what has none.
// Cost: 150 cycles for 1400 octets.
void finish_checksum6(uint8_t* ip, uint16_t ip_length);

}  // namespace anabranch::dataplane
