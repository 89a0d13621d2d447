// SPDX-License-Identifier: BSD-3-Clause
#include "control/ordered_paths.h"

#include <algorithm>

namespace anabranch::control {

uint64_t lower_rate(uint64_t a_bps, uint64_t b_bps) {
  if (a_bps == 0 || b_bps == 0) return std::max(a_bps, b_bps);
  return std::min(a_bps, b_bps);
}

std::array<uint64_t, dataplane::kPathsMax> ordered_rates(const Ordered& ours,
                                                         const Ordered& theirs) {
  std::array<uint64_t, dataplane::kPathsMax> rates{};
  for (const Ordered* all : {&ours, &theirs}) {
    for (const Ordered::Path& path : all->paths)
      rates[path.id] = lower_rate(rates[path.id], path.rate_bps);
  }
  return rates;
}

void apply_ordered(PathState& path, const Ordered& theirs) {
  const uint64_t rate_bps = ordered_rates({}, theirs)[path.index];
  path.rate_up_bps = lower_rate(path.rate_up_bps, rate_bps);
  path.rate_down_bps = lower_rate(path.rate_down_bps, rate_bps);
}

}  // namespace anabranch::control
