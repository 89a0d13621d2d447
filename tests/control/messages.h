// SPDX-License-Identifier: BSD-3-Clause
// Messages the tests and the fuzzers start from.
#pragma once

#include "control/messages.h"

namespace anabranch::control {

inline TrafficRule rule(const char* source, const char* destination) {
  return {.source = *parse_prefix(source), .destination = *parse_prefix(destination)};
}

// A message of each kind, with every field at an unusual value.
inline std::vector<Message> one_of_each() {
  TrafficRule special = rule("10.20.0.0/24", "10.10.0.0/25");
  special.protocol = 17;
  special.destination_port_from = 5000;
  special.destination_port_to = 5010;
  special.dscp = 46;
  Announce announce{.service = 7,
                    .client = "acme",
                    .receiver = 4096,
                    .rules = {rule("10.20.0.0/24", "10.10.0.0/24"), special,
                              rule("2001:db8:2::/48", "2001:db8:1::/64")},
                    .towards_us = {.dispersion = Dispersion::standby, .resequence = false}};
  announce.towards_us.weights[1] = 65535;
  announce.towards_us.weights[15] = 1;
  announce.towards_us.order = {15, 1};
  announce.towards_us.provider[15] = 1;
  announce.towards_us.weight = 100;
  announce.towards_us.rate_max = 64'000;
  announce.towards_us.urgent = dscp_set(46) | dscp_set(63);
  announce.towards_us.background = dscp_set(0);
  return {Hello{.gateway = "site-a",
                .instance = UINT64_MAX,
                .paths = {{1, *parse_ipv4("10.1.1.1")}, {15, *parse_ipv4("192.168.0.1")}},
                .phase = 255,
                .ciphers = {dataplane::Cipher::chacha20_poly1305, dataplane::Cipher::aes_128_gcm}},
          Ready{},
          Rekey{},
          House{UINT32_MAX},
          announce,
          Accept{7, 4097},
          Refuse{7, "10.9.0.0/24 is not behind site-b"},
          End{7},
          Gone{UINT64_MAX >> 1},
          Kept{1, Kept::kIdMax, {1, 7, Kept::kIdMax}},
          Counted{{{1, 1000, 2000}, {15, UINT64_MAX, 0}}},
          Limits{{{1, 1000, 0, false}, {15, Limits::kNone, 64000, true}}},
          Ordered{{{1, 0}, {15, Treatment::kRateMax}}},
          Alive{}};
}

}  // namespace anabranch::control
