// SPDX-License-Identifier: BSD-3-Clause
#include "tools/linkemu/classify.h"

#include <algorithm>

namespace anabranch::linkemu {
namespace {

constexpr uint32_t kEthernetOctets = 14, kTagOctets = 4;
constexpr uint16_t kEtherTypeIpv4 = 0x0800, kEtherTypeIpv6 = 0x86dd, kEtherTypeVlan = 0x8100;
constexpr size_t kIpv4HeaderMin = 20, kIpv6Header = 40;
constexpr uint8_t kProtocolUdp = 17;

uint16_t load_be16(std::span<const uint8_t> octets, size_t at) {
  return static_cast<uint16_t>(octets[at] << 8 | octets[at + 1]);
}

// RFC 768; `header` is where it begins.
bool has_port(std::span<const uint8_t> packet, size_t header, uint16_t port) {
  return packet.size() >= header + 4 &&
         (load_be16(packet, header) == port || load_be16(packet, header + 2) == port);
}

// RFC 791 3.1.
bool is_tunnel(std::span<const uint8_t> packet, uint16_t tunnel_port) {
  const size_t header = (packet[0] & 0x0f) * size_t{4};
  const bool later_fragment = (load_be16(packet, 6) & 0x1fff) != 0;
  return packet[9] == kProtocolUdp && !later_fragment && header >= kIpv4HeaderMin &&
         has_port(packet, header, tunnel_port);
}

// RFC 8200 3; gateways put no extension headers before UDP.
bool is_tunnel6(std::span<const uint8_t> packet, uint16_t tunnel_port) {
  return packet[6] == kProtocolUdp && has_port(packet, kIpv6Header, tunnel_port);
}

}  // namespace

Label classify(std::span<const uint8_t> frame, uint32_t length, uint16_t tunnel_port) {
  const Label other{TrafficClass::other, length - std::min(length, kEthernetOctets)};
  if (frame.size() <= kEthernetOctets) return other;
  const bool tagged = load_be16(frame, 12) == kEtherTypeVlan;
  const size_t begin = kEthernetOctets + (tagged ? kTagOctets : 0);
  if (frame.size() <= begin) return other;
  const uint16_t type = load_be16(frame, begin - 2);
  const auto packet = frame.subspan(begin);
  const int version = packet[0] >> 4;
  if (type == kEtherTypeIpv4 && version == 4 && packet.size() >= kIpv4HeaderMin) {
    const auto traffic =
        is_tunnel(packet, tunnel_port) ? TrafficClass::tunnel : TrafficClass::kernel;
    return {traffic, load_be16(packet, 2)};
  }
  if (type == kEtherTypeIpv6 && version == 6 && packet.size() >= kIpv6Header) {
    const auto traffic =
        is_tunnel6(packet, tunnel_port) ? TrafficClass::tunnel : TrafficClass::kernel;
    return {traffic, static_cast<uint32_t>(kIpv6Header) + load_be16(packet, 4)};
  }
  return other;
}

}  // namespace anabranch::linkemu
