// SPDX-License-Identifier: BSD-3-Clause
// Equal delays: where segments of one lane come over several paths, those of a faster path wait
// until the slowest would have brought them. Put in order, they would mostly wait for it anyway;
// but the first of each round would not, and a sender whose delay jumps between the fastest and the
// slowest path believes in congestion that is not there: HyStart ended slow start at 32 packets,
// and a file of 100 MB took 8.7 s instead of 5.6 (CUBIC, links of 100 Mbit/s and 10 ms, 50 and 30,
// 20 and 20).
#include "dataplane/stages.h"

namespace anabranch::dataplane {
namespace {

// How much sooner this path's segments come than the slowest's, of the paths the peer uses for
// segments of even delay.
uint64_t head_start_ns(const Context& context, uint8_t path) {
  const PathMeasure& own = context.measures[path];
  if (!own.delay_known()) return 0;
  int64_t fastest = own.delay_min_ns(), slowest = own.delay_min_ns();
  const auto each = [&](auto&& look) {
    for (uint32_t m = context.alive; m != 0; m &= m - 1) {
      const PathMeasure& other = context.measures[static_cast<uint8_t>(std::countr_zero(m))];
      if (other.delay_known() && other.peer_uses()) look(other.delay_min_ns());
    }
  };
  each([&](int64_t delay) { fastest = std::min(fastest, delay); });
  each([&](int64_t delay) {
    if (delay - fastest <= kSpreadMaxNs) slowest = std::max(slowest, delay);
  });
  return static_cast<uint64_t>(slowest - own.delay_min_ns());
}

}  // namespace

void find_head_starts(Context& context) {
  const uint64_t cap_ns = uint64_t{context.options.hole_wait_ms_max} * 1'000'000;
  for (uint32_t m = context.alive; m != 0; m &= m - 1) {
    const auto p = static_cast<uint8_t>(std::countr_zero(m));
    context.head_start[p] = context.ticks(std::min(head_start_ns(context, p), cap_ns));
  }
}

void equalise(Context& context, const Arrived& arrived, uint8_t path, uint64_t now) {
  // What is not sent to be even, and repairs, are waited for.
  if (!arrived.inner.has(kInnerEven) || arrived.inner.has(kInnerRepair))
    return assemble(context, arrived, now);
  DelayLine& line = context.delay_lines[path];
  const uint64_t due = now + context.head_start[path];
  // Never before what is in the line already; a full line passes its oldest on.
  if (line.count == DelayLine::kSize) assemble(context, line.take(), now);
  if (line.count == 0 && due <= now) return assemble(context, arrived, now);
  line.put(arrived, std::max(due, line.last_due));
}

void release_equalised(Context& context, uint64_t now) {
  uint32_t waiting = 0;
  for (DelayLine& line : context.delay_lines) {
    while (line.count != 0 && static_cast<int64_t>(now - line.next_due()) >= 0) {
      assemble(context, line.take(), now);
    }
    waiting += line.count;
  }
  context.equalising = waiting;
}

}  // namespace anabranch::dataplane
