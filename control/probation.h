// SPDX-License-Identifier: BSD-3-Clause
// A path that was away has to be there for a while before it is relied on again, longer each time:
// one that comes and goes must not take services along. Pure; one path.
#pragma once

#include <cstdint>

namespace anabranch::control {

class Probation {
 public:
  // Doubled with each outage, up to the most; of which one is forgotten for each while without.
  static constexpr uint32_t kFirstS = 2, kMostS = 60, kForgottenAfterS = 60;

  // `now_ms`: of a clock that only goes on. What was never there is not away.
  void look(bool alive, int64_t now_ms);
  // For how long it is held back in all since it returned; 0: it is not.
  uint32_t held_back_s(int64_t now_ms) const;

 private:
  uint32_t hold_s() const;

  bool alive_ = false;
  uint32_t outages_ = 0;
  int64_t since_ms_ = 0;  // it is as it is now
};

}  // namespace anabranch::control
