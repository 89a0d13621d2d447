// SPDX-License-Identifier: BSD-3-Clause
// Stretches of time that are billed. Instants are nanoseconds since 1970 UTC; a period is
// half-open, so that whatever happens at an instant is in one period, and periods that touch leave
// nothing out. A day begins at local midnight of an IANA zone.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include <tl/expected.hpp>

namespace date {
class time_zone;
}

namespace anabranch::billing {

struct Period {
  int64_t from_ns = 0, to_ns = 0;
  bool contains(int64_t instant_ns) const { return instant_ns >= from_ns && instant_ns < to_ns; }
  int64_t length_ns() const { return to_ns - from_ns; }
  bool operator==(const Period&) const = default;
};

struct CivilDay {
  int year = 1970;
  unsigned month = 1, day = 1;
  auto operator<=>(const CivilDay&) const = default;
};
std::string to_text(const CivilDay& day);  // "2026-03-29"
// The error, in words: no such day.
tl::expected<CivilDay, std::string> parse_day(const std::string& text);

// A zone of the machine's tz database.
class Zone {
 public:
  static tl::expected<Zone, std::string> find(const std::string& name);
  static Zone utc();

  std::string name() const;
  // The first instant of a local day. Where the clock is put forward at midnight it begins behind
  // the gap; where it is put back to midnight, the first time.
  int64_t begin_ns(const CivilDay& day) const;
  CivilDay day_of(int64_t instant_ns) const;
  // "2026-10-01T00:00:00+02:00": local time, and how far it is from UTC.
  std::string text(int64_t instant_ns) const;

  // A stretch of a period in which local time is UTC and `offset_s`.
  struct Offset {
    Period period;
    int64_t offset_s = 0;
  };
  std::vector<Offset> offsets(const Period& period) const;

 private:
  explicit Zone(const date::time_zone* zone) : zone_(zone) {}
  const date::time_zone* zone_;  // of the database, which lives as long as the process
};

// Months that begin on the same day of the month, or on its last where it has no such day.
struct Cycle {
  Zone zone;
  unsigned day = 1;  // 1..31

  Period containing(int64_t instant_ns) const;
};

// What is billed at once: a whole cycle, or a part of it, such as before and behind a change of
// tariff. Fees are charged by the part's share of the cycle.
struct BilledPeriod {
  Period part, cycle;
};

}  // namespace anabranch::billing
