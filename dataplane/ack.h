// SPDX-License-Identifier: BSD-3-Clause
// Acknowledgements: which packet numbers arrived, in ranges (as RFC 9000 19.3 has them), for all
// paths in one frame, which takes the path with the least delay. Content: reports, big-endian:
//    0  path
//    1  sending worker: whose numbers they are
//    2  number of ranges, 1 to kAckRangesMax
//    3  zero
//    4  the largest number that arrived, 8 octets
//   12  when it arrived, ns of the receiver's clock, 8 octets
//   20  how long ago that was, µs, 4 octets
//   24  ranges, 4 octets each, downwards from the largest: how many numbers before it did not
//       arrive (2; 0 in the first), how many did (2)
// What is below the last range is not reported, which says nothing of it.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "dataplane/bytes.h"
#include "dataplane/replay.h"

namespace anabranch::dataplane {

inline constexpr uint8_t kAckRangesMax = 32;
inline constexpr uint16_t kAckReportHeader = 24;
inline constexpr uint16_t kAckReportMax = kAckReportHeader + 4 * kAckRangesMax;
// How far below the largest number a report looks.
inline constexpr uint64_t kAckDepth = 8192;

struct AckRange {
  uint16_t missing = 0;
  uint16_t arrived = 0;
};

struct AckReport {
  uint8_t path = 0;
  uint8_t worker = 0;
  uint8_t range_count = 0;
  uint64_t largest = 0;
  uint64_t received_ns = 0;
  uint32_t held_us = 0;
  std::array<AckRange, kAckRangesMax> ranges;

  uint16_t length() const { return static_cast<uint16_t>(kAckReportHeader + 4 * range_count); }
};

// What `window` has accepted. Something must have been.
void fill_ranges(const ReplayWindow& window, AckReport& report);
void store_report(uint8_t* p, const AckReport& report);
// Takes a report off the front of `content`; false when it is not in order.
bool load_report(std::span<const uint8_t>& content, AckReport& report);

// What a receiver owes the sender of one path's numbers.
struct AckDebt {
  uint64_t due_ns = 0;  // 0: nothing new arrived
  uint64_t largest_at_ns = 0;
};

}  // namespace anabranch::dataplane
