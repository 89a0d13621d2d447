// SPDX-License-Identifier: BSD-3-Clause
// Keeps decisions on record (decision_files.h), aside (written_aside.h): what lost beside a
// decision is weighed there too.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "control/decision.h"
#include "control/decision_files.h"
#include "control/written_aside.h"

namespace anabranch::control {

class DecisionLog {
 public:
  struct Options {
    std::string folder;
    std::string gateway;
    FileRetention retention;
    // Decisions of some 7 kB each that may wait for the disk; those beyond it are lost.
    size_t waiting_max = 8192;
    std::function<void(const std::string&)> notice;  // on the thread of the log
  };

  explicit DecisionLog(Options options);

  // Any thread; never waits. Of `decision`, inputs and choice are looked at.
  void put(int64_t at_ns, std::vector<uint64_t> services, Decision decision);
  WrittenCounts counts() const { return aside_.counts(); }

 private:
  struct Made {
    int64_t at_ns = 0;
    std::vector<uint64_t> services;
    Decision decision;
    std::optional<DecisionRecord> record;  // once it is weighed
  };
  tl::expected<void, std::string> write(Made& made);
  void weigh(Made& made) const;

  const std::string gateway_;
  // Of the thread.
  DecisionFiles files_;
  bool is_open_ = false;
  WrittenAside<Made> aside_;
};

}  // namespace anabranch::control
