// SPDX-License-Identifier: BSD-3-Clause
// Acknowledging what arrives: soon, but for many packets at once. The frame takes the path that
// delivers first, whatever paths it speaks of: the sooner a loss is known, the sooner it is
// repaired. Every fourth takes another, lest the loss of that path make all others look lost.
#include "dataplane/ack.h"
#include "dataplane/stages.h"

namespace anabranch::dataplane {
namespace {

constexpr uint16_t kAcksMax = 1200;  // octets of reports in a frame, where the path has room
constexpr uint32_t kEveryOnAnother = 4;

uint64_t ack_delay_ns(const PathMeasure& measure) {
  return std::clamp(measure.rtt_ns() / 8, kAckDelayMinNs, kAckDelayMaxNs);
}

uint8_t choose_ack_path(Context& context) {
  const uint8_t best = earliest_path(context, UINT16_MAX);
  if (best == 0 || ++context.acks_sent % kEveryOnAnother != 0) return best;
  const uint8_t other = earliest_path(context, static_cast<uint16_t>(~(1u << best)));
  return other == 0 ? best : other;
}

AckReport make_report(Context& context, uint8_t worker, uint8_t p, AckDebt& debt) {
  AckReport report{.path = p, .worker = worker};
  fill_ranges(context.window(worker, p), report);
  report.received_ns = debt.largest_at_ns;
  report.held_us = static_cast<uint32_t>((context.now_ns - debt.largest_at_ns) / 1000);
  return report;
}

}  // namespace

void owe_ack(Context& context, uint8_t worker, uint8_t p, bool newest) {
  AckDebt& debt = context.debts[worker][p];
  if (newest || debt.largest_at_ns == 0) debt.largest_at_ns = context.now_ns;
  if (debt.due_ns != 0) return;
  debt.due_ns = context.now_ns + ack_delay_ns(context.measures[p]);
  if (context.acks_due_ns == 0 || debt.due_ns < context.acks_due_ns)
    context.acks_due_ns = debt.due_ns;
}

void send_acks(Context& context) {
  if (context.acks_due_ns == 0 || context.now_ns < context.acks_due_ns) return;
  const StageTimes::Scope timed(context.times, Stage::acks, 1);
  const uint8_t by = choose_ack_path(context);
  if (by == 0) return;  // they stay due
  uint8_t content[kAcksMax];
  const uint16_t room = std::min(kAcksMax, room_on(context, by));
  uint16_t length = 0;
  uint64_t next_due_ns = 0;
  for (uint8_t worker = 0; worker < kWorkersMax; ++worker) {
    for (uint8_t p = 1; p < kPathsMax; ++p) {
      AckDebt& debt = context.debts[worker][p];
      if (debt.due_ns == 0) continue;
      if (length + kAckReportMax > room) {
        next_due_ns = context.now_ns;
        continue;
      }
      const AckReport report = make_report(context, worker, p, debt);
      store_report(&content[length], report);
      length = static_cast<uint16_t>(length + report.length());
      debt.due_ns = 0;
    }
  }
  context.acks_due_ns = next_due_ns;
  if (length != 0)
    send_control(context, by, context.paths->paths[by], SegmentType::ack, {content, length});
}

}  // namespace anabranch::dataplane
