// SPDX-License-Identifier: BSD-3-Clause
// What is billed: octets of outer IP packets, by meter. A meter's readings only grow; a usage
// record is the interval between two readings, so records may be delivered any number of times and
// in any batching, and are charged once.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string_view>

namespace anabranch::billing {

enum class Direction : uint8_t { sent, received };
inline constexpr std::array<std::string_view, 2> kDirectionNames{"sent", "received"};

enum class Kind : uint8_t { first, repair, copy, overhead, control, refused, unattended };
inline constexpr std::array<std::string_view, 7> kKindNames{
    "first", "repair", "copy", "overhead", "control", "refused", "unattended"};

// The "service" of a path's total: all that it carried each way, for clients of either gateway and
// the house. Evidence to hold against the other gateway's; charged to nobody.
inline constexpr uint64_t kPathTotal = UINT64_MAX;

// One meter. All of it is on disk: explicit widths, no padding.
struct MeterKey {
  uint64_t region = 0;   // the shared-memory region the meter lives in; random, never reused
  uint64_t service = 0;  // 0: the house
  uint16_t worker = 0;
  uint16_t path = 0;  // catalogue id (Ledger::path_id)
  Direction direction = Direction::sent;
  Kind kind = Kind::first;
  uint16_t zero = 0;
  auto operator<=>(const MeterKey&) const = default;
};
static_assert(sizeof(MeterKey) == 24);

// Totals since the meter began.
struct Reading {
  MeterKey key;
  uint64_t octets = 0;
  uint64_t packets = 0;
};

struct UsageRecord {
  MeterKey key;
  uint64_t octets_from = 0, octets_to = 0;
  uint64_t packets_from = 0, packets_to = 0;
  int64_t wall_from_ns = 0, wall_to_ns = 0;  // of which period and time of day it is
};
static_assert(sizeof(UsageRecord) == 72);

}  // namespace anabranch::billing
