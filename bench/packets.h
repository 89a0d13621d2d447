// SPDX-License-Identifier: BSD-3-Clause
// What hosts send in the benchmarks: IPv4 packets of numbered flows between two sites.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "bench/eal.h"
#include "dataplane/bytes.h"
#include "dataplane/parse.h"

namespace anabranch::bench {

using dataplane::kTcp;
using dataplane::kUdp;

inline constexpr uint32_t kHere = 0x0a0a0000, kThere = 0x0a140000;  // both /16
inline constexpr uint32_t kHostsMask = 0xffff;

// Flow `n` of some tens of thousands of hosts here to one there.
inline dataplane::FlowKey flow_key(uint32_t n, uint8_t protocol = kUdp) {
  return {.source = kHere + 2 + n % (kHostsMask - 2),
          .destination = kThere + 2,
          .source_port = static_cast<uint16_t>(1024 + n / (kHostsMask - 2)),
          .destination_port = 443,
          .protocol = protocol};
}

// `octets` of an IPv4 packet; TCP has data and no flags.
inline void write_packet(uint8_t* ip, uint16_t octets, const dataplane::FlowKey& flow) {
  std::memset(ip, 0, octets);
  ip[0] = 0x45;
  dataplane::store_be16(ip + 2, octets);
  ip[8] = 64;
  ip[9] = flow.protocol;
  dataplane::store_be32(ip + 12, flow.source);
  dataplane::store_be32(ip + 16, flow.destination);
  dataplane::store_be16(ip + 20, flow.source_port);
  dataplane::store_be16(ip + 22, flow.destination_port);
  if (flow.protocol == kTcp) {
    ip[32] = 5 << 4;
  } else {
    dataplane::store_be16(ip + 24, static_cast<uint16_t>(octets - 20));
  }
  dataplane::store_be16(ip + 10, dataplane::internet_checksum({ip, 20}));
}

inline rte_mbuf* make_frame_of(uint16_t octets) {
  rte_mbuf* frame = rte_pktmbuf_alloc(bench_pool());
  if (frame == nullptr) std::exit(1);  // more is kept than the pool is made for
  rte_pktmbuf_append(frame, octets);
  return frame;
}

}  // namespace anabranch::bench
