// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/ack.h"

#include <algorithm>

namespace anabranch::dataplane {

void fill_ranges(const ReplayWindow& window, AckReport& report) {
  report.largest = window.highest();
  report.range_count = 0;
  const uint64_t floor = report.largest >= kAckDepth ? report.largest - kAckDepth + 1 : 0;
  uint64_t top = report.largest + 1;  // numbers from here on have been looked at
  uint16_t missing = 0;
  while (report.range_count < kAckRangesMax) {
    const auto arrived = window.run_below(top, floor, true);
    report.ranges[report.range_count++] = {missing, static_cast<uint16_t>(arrived)};
    top -= arrived;
    missing = static_cast<uint16_t>(window.run_below(top, floor, false));
    top -= missing;
    if (top == floor) break;
  }
}

void store_report(uint8_t* p, const AckReport& report) {
  p[0] = report.path;
  p[1] = report.worker;
  p[2] = report.range_count;
  p[3] = 0;
  store_be64(p + 4, report.largest);
  store_be64(p + 12, report.received_ns);
  store_be32(p + 20, report.held_us);
  for (uint8_t i = 0; i < report.range_count; ++i) {
    store_be16(p + kAckReportHeader + 4 * i, report.ranges[i].missing);
    store_be16(p + kAckReportHeader + 4 * i + 2, report.ranges[i].arrived);
  }
}

bool load_report(std::span<const uint8_t>& content, AckReport& report) {
  if (content.size() < kAckReportHeader) return false;
  const uint8_t* p = content.data();
  report.path = p[0];
  report.worker = p[1];
  report.range_count = p[2];
  if (report.range_count == 0 || report.range_count > kAckRangesMax || p[3] != 0) return false;
  if (content.size() < report.length()) return false;
  report.largest = load_be64(p + 4);
  report.received_ns = load_be64(p + 12);
  report.held_us = load_be32(p + 20);
  uint64_t covered = 0;
  for (uint8_t i = 0; i < report.range_count; ++i) {
    AckRange& range = report.ranges[i];
    range = {load_be16(p + kAckReportHeader + 4 * i), load_be16(p + kAckReportHeader + 4 * i + 2)};
    if (range.arrived == 0 || (range.missing == 0) != (i == 0)) return false;
    covered += uint64_t{range.missing} + range.arrived;
  }
  if (covered > kAckDepth || covered > report.largest + 1) return false;
  content = content.subspan(report.length());
  return true;
}

}  // namespace anabranch::dataplane
