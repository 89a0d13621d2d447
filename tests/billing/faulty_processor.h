// SPDX-License-Identifier: BSD-3-Clause
// A processor of cards whose n-th call goes wrong, before it is done or after.
#pragma once

#include <cstdint>
#include <string>

#include "billing/processor.h"

namespace anabranch::billing {

// What a process that is killed leaves, without the process.
struct Crash {};

class FaultyProcessor : public CardProcessor {
 public:
  enum class Fault { none, not_reached, lost_before, lost_after, crash_before, crash_after };

  void arm(Fault fault, uint64_t fail_at) {
    fault_ = fault;
    fail_at_ = fail_at;
    calls_ = 0;
  }
  bool failed() const { return calls_ >= fail_at_; }

 protected:
  // One call.
  template <typename Work>
  auto carried(Work work) -> decltype(work()) {
    using Result = decltype(work());
    if (++calls_ != fail_at_) return work();
    switch (fault_) {
      case Fault::none:
        return work();
      case Fault::not_reached:
        return not_reached(Result());
      case Fault::lost_before:
        return silence(Result());
      case Fault::lost_after:
        (void)work();
        return silence(Result());
      case Fault::crash_before:
        throw Crash();
      case Fault::crash_after:
        (void)work();
        throw Crash();
    }
    return work();
  }

 private:
  static CardAnswer silence(const CardAnswer&) {
    return {.state = PaymentState::unknown, .words = "no answer"};
  }
  static CardAnswer not_reached(const CardAnswer&) {
    return {.state = PaymentState::pending, .absent = true};
  }
  template <typename T>
  static Told<T> silence(const Told<T>&) {
    return tl::unexpected(std::string("no answer"));
  }
  template <typename T>
  static Told<T> not_reached(const Told<T>& told) {
    return silence(told);
  }

  Fault fault_ = Fault::none;
  uint64_t fail_at_ = UINT64_MAX, calls_ = 0;
};

}  // namespace anabranch::billing
