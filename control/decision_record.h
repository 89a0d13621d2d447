// SPDX-License-Identifier: BSD-3-Clause
// One decision on record, as a line of a file:
//
//   {"sha256":"…","record":{"number":7,"previous":"…","at":"2026-11-27T04:36:37.042Z",
//                           "gateway":"site-a","services":[3,4],"decision":{…}}}
//
// The hash is of the record's text, and `previous` is that of the record before, so that one which
// is altered, left out or put elsewhere is noticed. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>
#include <tl/expected.hpp>

namespace anabranch::control {

struct DecisionRecord {
  uint64_t number = 0;   // from 1
  std::string previous;  // empty: none is before it
  int64_t at_ns = 0;     // since 1970
  std::string gateway;
  // For which it was decided: those it was put in force for, or whose request it refuses; none: a
  // request that was refused and did not become a service.
  std::vector<uint64_t> services;
  nlohmann::json decision;  // decision.h
};

// What follows it refers to.
struct ChainEnd {
  uint64_t number = 0;  // 0: there is no record yet
  std::string sha256;
};

struct RecordLine {
  std::string text;  // with its line feed
  ChainEnd end;
};
RecordLine line_of(const DecisionRecord& record);

struct RecordRead {
  DecisionRecord record;
  std::string sha256;
};
// `line` is without its line feed. The error says what is wrong with it.
tl::expected<RecordRead, std::string> read_record(std::string_view line);

// "2026-11-27T04:36:37.042Z", UTC.
std::string millisecond_text(int64_t unix_ns);

}  // namespace anabranch::control
