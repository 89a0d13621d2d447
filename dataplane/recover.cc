// SPDX-License-Identifier: BSD-3-Clause
// What was sent and did not arrive is sent again, on the path that delivers first, under its lane
// number and a new packet number (RFC 9002, for each path; what is repaired is the client's packet,
// not the frame).
#include "dataplane/ack.h"
#include "dataplane/stages.h"

namespace anabranch::dataplane {
namespace {

constexpr uint64_t kReorderingForgottenNs = 10'000'000'000;
constexpr uint32_t kReorderingMax = 4096;
// The last few packets may all be lost by chance, but hardly so many.
constexpr uint32_t kSuspiciousLosses = 4;

void count_retained(Context& context, const Segment& segment) {
  ++context.retained;
  context.retained_octets += rte_pktmbuf_data_len(segment.clear);
}
void uncount_retained(Context& context, const Segment& segment) {
  --context.retained;
  context.retained_octets -= rte_pktmbuf_data_len(segment.clear);
}

void release(Context& context, Segment& segment) {
  if (segment.clear == nullptr) return;
  uncount_retained(context, segment);
  rte_pktmbuf_free(segment.clear);
  segment.clear = nullptr;
}

// It will not come: the receiver need not wait (as RFC 3758 FORWARD TSN).
void give_up(Context& context, Segment& segment) {
  release(context, segment);
  context.counters.given_up.add(1);
  const Plan* plan = context.plans->plan(segment.slot);
  if (plan == nullptr || plan->peer_index != segment.peer_index) return;
  const uint8_t p = earliest_path(context, plan->path_mask);
  if (p == 0) return;
  uint8_t content[kForwardLength];
  store_be32(content, segment.peer_index);
  content[4] = segment.lane;
  store_be32(content + 5, segment.sn);
  send_control(context, p, context.paths->paths[p], SegmentType::forward, content);
}

// Later the host has sent it again itself, and the receiver waits no more.
bool is_too_late(const Context& context, const Segment& segment) {
  return context.now_ns - segment.born_ns > uint64_t{context.options.hole_wait_ms_max} * 1'000'000;
}

void repair(Context& context, uint8_t p, Sent& sent) {
  Flight& flight = context.flights[p];
  sent.fate = Fate::lost;
  flight.octets -= sent.octets;
  context.fits[p].lost(sent.octets, context.now_ns);
  context.capacities[p].lost(sent.octets + context.paths->paths[p].link_overhead);
  Segment segment = sent.segment;
  sent.segment.clear = nullptr;
  if (segment.clear == nullptr || is_too_late(context, segment) || !context.repairs.put(segment)) {
    give_up(context, segment);
  }
}

// Overtaken and not lost: the path reorders.
void learn_reordering(Context& context, Flight& flight, const Sent& sent, uint64_t largest) {
  const auto by =
      static_cast<uint32_t>(std::min<uint64_t>(largest - sent.number + 1, kReorderingMax));
  const uint64_t took_ns = context.now_ns - sent.at_ns;
  if (by < Flight::kPacketThreshold) return;
  flight.reordering = std::max(flight.reordering, by);
  flight.overtaken_ns = std::max(flight.overtaken_ns, took_ns);
  flight.reordered_at_ns = context.now_ns;
}

void acknowledge(Context& context, uint8_t p, Sent& sent, uint64_t largest_before) {
  if (sent.fate == Fate::settled) return;
  Flight& flight = context.flights[p];
  context.fits[p].arrived(sent.octets);
  context.capacities[p].arrived(sent.octets + context.paths->paths[p].link_overhead);
  context.telemetry[p].arrived.add(sent.octets);
  if (sent.fate == Fate::none) {
    sent.fate = Fate::settled;
    return;
  }
  if (flight.any_acked && sent.number < largest_before)
    learn_reordering(context, flight, sent, largest_before);
  if (sent.fate == Fate::in_flight) {
    flight.octets -= sent.octets;
    release(context, sent.segment);
  } else {
    context.counters.repaired_in_vain.add(1);
  }
  sent.fate = Fate::settled;
}

uint64_t patience_of(uint64_t by_rtt_ns, const Flight& flight) {
  // Not for ever: what somebody on the way kept and sent on later was not overtaken.
  return std::max(by_rtt_ns,
                  std::min(flight.overtaken_ns + flight.overtaken_ns / 8, 2 * by_rtt_ns));
}

// RFC 9002 6.1: by how many others overtook it, or for how long it was overtaken.
void detect_losses(Context& context, uint8_t p) {
  Flight& flight = context.flights[p];
  if (context.now_ns - flight.reordered_at_ns > kReorderingForgottenNs) {
    flight.reordering = Flight::kPacketThreshold;
    flight.overtaken_ns = 0;
  }
  const uint64_t patience_ns = patience_of(context.measures[p].loss_patience_ns(), flight);
  flight.loss_at_ns = 0;
  for (uint64_t n = flight.first; n < flight.largest_acked; ++n) {
    Sent& sent = flight.at(n);
    if (sent.fate != Fate::in_flight) continue;
    if (flight.largest_acked - n >= flight.reordering ||
        context.now_ns - sent.at_ns >= patience_ns) {
      repair(context, p, sent);
    } else if (flight.loss_at_ns == 0) {
      flight.loss_at_ns = sent.at_ns + patience_ns;
    }
  }
  flight.advance(context.now_ns - std::min(context.now_ns, 2 * patience_ns));
}

// What a path carries is for all workers together to find: the first does, of what all report.
struct CapacityNews {
  Capacity::Counts counts;
  Capacity::Report report;
};

void report_capacity(Context& context, uint8_t p, const Capacity::Report& report) {
  if (context.is_first()) return context.capacities[p].reported(report);
  if (!context.paths->paths[p].estimated) return;
  uint8_t content[sizeof(CapacityNews)];
  const CapacityNews news{context.capacities[p].take_counts(), report};
  std::memcpy(content, &news, sizeof news);
  tell(context, 0, News::capacity, p, content);
}

void receive_report(Context& context, const AckReport& report) {
  if (report.path >= kPathsMax) return;
  Flight& flight = context.flights[report.path];
  const Sent* largest = flight.find(report.largest);
  if (largest == nullptr) return;  // of another life of this process, or made up
  PathMeasure& measure = context.measures[report.path];
  measure.delay_out(largest->at_ns, report.received_ns, context.now_ns);
  if (!flight.any_acked || report.largest > flight.largest_acked)
    measure.round_trip(largest->at_ns, uint64_t{report.held_us} * 1000, context.now_ns);
  const uint64_t largest_before = flight.largest_acked;
  uint64_t top = report.largest + 1;
  for (uint8_t i = 0; i < report.range_count && top > flight.first; ++i) {
    top -= std::min<uint64_t>(report.ranges[i].missing, top - flight.first);
    const uint64_t end = top - std::min<uint64_t>(report.ranges[i].arrived, top - flight.first);
    for (; top > end; --top) acknowledge(context, report.path, flight.at(top - 1), largest_before);
  }
  flight.largest_acked = std::max(flight.largest_acked, report.largest);
  flight.any_acked = true;
  flight.acked_at_ns = context.now_ns;
  flight.overdue = 0;
  report_capacity(context, report.path,
                  {.sent_ns = largest->at_ns,
                   .received_ns = report.received_ns,
                   .rtt_ns = measure.rtt_ns(),
                   .now_ns = context.now_ns});
  detect_losses(context, report.path);
}

// Everything that has been under way for longer than it should have; returns how many.
uint32_t repair_overdue(Context& context, uint8_t p, uint64_t pto_ns) {
  Flight& flight = context.flights[p];
  uint32_t overdue = 0;
  for (uint64_t n = flight.first; n < flight.next; ++n) {
    Sent& sent = flight.at(n);
    if (context.now_ns - sent.at_ns < pto_ns) break;
    if (sent.fate != Fate::in_flight) continue;
    repair(context, p, sent);
    ++overdue;
  }
  return overdue;
}

// What was lost on a path twice goes another way, if there is one. 0: all are busy, or dead.
uint8_t path_for_repair(const Context& context, const Plan& plan, const Segment& segment) {
  const auto others = static_cast<uint16_t>(plan.path_mask & ~(1u << segment.path));
  const Choice other = segment.sendings < 2 ? Choice{} : choose_free_path(context, others);
  if (other.what != Choice::What::none) return other.path;
  return choose_free_path(context, plan.path_mask).path;
}

}  // namespace

void retain(Context& context, uint8_t p, const Segment& segment) {
  Flight& flight = context.flights[p];
  Sent& sent = flight.at(flight.next - 1);
  sent.fate = Fate::in_flight;
  sent.segment = segment;
  sent.segment.path = p;
  ++sent.segment.sendings;
  flight.octets += sent.octets;
  if (context.retained >= context.options.retained_max ||
      context.retained_octets >= context.retained_octets_max) {
    context.counters.unretained.add(1);
    rte_pktmbuf_free(segment.clear);
    sent.segment.clear = nullptr;
    return;
  }
  count_retained(context, segment);
}

void retry_later(Context& context, Segment& fragment, bool keep) {
  if (keep && context.repairs.put(fragment)) return count_retained(context, fragment);
  context.counters.made.add(1);
  context.drop(fragment.clear, Drop::no_buffer);
}

bool receive_acks(Context& context, std::span<const uint8_t> content) {
  const StageTimes::Scope timed(context.times, Stage::acks, 1);
  context.acks_heard_ns = context.now_ns;
  while (!content.empty()) {
    AckReport report;
    const auto from = content;
    if (!load_report(content, report)) return false;
    if (report.worker == context.options.id) {
      receive_report(context, report);
    } else {
      tell(context, report.worker, News::acks, 0, from.first(report.length()));
    }
  }
  return true;
}

void receive_capacity_news(Context& context, uint8_t p, std::span<const uint8_t> content) {
  CapacityNews news;
  std::memcpy(&news, content.data(), sizeof news);
  context.capacities[p].add(news.counts);
  context.capacities[p].reported(news.report);
}

void forget_number(Context& context, Flight& flight, uint64_t number) {
  Sent& sent = flight.at(number);
  sent.fate = Fate::lost;
  flight.octets -= sent.octets;
  give_up(context, sent.segment);
}

void keep_flight(Context& context, uint8_t p, bool alive) {
  Flight& flight = context.flights[p];
  PathMeasure& measure = context.measures[p];
  if (flight.loss_at_ns != 0 && context.now_ns >= flight.loss_at_ns) detect_losses(context, p);
  flight.advance(0);
  if (flight.first == flight.next) return;
  if (!alive) {
    repair_overdue(context, p, 0);
    return;
  }
  const uint64_t oldest_ns = flight.at(flight.first).at_ns;
  const uint64_t pto_ns = patience_of(measure.pto_ns(), flight);
  const uint64_t waited_ns = context.now_ns - oldest_ns;
  if (waited_ns < pto_ns) return;
  // While nothing at all is acknowledged, it may be that the acknowledgements do not arrive.
  const bool others_are_heard = context.acks_heard_ns >= oldest_ns + measure.rtt_ns();
  if (!others_are_heard && waited_ns < 2 * pto_ns) return;
  flight.overdue += repair_overdue(context, p, pto_ns);
  if (flight.overdue < kSuspiciousLosses) return;
  measure.suspect(context.now_ns);
  flight.overdue = 0;
}

void send_repairs(Context& context) {
  if (context.repairs.empty()) return;
  const StageTimes::Scope timed(context.times, Stage::repair);
  while (!context.repairs.empty()) {
    Drop unable;
    if (!may_seal(context, unable)) return;
    Segment segment = context.repairs.front();
    const Plan* plan = context.plans->plan(segment.slot);
    const bool wanted = plan != nullptr && plan->peer_index == segment.peer_index;
    const uint8_t p = wanted ? path_for_repair(context, *plan, segment) : 0;
    if (wanted && p == 0) return;
    context.repairs.drop_front();
    if (!wanted || is_too_late(context, segment)) {
      give_up(context, segment);
      continue;
    }
    uncount_retained(context, segment);  // retain() counts it again
    octets(segment.clear)[0] |= kInnerRepair;
    if (!transmit(context, segment, p, Kind::repair, true)) {
      count_retained(context, segment);
      context.repairs.put(segment);
      return;
    }
    context.counters.made.add(1);
    context.counters.repaired.add(1);
    context.times.count(Stage::repair, 1);
  }
}

void forget_flights(Context& context) {
  for (Flight& flight : context.flights) {
    for (uint64_t n = flight.first; n < flight.next; ++n) {
      Sent& sent = flight.at(n);
      if (sent.fate == Fate::in_flight) release(context, sent.segment);
      sent.fate = Fate::settled;
    }
    flight.forget();
  }
  while (!context.repairs.empty()) {
    Segment segment = context.repairs.front();
    release(context, segment);
    context.repairs.drop_front();
  }
}

}  // namespace anabranch::dataplane
