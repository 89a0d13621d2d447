// SPDX-License-Identifier: BSD-3-Clause
// A store that fails at its n-th step: at each begin, statement and commit something may go wrong,
// before it is done or after, when only the answer is lost.
#pragma once

#include <signal.h>
#include <unistd.h>

#include <functional>
#include <memory>

#include "billing/store.h"

namespace anabranch::billing {

class FaultyStore final : public Store {
 public:
  enum class Fault {
    error,        // the statement fails, as by a full disk
    busy,         // others are in the way
    lost_before,  // the connection goes before the server has it
    lost_after,   // the server has done it, nobody hears so
    cut,          // `cut` is called, which ends the real connection; then it goes on
    kill_before,  // this process ends
    kill_after,
  };

  FaultyStore(std::unique_ptr<Store> inner, Fault fault, uint64_t fail_at,
              std::function<void()> cut = {})
      : inner_(std::move(inner)), fault_(fault), fail_at_(fail_at), cut_(std::move(cut)) {}

  uint64_t steps() const { return steps_; }
  bool failed() const { return steps_ >= fail_at_; }
  // Counts from here.
  void arm(uint64_t fail_at) {
    steps_ = 0;
    fail_at_ = fail_at;
  }

  Dialect dialect() const override { return inner_->dialect(); }
  Stored<void> begin(Mode mode) override {
    return step<void>([&] { return inner_->begin(mode); }, false);
  }
  Stored<void> commit() override {
    return step<void>([&] { return inner_->commit(); }, true);
  }
  void rollback() override { inner_->rollback(); }
  Stored<Rows> execute(const std::string& sql, std::span<const Value> values) override {
    return step<Rows>([&] { return inner_->execute(sql, values); }, false);
  }
  Stored<void> script(const std::string& sql) override {
    return step<void>([&] { return inner_->script(sql); }, false);
  }
  Stored<void> reconnect() override { return inner_->reconnect(); }
  Stored<void> backup(const std::string& file) override { return inner_->backup(file); }

 private:
  template <typename T>
  Stored<T> step(const std::function<Stored<T>()>& work, bool commits) {
    if (++steps_ != fail_at_) return work();

    const auto fail = [](Failure kind, const char* text) -> Stored<T> {
      return tl::unexpected(StoreError{kind, text});
    };
    const auto lost = [&]() -> Stored<T> {
      inner_->rollback();
      return fail(commits ? Failure::unknown : Failure::lost, "planted: connection lost");
    };
    switch (fault_) {
      case Fault::error:
        return fail(Failure::failed, "planted: disk full");
      case Fault::busy:
        return fail(Failure::busy, "planted: busy");
      case Fault::lost_before:
        return lost();
      case Fault::lost_after:
        (void)work();
        return lost();
      case Fault::cut:
        cut_();
        return work();
      case Fault::kill_before:
        kill(getpid(), SIGKILL);
        return work();
      case Fault::kill_after: {
        auto done = work();
        kill(getpid(), SIGKILL);
        return done;
      }
    }
    return work();
  }

  std::unique_ptr<Store> inner_;
  Fault fault_;
  uint64_t fail_at_, steps_ = 0;
  std::function<void()> cut_;
};

}  // namespace anabranch::billing
