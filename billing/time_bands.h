// SPDX-License-Identifier: BSD-3-Clause
// A period cut where a time of day begins or ends, of any of several tariffs, each in its own zone.
// A band is a set of times of day that hold together: usage is counted by it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <tl/expected.hpp>

#include "billing/period.h"
#include "billing/tariff_item.h"

namespace anabranch::billing {

class TimeBands {
 public:
  struct Calendar {
    Zone zone;
    std::vector<TimeWindow> windows;  // at most 64
  };
  struct Stretch {
    Period period;
    uint16_t band = 0;
  };

  // The error: more bands than can be told apart.
  static tl::expected<TimeBands, std::string> make(const Period& period,
                                                   std::span<const Calendar> calendars);

  // In order; together they are the period.
  std::span<const Stretch> stretches() const { return stretches_; }
  // The stretch of an instant of the period.
  const Stretch& at(int64_t instant_ns) const;
  size_t count() const { return masks_.size(); }
  // Bits: which windows of a calendar hold in a band.
  uint64_t windows(uint16_t band, size_t calendar) const { return masks_[band][calendar]; }

 private:
  std::vector<Stretch> stretches_;
  std::vector<std::vector<uint64_t>> masks_;  // by band and calendar
};

}  // namespace anabranch::billing
