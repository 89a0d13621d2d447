// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/disperse.h"

#include <algorithm>

#include "dataplane/stages.h"

namespace anabranch::dataplane {
namespace {

// How far ahead of its pace a path may be given packets of flows that are in no hurry for more.
constexpr uint64_t kBorrowNs = 5'000'000;
// A copy that would come later than this is of no use.
constexpr uint64_t kCopyAheadNs = 20'000'000;
// A path may have become slower since it was measured.
constexpr uint64_t kFlowletMarginNs = 50'000'000;

// Smaller packets, and faster paths than one of 5 Mbit/s, are not worth a cut (cut.cc).
constexpr uint16_t kWorthCutting = 300;
constexpr uint64_t kSlowPace = pace_of(5'000'000);

using What = Choice::What;

// Who has no say in the path waits for it.
Choice free_or_wait(const Context& context, uint8_t p) {
  if (p == 0) return {};
  return {context.paces[p].is_free(context.now_ns) ? What::path : What::wait, p};
}

template <typename Predicate>
uint16_t those(uint16_t mask, Predicate predicate) {
  uint16_t result = 0;
  for (uint32_t m = mask; m != 0; m &= m - 1) {
    const auto p = static_cast<uint8_t>(std::countr_zero(m));
    if (predicate(p)) result = static_cast<uint16_t>(result | 1u << p);
  }
  return result;
}

// Those that are alive; suspected ones only when there are no others.
uint16_t live_paths(const Context& context, uint16_t mask) {
  const auto sound = static_cast<uint16_t>(mask & context.sound);
  return sound != 0 ? sound : static_cast<uint16_t>(mask & context.sendable);
}

// … those a client's packet may be sent on.
uint16_t usable_paths(const Context& context, uint16_t mask) {
  return live_paths(context, static_cast<uint16_t>(mask & ~context.closed));
}

int64_t delay_of(const Context& context, uint8_t p) {
  const PathMeasure& measure = context.measures[p];
  return measure.delay_out_known() ? measure.delay_out_ns() : INT64_MAX / 2;
}

template <typename Cost>
uint8_t least(uint16_t mask, Cost cost) {
  uint8_t best = 0;
  for (uint32_t m = mask; m != 0; m &= m - 1) {
    const auto p = static_cast<uint8_t>(std::countr_zero(m));
    if (best == 0 || cost(p) < cost(best)) best = p;
  }
  return best;
}

uint8_t earliest_of(const Context& context, uint16_t usable) {
  return least(usable, [&](uint8_t p) {
    return delay_of(context, p) + static_cast<int64_t>(context.paces[p].ahead_ns(context.now_ns));
  });
}

// Any that can send now, but for those that are much slower than the fastest.
Choice fastest_free_of(const Context& context, uint16_t usable) {
  const auto delay = [&](uint8_t p) { return delay_of(context, p); };
  const uint8_t fastest = least(usable, delay);
  const uint16_t worthwhile =
      those(usable, [&](uint8_t p) { return delay(p) - delay(fastest) <= kSpreadMaxNs; });
  const uint16_t free =
      those(worthwhile, [&](uint8_t p) { return context.paces[p].is_free(context.now_ns); });
  if (free == 0) return {worthwhile == 0 ? What::none : What::wait, 0};
  return {What::path, least(free, delay)};
}

Choice least_busy_of(const Context& context, uint16_t usable) {
  const uint8_t p = earliest_of(context, usable);
  if (p == 0) return {};
  return {context.paces[p].ahead_ns(context.now_ns) > kBorrowNs ? What::wait : What::path, p};
}

// A pause of this length: what follows on another path cannot overtake what came before.
uint64_t flowlet_gap_ns(const Context& context, uint16_t usable) {
  const auto delay = [&](uint8_t p) { return delay_of(context, p); };
  const auto slowness = [&](uint8_t p) { return -delay_of(context, p); };
  return static_cast<uint64_t>(delay(least(usable, slowness)) - delay(least(usable, delay))) +
         kFlowletMarginNs;
}

Choice choose_by_flowlet(const Context& context, Flowlet& flowlet, uint16_t usable) {
  if (usable == 0) return {};
  const bool lost_its_path = (usable >> flowlet.path & 1) == 0;
  if (lost_its_path || context.now_ns - flowlet.last_ns > flowlet_gap_ns(context, usable))
    flowlet.path = earliest_of(context, usable);
  const Choice choice = free_or_wait(context, flowlet.path);
  if (choice.what == What::path) flowlet.last_ns = context.now_ns;
  return choice;
}

Choice choose_by_order(const Context& context, const Plan& plan, uint16_t usable) {
  Choice choice;
  for (const uint8_t p : plan.order) {
    if (p == 0) break;
    if ((usable >> p & 1) == 0) continue;
    choice = free_or_wait(context, p);
    if (choice.what == What::path || plan.dispersion == Dispersion::standby) break;
  }
  return choice;
}

}  // namespace

void find_sound_paths(Context& context) {
  const PathTable& table = *context.paths;
  context.sendable = those(context.alive, [&](uint8_t p) { return table.paths[p].reachable; });
  context.sound =
      those(context.sendable, [&](uint8_t p) { return !context.measures[p].suspected(); });
}

uint8_t earliest_path(const Context& context, uint16_t mask) {
  const uint8_t p = earliest_of(context, usable_paths(context, mask));
  return p != 0 || context.closed == 0 ? p : earliest_of(context, live_paths(context, mask));
}

Choice choose_free_path(const Context& context, uint16_t mask) {
  return fastest_free_of(context, usable_paths(context, mask));
}

uint8_t path_for_copy(const Context& context, const Plan& plan, uint8_t path) {
  const auto mask = static_cast<uint16_t>(plan.path_mask & ~(1u << path));
  const uint16_t free = those(usable_paths(context, mask), [&](uint8_t p) {
    return context.paces[p].ahead_ns(context.now_ns) <= kCopyAheadNs;
  });
  const uint16_t of_others =
      those(free, [&](uint8_t p) { return plan.provider[p] != plan.provider[path]; });
  return earliest_of(context, of_others != 0 ? of_others : free);
}

// Only over paths whose rate is known and that are idle: what has to be waited for anyway is better
// sent whole.
Cuts choose_cuts(const Context& context, const Plan& plan, uint16_t length) {
  if (length < kWorthCutting || plan.dispersion != Dispersion::earliest_delivery) return {};
  std::array<Offer, kPathsMax> offers;
  size_t count = 0;
  for (uint32_t m = usable_paths(context, plan.path_mask); m != 0; m &= m - 1) {
    const auto p = static_cast<uint8_t>(std::countr_zero(m));
    const Path& path = context.paths->paths[p];
    const bool is_known = !path.estimated || context.capacities[p].found() != 0;
    const uint64_t pace = pace_on(context, p);
    if (!is_known || pace < kSlowPace || !context.paces[p].is_free(context.now_ns)) continue;
    offers[count++] = {.path = p,
                       .room = static_cast<uint16_t>(room_on(context, p) - kFragmentHeader),
                       .delay_ns = delay_of(context, p),
                       .pace = pace,
                       .extra_octets = static_cast<uint32_t>(segment_overhead(path.outer_ip) +
                                                             path.link_overhead)};
  }
  return count < 2 ? Cuts{} : cut_to_hurry({offers.data(), count}, length);
}

namespace {

Choice choose_among(Context& context, const Plan& plan, ServiceState& service, uint8_t bucket,
                    uint16_t usable, uint16_t length, bool even) {
  switch (plan.dispersion) {
    case Dispersion::earliest_delivery:
      return even ? fastest_free_of(context, usable) : least_busy_of(context, usable);
    case Dispersion::flowlet:
      return choose_by_flowlet(context, service.flowlets[bucket], usable);
    case Dispersion::redundant:
      return least_busy_of(context, usable);
    case Dispersion::priority:
    case Dispersion::standby:
      return choose_by_order(context, plan, usable);
    case Dispersion::weighted:
      break;
  }
  if (plan.segmentation == Segmentation::flow)
    return free_or_wait(context, choose_by_flow(plan, usable, bucket));
  const auto octet_count = static_cast<uint32_t>(length + kSegmentOverhead);
  const Choice choice =
      free_or_wait(context, choose_by_packet(plan, service.shares, usable, octet_count));
  if (choice.what == What::wait) undo_choice(plan, service.shares, choice.path, octet_count);
  return choice;
}

}  // namespace

Choice choose_path(Context& context, const Plan& plan, ServiceState& service, uint8_t bucket,
                   uint16_t length, bool even) {
  const uint16_t usable = usable_paths(context, plan.path_mask);
  const Choice choice = choose_among(context, plan, service, bucket, usable, length, even);
  if ((plan.path_mask & context.sendable & context.closed) != 0 && choice.what == What::path)
      [[unlikely]]
    context.counters.diverted.add(1);
  return choice;
}

Drop reason_for_no_path(const Context& context, const Plan& plan) {
  const bool any = (plan.path_mask & context.sendable & context.closed) != 0;
  return any ? Drop::quota_used_up : Drop::path_down;
}

}  // namespace anabranch::dataplane
