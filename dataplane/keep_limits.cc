// SPDX-License-Identifier: BSD-3-Clause
// What of a path's quota this worker may still use, and what it does when that is nothing.
#include "dataplane/stages.h"

namespace anabranch::dataplane {

void take_over_limits(Context& context, const LimitTable& limits) {
  context.limits_version = limits.version;
  context.closed = context.slowed = 0;
  for (uint8_t p = 1; p < kPathsMax; ++p) {
    context.given_until[p] = limits.paths[p].until[context.options.id];
    context.slow_pace[p] = limits.paths[p].slow_pace;
    if (context.telemetry[p].given.get() >= context.given_until[p]) leave_path(context, p);
  }
}

void leave_path(Context& context, uint8_t p) {
  uint16_t& mask = context.slow_pace[p] == 0 ? context.closed : context.slowed;
  mask = static_cast<uint16_t>(mask | 1u << p);
}

}  // namespace anabranch::dataplane
