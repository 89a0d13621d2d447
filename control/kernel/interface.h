// SPDX-License-Identifier: BSD-3-Clause
// Kernel interfaces that a shared port stands on.
#pragma once

#include <array>
#include <string>

#include <tl/expected.hpp>

#include "control/config.h"

namespace anabranch::control {

using MacAddress = std::array<uint8_t, 6>;

struct InterfaceFacts {
  int index = 0;
  MacAddress mac{};
  uint16_t mtu = 0;
  Ip address;      // the first of IPv4, if there is one
  Prefix network;  // that it is in
  Ip address6;     // the first of IPv6 that is not link-local, if there is one
  Prefix network6;
};

// Errors: it does not exist in this network namespace, is down, is no Ethernet, has no address, or
// an MTU above `mtu_max` (larger frames do not fit DPDK's AF_PACKET ring).
tl::expected<InterfaceFacts, std::string> interface_facts(const std::string& name,
                                                          uint16_t mtu_max = dataplane::kMtuUsual);

// Turns off what makes the kernel hand over several packets as one (GRO, LRO): a router must see
// packets as they are on the wire. The error: it cannot be turned off.
tl::expected<void, std::string> forbid_merging(const std::string& name);

}  // namespace anabranch::control
