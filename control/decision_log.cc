// SPDX-License-Identifier: BSD-3-Clause
#include "control/decision_log.h"

#include "billing/wall_clock.h"

namespace anabranch::control {
namespace {

constexpr auto kTryAgain = std::chrono::seconds(1);

}  // namespace

DecisionLog::DecisionLog(Options options)
    : options_(std::move(options)),
      files_(options_.folder, options_.retention),
      thread_([this] { run(); }) {}

DecisionLog::~DecisionLog() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void DecisionLog::put(int64_t at_ns, std::vector<uint64_t> services, Decision decision) {
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() >= options_.waiting_max) {
      ++counts_.lost;
      return;
    }
    waiting_.push_back({at_ns, std::move(services), std::move(decision)});
  }
  wake_.notify_all();
}

DecisionLog::Counts DecisionLog::counts() const {
  const std::lock_guard lock(mutex_);
  Counts counts = counts_;
  counts.waiting += waiting_.size();
  return counts;
}

void DecisionLog::run() {
  while (true) {
    Made made;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return stopping_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      made = std::move(waiting_.front());
      waiting_.pop_front();
      counts_.waiting = 1;  // the one in hand
    }
    const bool kept = keep(std::move(made));
    bool is_last = false;
    {
      const std::lock_guard lock(mutex_);
      counts_.waiting = 0;
      counts_.written += kept ? 1 : 0;
      if (!kept) {  // the gateway ends, and the disk does not take it
        counts_.lost += 1 + waiting_.size();
        waiting_.clear();
      }
      is_last = waiting_.empty();
    }
    const auto synced = is_last && kept ? files_.sync() : tl::expected<void, std::string>();
    if (synced)
      succeeded();
    else
      failed(synced.error());
  }
}

// False: given up, for the gateway ends.
bool DecisionLog::keep(Made made) {
  const Choice chosen = made.decision.weighing.choice;
  Decision weighed = decide(std::move(made.decision));
  weighed.weighing.choice = chosen;  // what was done, whatever would be done now
  DecisionRecord record{.at_ns = made.at_ns,
                        .gateway = options_.gateway,
                        .services = std::move(made.services),
                        .decision = to_json(weighed)};
  if (!is_open_ && !write([&] { return files_.open(billing::wall_now_ns()); })) return false;
  is_open_ = true;
  record.number = files_.end().number + 1;
  record.previous = files_.end().sha256;
  const RecordLine line = line_of(record);
  return write([&] { return files_.append(line, billing::wall_now_ns()); });
}

bool DecisionLog::write(const std::function<tl::expected<void, std::string>()>& step) {
  while (true) {
    const auto done = step();
    if (done) return true;
    failed(done.error());
    if (!wait_to_try_again()) return false;
  }
}

bool DecisionLog::wait_to_try_again() {
  std::unique_lock lock(mutex_);
  return !wake_.wait_for(lock, kTryAgain, [&] { return stopping_; });
}

// Said once, until it succeeds again.
void DecisionLog::failed(const std::string& why) {
  {
    const std::lock_guard lock(mutex_);
    ++counts_.failures;
  }
  if (std::exchange(failing_, true) || !options_.notice) return;
  options_.notice("decisions are not on record yet: " + why);
}

void DecisionLog::succeeded() {
  const Counts now = counts();
  if (now.lost > lost_told_ && options_.notice)
    options_.notice(std::to_string(now.lost - lost_told_) +
                    " decisions are not on record, and will not be");
  lost_told_ = now.lost;
  failing_ = false;
}

}  // namespace anabranch::control
