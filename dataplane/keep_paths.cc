// SPDX-License-Identifier: BSD-3-Clause
// What time does to paths: beats that are due, paths that died or came back, and how long a hole in
// a lane is worth waiting for.
#include "dataplane/stages.h"

namespace anabranch::dataplane {
namespace {

constexpr uint64_t kKeepNs = 1'000'000;  // paths are looked at once a millisecond
constexpr uint64_t kHoleMarginNs =
    10'000'000;  // over the spread of delays: what they vary in a beat

uint64_t beat_interval_ns(const Path& path) {
  if (path.in_use) return kBeatInUseNs;
  return path.doubted ? kBeatDoubtedNs : kBeatIdleNs;
}

void send_beat(Context& context, uint8_t p, const Path& path) {
  uint8_t clear[kBeatLength];
  Beat beat = context.measures[p].make_beat(context.now_ns, beat_interval_ns(path));
  if (path.estimated) beat.capacity_bps = context.capacities[p].found();
  for (uint8_t other = 1; other < context.workers(); ++other) {
    const Crew::Heard& heard = context.options.crew->heard[other][p];
    beat.received += heard.received.get();
    beat.expected += heard.expected.get();
  }
  store_beat(clear, beat);
  send_control(context, p, path, SegmentType::beat, clear);
}

// All paths to a peer share the unknown offset of its clock, so delays may be compared.
void update_hole_wait(Context& context) {
  int64_t least = INT64_MAX, most = INT64_MIN;
  for (uint8_t p = 1; p < kPathsMax; ++p) {
    const PathMeasure& measure = context.measures[p];
    if ((context.alive >> p & 1) == 0 || !measure.delay_known()) continue;
    least = std::min(least, measure.delay_min_ns());
    most = std::max(most, measure.delay_max_ns());
  }
  const uint64_t cap_ns = uint64_t{context.options.hole_wait_ms_max} * 1'000'000;
  const uint64_t wait_ns =
      most < least ? cap_ns : std::min(cap_ns, static_cast<uint64_t>(most - least) + kHoleMarginNs);
  context.hole_wait = context.ticks(wait_ns);
}

void update_codel(Context& context) {
  uint64_t rtt_ns = 0;
  for (uint32_t m = context.alive; m != 0; m &= m - 1) {
    const auto p = static_cast<uint8_t>(std::countr_zero(m));
    if (context.paths->paths[p].in_use) rtt_ns = std::max(rtt_ns, context.measures[p].rtt_ns());
  }
  if (rtt_ns != 0) context.codel = codel_limits(rtt_ns, context.queues.flows());
}

// What is under way may be twice what all paths carry in a round trip, since a loss is known after
// one and its repair after another.
void update_retention(Context& context) {
  uint64_t octets = 0;
  for (uint32_t m = context.alive; m != 0; m &= m - 1) {
    const auto p = static_cast<uint8_t>(std::countr_zero(m));
    if (const uint64_t pace = pace_on(context, p); pace != 0)
      octets += (2 * context.measures[p].rtt_ns() << 16) / pace;
  }
  context.retained_octets_max = std::max(context.options.retained_octets_least, octets);
}

// What one worker hears of a path keeps it alive for all; what it carries, the first finds out.
void share_with_crew(Context& context, uint8_t p) {
  Crew& crew = *context.options.crew;
  PathMeasure& measure = context.measures[p];
  Crew::Heard& own = crew.heard[context.options.id][p];
  own.at_ns.set(measure.heard_at_ns());
  own.received.set(measure.received());
  own.expected.set(measure.expected());
  for (uint8_t worker = 0; worker < crew.workers; ++worker)
    measure.heard_elsewhere(crew.heard[worker][p].at_ns.get());
  Capacity& capacity = context.capacities[p];
  if (context.is_first()) {
    crew.found[p].pace.set(capacity.pace());
    crew.found[p].bps.set(capacity.found());
  } else if (const uint64_t pace = crew.found[p].pace.get(); pace != 0) {
    capacity.follow(pace, crew.found[p].bps.get());
  }
}

void keep_path(Context& context, uint8_t p, const Path& path) {
  PathMeasure& measure = context.measures[p];
  const auto bit = static_cast<uint16_t>(1u << p);
  if (context.options.crew != nullptr) share_with_crew(context, p);
  const bool alive = path.reachable && measure.alive(context.now_ns);
  context.alive = static_cast<uint16_t>(alive ? context.alive | bit : context.alive & ~bit);
  measure.write(context.telemetry[p], alive);
  context.telemetry[p].fits_octets.set(std::min(path.mtu, context.fits[p].limit(context.now_ns)));
  context.telemetry[p].capacity_bps.set(context.capacities[p].found());
  keep_flight(context, p, alive);
  measure.hurry(context.now_ns, beat_interval_ns(path));
  if (path.reachable && context.is_first() && measure.beat_due(context.now_ns))
    send_beat(context, p, path);
}

}  // namespace

void keep_paths(Context& context) {
  if (context.now_ns < context.keep_at_ns) return;
  context.keep_at_ns = context.now_ns + kKeepNs;
  const Plan* house = context.plans->plan(kHouseSlot);
  const uint32_t session = house == nullptr ? 0 : house->receiver_index;
  if (context.house_session != session) {
    context.measures = {};
    context.fits = {};
    context.capacities = {};
    forget_flights(context);
    context.debts = {};
    context.acks_due_ns = 0;
    context.house_session = session;
    context.alive = 0;
  }
  const PathTable& table = *context.paths;
  for (uint8_t p = 1; p < kPathsMax; ++p) {
    if (table.paths[p].configured && house != nullptr && house->peer_index != 0) {
      keep_path(context, p, table.paths[p]);
    } else {
      context.alive = static_cast<uint16_t>(context.alive & ~(1u << p));
      context.telemetry[p].alive.set(0);
      keep_flight(context, p, false);
    }
  }
  // Also by who has nothing to send: how often the key was used is asked for.
  Drop unable;
  may_seal(context, unable);
  context.counters.sealed.set(context.sealed);
  find_sound_paths(context);
  find_head_starts(context);
  update_hole_wait(context);
  update_codel(context);
  update_retention(context);
  if (context.options.crew != nullptr) update_share(context);
}

void receive_beat(Context& context, uint8_t path, std::span<const uint8_t> payload) {
  context.measures[path].beat_received(load_beat(payload.data()), context.now_ns);
}

}  // namespace anabranch::dataplane
