// SPDX-License-Identifier: BSD-3-Clause
#include "control/probation.h"

#include <algorithm>

namespace anabranch::control {
namespace {

// More make no difference.
constexpr uint32_t kOutagesMax = 6;
static_assert(Probation::kFirstS << (kOutagesMax - 1) >= Probation::kMostS);

}  // namespace

void Probation::look(bool alive, int64_t now_ms) {
  if (alive == alive_) return;
  if (!alive) {
    const int64_t forgotten = (now_ms - since_ms_) / (int64_t{1000} * kForgottenAfterS);
    const int64_t remembered = std::max<int64_t>(0, int64_t{outages_} - forgotten);
    outages_ = std::min(kOutagesMax, static_cast<uint32_t>(remembered) + 1);
  }
  alive_ = alive;
  since_ms_ = now_ms;
}

uint32_t Probation::hold_s() const {
  return outages_ == 0 ? 0 : std::min(kMostS, kFirstS << (outages_ - 1));
}

uint32_t Probation::held_back_s(int64_t now_ms) const {
  return alive_ && now_ms - since_ms_ < int64_t{1000} * hold_s() ? hold_s() : 0;
}

}  // namespace anabranch::control
