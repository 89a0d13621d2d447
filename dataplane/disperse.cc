// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/disperse.h"

#include "dataplane/stages.h"

namespace anabranch::dataplane {

uint8_t earliest_path(const Context& context, uint16_t mask) {
  const PathTable& table = context.plans->paths();
  const auto delay = [&](uint8_t p) {
    const PathMeasure& measure = context.measures[p];
    return measure.delay_out_known() ? measure.delay_out_ns() : INT64_MAX;
  };
  uint8_t best = 0, suspect = 0;
  for (uint32_t m = static_cast<uint16_t>(mask & context.alive); m != 0; m &= m - 1) {
    const auto p = static_cast<uint8_t>(std::countr_zero(m));
    if (!table.paths[p].reachable) continue;
    uint8_t& place = context.measures[p].suspected() ? suspect : best;
    if (place == 0 || delay(p) < delay(place)) place = p;
  }
  return best != 0 ? best : suspect;
}

}  // namespace anabranch::dataplane
