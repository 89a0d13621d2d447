// SPDX-License-Identifier: BSD-3-Clause
#include "control/decision_log.h"

#include "billing/wall_clock.h"

namespace anabranch::control {

DecisionLog::DecisionLog(Options options)
    : gateway_(std::move(options.gateway)),
      files_(std::move(options.folder), options.retention),
      aside_({.what = "decisions",
              .waiting_max = options.waiting_max,
              .write = [this](Made& made) { return write(made); },
              .sync = [this] { return files_.sync(); },
              .notice = std::move(options.notice)}) {}

void DecisionLog::put(int64_t at_ns, std::vector<uint64_t> services, Decision decision) {
  aside_.put({at_ns, std::move(services), std::move(decision), {}});
}

tl::expected<void, std::string> DecisionLog::write(Made& made) {
  if (!made.record) weigh(made);
  if (!is_open_) {
    if (auto opened = files_.open(billing::wall_now_ns()); !opened) return opened;
    is_open_ = true;
  }
  made.record->number = files_.end().number + 1;
  made.record->previous = files_.end().sha256;
  return files_.append(line_of(*made.record), billing::wall_now_ns());
}

void DecisionLog::weigh(Made& made) const {
  const Choice chosen = made.decision.weighing.choice;
  Decision weighed = decide(std::move(made.decision));
  weighed.weighing.choice = chosen;  // what was done, whatever would be done now
  made.record = {.at_ns = made.at_ns,
                 .gateway = gateway_,
                 .services = std::move(made.services),
                 .decision = to_json(weighed)};
}

}  // namespace anabranch::control
