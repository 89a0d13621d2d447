// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/parse.h"

namespace anabranch::dataplane {
namespace {

constexpr uint8_t kHopByHop = 0, kRouting = 43, kFragment = 44, kAuthentication = 51,
                  kDestinationOptions = 60, kMobility = 135, kHip = 139, kShim6 = 140;
constexpr size_t kExtensionMin = 8;

constexpr bool is_extension(uint8_t header) {
  switch (header) {
    case kHopByHop:
    case kRouting:
    case kFragment:
    case kAuthentication:
    case kDestinationOptions:
    case kMobility:
    case kHip:
    case kShim6:
      return true;
    default:
      return false;
  }
}

// Where the headers end that come before the transport header.
struct Chain {
  uint8_t protocol = 0;
  size_t length = kIpv6Header;
  bool fragment = false;  // an "atomic" one (RFC 6946) is none
  bool more = false;
  uint16_t offset = 0;
};

void read_fragment(const uint8_t* header, Chain& chain) {
  const uint16_t word = load_be16(header + 2);
  chain.offset = word & 0xfff8;
  chain.more = (word & 1) != 0;
  chain.fragment = chain.offset != 0 || chain.more;
}

// False when they do not end within the packet, or are not as RFC 8200 4.1 has them. What follows
// a fragment header is the datagram's, and not in each of its fragments.
bool walk(std::span<const uint8_t> packet, Chain& chain) {
  chain.protocol = packet[6];
  for (int n = 0; is_extension(chain.protocol) && !chain.fragment; ++n) {
    const bool misplaced = chain.protocol == kHopByHop && n != 0;
    if (misplaced || n == kExtensionsMax || packet.size() < chain.length + kExtensionMin)
      return false;
    const uint8_t* header = &packet[chain.length];
    size_t length = (header[1] + 1) * 8u;
    if (chain.protocol == kAuthentication) length = (header[1] + 2) * 4u;
    if (chain.protocol == kFragment) {
      length = kExtensionMin;
      read_fragment(header, chain);
    }
    if (packet.size() < chain.length + length) return false;
    chain.length += length;
    chain.protocol = header[0];
  }
  return true;
}

// RFC 8200 4.5: all but the last are a multiple of eight octets, and the whole fits a packet.
bool may_be_fragment(const Chain& chain, size_t total) {
  const size_t octets = total - chain.length;
  return octets != 0 && (!chain.more || octets % 8 == 0) && chain.offset + octets <= UINT16_MAX;
}

void read_ports(std::span<const uint8_t> transport, bool backwards, FlowKey& key) {
  if (transport.size() < 8) return;
  if (key.protocol == kTcp || key.protocol == kUdp) {
    key.source_port = load_be16(&transport[backwards ? 2 : 0]);
    key.destination_port = load_be16(&transport[backwards ? 0 : 2]);
  } else if (key.protocol == kIcmp6 && transport[0] >= 128) {
    key.source_port = load_be16(&transport[4]);
  }
}

// The quoted packet was going the other way; it may be cut anywhere.
void read_quoted(std::span<const uint8_t> packet, PacketView& view) {
  const auto quoted = packet.subspan(view.header_length + 8u);
  if (quoted.size() < kIpv6Header || !is_ipv6(quoted.data())) return;
  view.quoted = static_cast<uint16_t>(view.header_length + 8);
  Chain chain;
  const bool whole = walk(quoted, chain);
  view.key.protocol = chain.protocol;
  if (whole && !chain.fragment) read_ports(quoted.subspan(chain.length), true, view.key);
}

}  // namespace

PacketView parse_ipv6(std::span<const uint8_t> packet) {
  PacketView view;
  if (packet.size() < kIpv6Header || !is_ipv6(packet.data())) return view;
  const size_t total = kIpv6Header + size_t{load_be16(&packet[4])};
  if (total > packet.size() || total > UINT16_MAX) return view;
  packet = packet.first(total);
  Chain chain;
  if (!walk(packet, chain) || (chain.fragment && !may_be_fragment(chain, total))) {
    view.drop = Drop::bad_extension;
    return view;
  }
  view.header_length = static_cast<uint16_t>(chain.length);
  view.total_length = static_cast<uint16_t>(total);
  view.dont_fragment = true;  // but by its sender
  view.fragment = chain.fragment;
  view.ttl = packet[7];
  view.key.protocol = chain.protocol;
  view.key.dscp = load_be16(packet.data()) >> 6 & 0x3f;
  view.result = Parsed::ipv6;
  if (view.fragment) return view;
  const auto transport = packet.subspan(chain.length);
  read_ports(transport, false, view.key);
  if (chain.protocol == kIcmp6 && transport.size() >= 8 && transport[0] < 128)
    read_quoted(packet, view);
  return view;
}

FlowKey6 flow_key6(std::span<const uint8_t> packet, const PacketView& view) {
  const uint8_t* ip = packet.data() + view.quoted;
  const bool backwards = view.quoted != 0;
  return {.source = load_be128(ip + (backwards ? kDestination6 : kSource6)),
          .destination = load_be128(ip + (backwards ? kSource6 : kDestination6)),
          .source_port = view.key.source_port,
          .destination_port = view.key.destination_port,
          .protocol = view.key.protocol,
          .dscp = view.key.dscp};
}

}  // namespace anabranch::dataplane
