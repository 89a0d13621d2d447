// SPDX-License-Identifier: BSD-3-Clause
// What a frame counts as, and for how many octets.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace anabranch::linkemu {

// tunnel: UDP over IP from or to the tunnel port. kernel: other IP, and every fragment but the
// first, which has no ports to tell by; with a VLAN's tag or without. other: ARP and whatever else
// is not IPv4 or IPv6.
enum class TrafficClass : uint8_t { tunnel, kernel, other };
inline constexpr std::array<std::string_view, 3> kClassNames{"tunnel", "kernel", "other"};

struct Label {
  TrafficClass traffic = TrafficClass::other;
  uint32_t octets = 0;  // of the IP packet by its length field; else of what follows Ethernet
};

// `frame` is what was captured of an Ethernet frame of `length` octets.
Label classify(std::span<const uint8_t> frame, uint32_t length, uint16_t tunnel_port);

}  // namespace anabranch::linkemu
