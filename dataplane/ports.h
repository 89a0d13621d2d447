// SPDX-License-Identifier: BSD-3-Clause
// Ports: DPDK devices made ready, whatever kind they are.
#pragma once

#include <cstdint>
#include <string>

#include <rte_mempool.h>
#include <tl/expected.hpp>

#include "dataplane/crew.h"
#include "dataplane/neighbours.h"

namespace anabranch::dataplane {

inline constexpr uint16_t kDescriptors = 1024;  // of a port's queue, where it has as many

// Exactly one of the two is given.
struct PortSpec {
  std::string interface;  // shared with the kernel, through AF_PACKET
  std::string device;     // "net_ring0", "net_null0,size=64" (virtual) or a PCI address
  uint16_t mtu = 1500;
};

struct Port {
  uint16_t id = 0;
  Mac mac{};
  PortQueues queues;
  int socket = -1;  // that becomes readable when something comes; -1: the port has none
};

// Probes, configures (a queue each way for each worker, where it has as many, else one) and starts
// it. Errors say which step failed and why.
tl::expected<Port, std::string> open_port(const PortSpec& spec, rte_mempool* pool,
                                          uint8_t workers = 1);
// The second half of open_port(), for a device that exists already.
tl::expected<Port, std::string> start_port(uint16_t id, uint16_t mtu, rte_mempool* pool,
                                           uint8_t workers = 1);
void close_port(const Port& port);

}  // namespace anabranch::dataplane
