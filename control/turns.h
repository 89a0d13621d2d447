// SPDX-License-Identifier: BSD-3-Clause
// Who takes capacity before whom, and what each kind of services sees of it (recompute.h).
#pragma once

#include <cstdint>
#include <vector>

#include "control/recompute.h"

namespace anabranch::control {

// Services that are equal, as far as capacity goes.
struct Sharer {
  uint32_t services = 0;
  const Profile* profile = nullptr;
  const ServiceRequest* request = nullptr;
  Holds own{};  // set aside for all of them, by what is in force
  bool asks() const { return asks_for_rate(*request); }
  double weight() const { return static_cast<double>(services) * profile->treatment.weight; }
};

// The order in which they are decided: those that ask for a rate first, by priority, then by rate
// for weight, least first, then by what is asked for.
std::vector<uint32_t> turns_of(const std::vector<Sharer>& sharers);

// Goes through the turns: view() of each, then settle() with what it has set aside now. Paths can
// carry `capacity`.
class Turns {
 public:
  Turns(const std::vector<Sharer>& sharers, const std::vector<uint32_t>& order,
        const Holds& capacity);
  View view(uint32_t sharer) const;
  void settle(uint32_t sharer, const Holds& own);

 private:
  // One direction of one path.
  struct Way {
    uint64_t left = 0;   // by those of higher priority
    uint64_t level = 0;  // set aside by those of this priority, so far as is known
    double share = -1;   // by weight, where `level` was more than there is; else below 0
  };
  struct Ways {
    Way up, down;
  };
  void begin_level();
  Way begin_way(Way above, uint64_t Hold::*direction, size_t path) const;
  static uint64_t held_by_others(const Way& way, uint64_t capacity, uint64_t own, double weight);

  const std::vector<Sharer>& sharers_;
  const std::vector<uint32_t>& order_;
  const Holds& capacity_;
  size_t turn_ = 0, level_end_ = 0;
  std::array<Ways, std::tuple_size_v<Holds>> ways_;
};

}  // namespace anabranch::control
