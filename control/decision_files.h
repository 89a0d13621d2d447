// SPDX-License-Identifier: BSD-3-Clause
// The files that decisions are on record in: FOLDER/NNNNNNNN.jsonl, only ever appended to. A new
// one begins each day (UTC), when one is large enough, and behind a line that was torn; the oldest
// are removed. One thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

#include "control/decision_record.h"

namespace anabranch::control {

struct DecisionRetention {
  uint64_t file_octets = 16u << 20;   // about
  uint64_t keep_octets = 512u << 20;  // of all files; 0: no limit
  uint32_t keep_days = 400;           // since a file was last written; 0: for ever
};

// All of a folder, the oldest first.
std::vector<std::string> decision_files(const std::string& folder);

class DecisionFiles {
 public:
  DecisionFiles(std::string folder, DecisionRetention retention);
  ~DecisionFiles();
  DecisionFiles(const DecisionFiles&) = delete;
  DecisionFiles& operator=(const DecisionFiles&) = delete;

  // Looks where the records end that are there. To be called until it succeeds, before append().
  tl::expected<void, std::string> open(int64_t now_ns);
  const ChainEnd& end() const { return end_; }
  // All of the line is in a file afterwards, or nothing of it: it may be tried again.
  tl::expected<void, std::string> append(const RecordLine& line, int64_t now_ns);
  // To the disk.
  tl::expected<void, std::string> sync();

 private:
  tl::expected<void, std::string> begin_file(int64_t now_ns);
  int write_all(std::string_view text) const;
  void remove_old(int64_t now_ns) const;
  void close_file();

  const std::string folder_;
  const DecisionRetention retention_;
  ChainEnd end_;
  uint64_t newest_ = 0;  // the number of the newest file; 0: none
  std::string file_;
  int fd_ = -1;  // -1: the next record begins a file
  uint64_t octets_ = 0;
  int64_t day_ = 0;
};

}  // namespace anabranch::control
