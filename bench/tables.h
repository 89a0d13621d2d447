// SPDX-License-Identifier: BSD-3-Clause
// What control tells the workers in the benchmarks: paths, keys, plans and rules.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <memory>

#include "bench/peer.h"
#include "dataplane/neighbours.h"
#include "dataplane/plan_table.h"

namespace anabranch::bench {

inline constexpr dataplane::Mac kLanMac{2, 0, 0, 0, 0, 1};
// From one poll to the next, of the benchmarks' clock.
inline constexpr uint64_t kStepNs = 16'000;

struct Setup {
  uint8_t paths = 3;
  uint32_t flows = 0;  // known before anything is measured
  uint32_t flows_max = 65536;
  uint32_t rules = 1;  // the last is the service's
  // In force, numbered from kService; flows are spread over them, whatever `rules` is. A power of
  // two, or one.
  uint16_t services = 1;
  uint8_t protocol = 17;
  uint16_t octets = 64;  // of the clients' IP packets
  dataplane::Dispersion dispersion = dataplane::Dispersion::weighted;
  bool recovery = false;
  dataplane::Cipher cipher = dataplane::Cipher::null;
  bool paced = false;      // to links that together carry a tenth more than a burst each poll
  uint8_t workers = 1;     // … of each worker
  bool accounted = false;  // flow by flow
};

dataplane::PathTable make_paths(const Setup& setup);
std::unique_ptr<dataplane::Plan> make_plan(const Setup& setup, uint16_t slot);
// All there is, with `paths`.
void publish_tables(const Setup& setup, const dataplane::PathTable& paths,
                    dataplane::PlanTable& plans);
// A client's packet of flow `flow`, as it comes to the LAN port.
rte_mbuf* make_client_frame(const Setup& setup, uint32_t flow);

}  // namespace anabranch::bench
