// SPDX-License-Identifier: BSD-3-Clause
// Keeps decisions on record (decision_files.h), on a thread of its own: what lost beside a decision
// is weighed there too, and a slow disk holds up neither control nor billing.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "control/decision.h"
#include "control/decision_files.h"

namespace anabranch::control {

class DecisionLog {
 public:
  struct Options {
    std::string folder;
    std::string gateway;
    DecisionRetention retention;
    // Decisions of some 7 kB each that may wait for the disk; those beyond it are lost.
    size_t waiting_max = 8192;
    std::function<void(const std::string&)> notice;  // on the thread of the log
  };
  struct Counts {
    uint64_t written = 0;
    uint64_t waiting = 0;
    uint64_t failures = 0;  // of tries to write
    uint64_t lost = 0;      // never on record
  };

  explicit DecisionLog(Options options);
  // Writes what waits, as far as it can be written.
  ~DecisionLog();

  // Any thread; never waits. Of `decision`, inputs and choice are looked at.
  void put(int64_t at_ns, std::vector<uint64_t> services, Decision decision);
  Counts counts() const;

 private:
  struct Made {
    int64_t at_ns = 0;
    std::vector<uint64_t> services;
    Decision decision;
  };
  void run();
  bool keep(Made made);
  bool write(const std::function<tl::expected<void, std::string>()>& step);
  void failed(const std::string& why);
  void succeeded();
  bool wait_to_try_again();

  const Options options_;
  mutable std::mutex mutex_;  // guards those three
  std::deque<Made> waiting_;
  Counts counts_;
  bool stopping_ = false;
  std::condition_variable wake_;
  // Of the thread.
  DecisionFiles files_;
  bool is_open_ = false, failing_ = false;
  uint64_t lost_told_ = 0;
  std::thread thread_;
};

}  // namespace anabranch::control
