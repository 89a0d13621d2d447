// SPDX-License-Identifier: BSD-3-Clause
// The files that decisions are on record in: FOLDER/NNNNNNNN.jsonl, only ever appended to. A new
// one begins each day (UTC), when one is large enough, and behind a line that was torn; the oldest
// are removed. One thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "control/appended_file.h"
#include "control/decision_record.h"

namespace anabranch::control {

// All of a folder, the oldest first.
std::vector<std::string> decision_files(const std::string& folder);

class DecisionFiles {
 public:
  DecisionFiles(std::string folder, FileRetention retention);

  // Looks where the records end that are there. To be called until it succeeds, before append().
  tl::expected<void, std::string> open(int64_t now_ns);
  const ChainEnd& end() const { return end_; }
  // All of the line is in a file afterwards, or nothing of it: it may be tried again.
  tl::expected<void, std::string> append(const RecordLine& line, int64_t now_ns);
  // To the disk.
  tl::expected<void, std::string> sync() { return file_.sync(); }

 private:
  tl::expected<void, std::string> begin_file(int64_t now_ns);

  const std::string folder_;
  const FileRetention retention_;
  ChainEnd end_;
  uint64_t newest_ = 0;  // the number of the newest file; 0: none
  AppendedFile file_;
};

}  // namespace anabranch::control
