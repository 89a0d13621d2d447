// SPDX-License-Identifier: BSD-3-Clause
// IPFIX messages as a collector sees them.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

namespace anabranch::control {

inline uint64_t number(const std::string& octets, size_t at, size_t count) {
  uint64_t value = 0;
  for (size_t i = at; i < at + count; ++i) value = value << 8 | static_cast<uint8_t>(octets.at(i));
  return value;
}

// A message as a collector sees it. Records are told apart by their start.
struct Seen {
  uint32_t sequence = 0;
  uint32_t data_records = 0;
  bool has_templates = false;
  std::vector<uint64_t> flows;
  std::vector<uint64_t> losses;  // flows, packets, octets
};

inline constexpr size_t kHeader = 16, kSet = 4;

inline void read_flows(const std::string& message, size_t at, size_t end, Seen& seen) {
  constexpr size_t kBeforeNames = 16 + 8 + 8 + 38;
  while (at < end) {
    seen.flows.push_back(number(message, at, 8));
    ++seen.data_records;
    at += kBeforeNames;
    at += 1 + number(message, at, 1) + 8;  // uplink, service
    at += 1 + number(message, at, 1);      // client
    at += 1 + number(message, at, 1) + 9;  // provider, kind, overhead
  }
  EXPECT_EQ(at, end);
}

inline Seen read_message(const std::string& message) {
  EXPECT_EQ(number(message, 0, 2), 10u);
  EXPECT_EQ(number(message, 2, 2), message.size());
  Seen seen{.sequence = static_cast<uint32_t>(number(message, 8, 4))};
  for (size_t at = kHeader; at < message.size(); at += number(message, at + 2, 2)) {
    const uint64_t id = number(message, at, 2), end = at + number(message, at + 2, 2);
    if (id == 2 || id == 3) seen.has_templates = true;
    if (id == 256) read_flows(message, at + kSet, end, seen);
    if (id == 259) seen.data_records += 5;
    if (id != 260) continue;
    ++seen.data_records;
    for (size_t i = 0; i < 3; ++i) seen.losses.push_back(number(message, at + kSet + 4 + 8 * i, 8));
  }
  return seen;
}

// All of a stream of whole messages, of which each follows the one before.
inline std::vector<Seen> read_messages(std::string stream) {
  std::vector<Seen> all;
  uint32_t sequence = 0;
  for (size_t length = 0; !stream.empty(); stream.erase(0, length)) {
    length = number(stream, 2, 2);
    all.push_back(read_message(stream.substr(0, length)));
    EXPECT_EQ(all.back().sequence, sequence);
    sequence += all.back().data_records;
  }
  return all;
}

}  // namespace anabranch::control
