// SPDX-License-Identifier: BSD-3-Clause
// What the data plane must know of each path to send on it and to accept from it.
#pragma once

#include <array>
#include <cstdint>

#include "dataplane/bounds.h"
#include "dataplane/neighbours.h"
#include "dataplane/wire.h"

namespace anabranch::dataplane {

struct Path {
  bool configured = false;
  bool reachable = false;  // the next hop's MAC is known and the port is up
  uint8_t uplink = 0;      // index of the uplink's port
  bool in_use = false;     // a plan uses it: beats come more often
  uint32_t local = 0;      // our address on it
  uint32_t remote = 0;     // the peer's, with the port its segments come from
  uint16_t remote_port = 0;
  uint16_t mtu = 1500;         // of the outer IP packet
  uint16_t link_overhead = 0;  // octets a packet takes on the link besides
  uint64_t pace = 0;           // pace_of() the link's rate; 0: not paced
  bool estimated = false;      // … which the worker finds out
  // Ethernet, IPv4 and UDP headers, complete but for lengths and checksum; all zero
  // while the next hop is not known.
  std::array<uint8_t, kEthernetHeader + kOuterIp> header{};
};

// Immutable once published. Index is the path's number on the wire.
struct alignas(64) PathTable {
  std::array<Path, kPathsMax> paths{};
  uint16_t udp_port = 9188;
  std::array<uint32_t, kUplinksMax> uplink_address{};
  uint8_t uplinks = 0;
  uint32_t lan_address = 0;  // ours on the LAN: source of ICMP errors
  Uint128 lan_address6 = 0;  // … of ICMPv6 errors; 0: none
  Mac lan_mac{};
  uint16_t lan_mtu = 1500;
};

// Writes the header template of a path.
void make_header(Path& path, const Mac& source, const Mac& next_hop, uint16_t udp_port);

// Another address of the peer, in the template too.
void redirect(Path& path, uint32_t remote, uint16_t remote_port);

// Fills in what differs from packet to packet. `ip_length` is of the whole outer packet. Its
// identification is 0: nobody may cut it (RFC 6864 4.1).
void finish_header(uint8_t* frame, uint16_t ip_length);

}  // namespace anabranch::dataplane
