// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/crew.h"

#include <rte_mbuf.h>

#include <algorithm>

namespace anabranch::dataplane {

Crew::Crew(uint8_t count, uint32_t ring_size) : workers(count) {
  constexpr size_t kWays = 3;
  for (size_t i = 0; i < kWays * workers * workers; ++i) rings_.emplace_back(ring_size);
}

void Crew::make_note_rings() {
  for (size_t i = 0; i < size_t{workers} * workers; ++i)
    notes_.push_back(std::make_unique<SpscRing<FlowNote>>(HandoverRing::kSize));
}

bool Crew::is_mapped() const {
  return std::all_of(rings_.begin(), rings_.end(),
                     [](const HandoverRing& ring) { return ring.is_mapped(); });
}

Crew::~Crew() {
  for (HandoverRing& ring : rings_) {
    for (rte_mbuf* packet; ring.is_mapped() && ring.take(&packet, 1) != 0;)
      rte_pktmbuf_free(packet);
  }
}

}  // namespace anabranch::dataplane
