// SPDX-License-Identifier: BSD-3-Clause
// Periods in time zones, against the C library's own reading of the same zones.
#include "billing/period.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <time.h>

#include <string>

namespace anabranch::billing {
namespace {

constexpr int64_t kSecond = 1'000'000'000, kHour = 3600 * kSecond;

// The C library's local time.
class LocalTime {
 public:
  explicit LocalTime(const char* zone) {
    setenv("TZ", zone, 1);
    tzset();
  }
  ~LocalTime() {
    unsetenv("TZ");
    tzset();
  }
  LocalTime(const LocalTime&) = delete;
  LocalTime& operator=(const LocalTime&) = delete;
  tm at(int64_t instant_ns) const {
    const time_t seconds = instant_ns / kSecond;
    tm local{};
    localtime_r(&seconds, &local);
    return local;
  }
  std::string text(int64_t instant_ns) const {
    const tm local = at(instant_ns);
    char out[32];
    strftime(out, sizeof out, "%F %T", &local);
    return out;
  }
};

int days_in_month(int year, int month) {
  const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  return month == 2 ? (leap ? 29 : 28) : 30 + (month + month / 8) % 2;
}

int64_t utc(int year, unsigned month, unsigned day) {
  return Zone::utc().begin_ns({year, month, day});
}

constexpr const char* kZones[] = {
    "Europe/Berlin",    "America/New_York",    "America/Sao_Paulo",  // midnight is left out
    "America/Havana",   "Asia/Beirut",         "Africa/Cairo",       // midnight comes twice
    "Atlantic/Azores",  "Australia/Lord_Howe", "Asia/Kathmandu",     // half an hour; 5:45
    "Pacific/Apia",     "Pacific/Kiritimati",  "Asia/Tehran",        // a day left out
    "America/St_Johns", "Africa/Casablanca",   "Pacific/Chatham",   "Etc/UTC"};

TEST(Periods, EachCycleBeginsOnItsDayAndTheyLeaveNothingOut) {
  for (const char* name : kZones) {
    const LocalTime local(name);
    const Zone zone = Zone::find(name).value();
    for (unsigned day = 1; day <= 31; ++day) {
      const Cycle cycle{zone, day};
      Period period = cycle.containing(utc(1995, 3, 15));
      for (int months = 0; months < 40 * 12; ++months) {
        const tm begin = local.at(period.from_ns), before = local.at(period.from_ns - 1 * kSecond);
        const int wanted = std::min<int>(static_cast<int>(day),
                                         days_in_month(begin.tm_year + 1900, begin.tm_mon + 1));
        // Apia had no 30 December 2011: what would have begun then began on the 31st.
        const bool skipped = std::string(name) == "Pacific/Apia" && begin.tm_year == 111 &&
                             begin.tm_mon == 11 && wanted == 30;
        ASSERT_EQ(begin.tm_mday, skipped ? 31 : wanted)
            << name << ", day " << day << ": begins " << local.text(period.from_ns);
        ASSERT_NE(before.tm_mday, begin.tm_mday) << name << " " << local.text(period.from_ns);
        ASSERT_EQ(cycle.containing(period.from_ns), period);
        ASSERT_EQ(cycle.containing(period.to_ns - 1), period);
        const Period next = cycle.containing(period.to_ns);
        ASSERT_EQ(next.from_ns, period.to_ns);
        ASSERT_GE(next.length_ns(), 27 * 24 * kHour);
        ASSERT_LE(next.length_ns(), 33 * 24 * kHour);
        period = next;
      }
    }
  }
}

TEST(Periods, AMonthInWhichTheClockChangesIsAnHourShorterOrLonger) {
  const Cycle cycle{Zone::find("Europe/Berlin").value(), 1};
  EXPECT_EQ(cycle.containing(utc(2026, 3, 15)).length_ns(), (31 * 24 - 1) * kHour);
  EXPECT_EQ(cycle.containing(utc(2026, 10, 15)).length_ns(), (31 * 24 + 1) * kHour);
  EXPECT_EQ(cycle.containing(utc(2026, 1, 15)).from_ns, utc(2026, 1, 1) - kHour);
}

TEST(Periods, AnEventAtMidnightIsOfTheNewPeriod) {
  const Cycle cycle{Zone::find("America/New_York").value(), 1};
  const int64_t midnight = utc(2026, 7, 1) + 4 * kHour;
  EXPECT_EQ(cycle.containing(midnight).from_ns, midnight);
  EXPECT_EQ(cycle.containing(midnight - 1).to_ns, midnight);
}

TEST(Periods, ADayWithoutMidnightBeginsBehindTheGap) {
  const Zone zone = Zone::find("America/Sao_Paulo").value();
  const LocalTime local("America/Sao_Paulo");
  EXPECT_EQ(local.text(zone.begin_ns({2018, 11, 4})), "2018-11-04 01:00:00");
}

TEST(Periods, ADayWithTwoMidnightsBeginsWithTheFirst) {
  const Zone zone = Zone::find("America/Havana").value();
  const int64_t begin = zone.begin_ns({2018, 11, 4});
  const LocalTime local("America/Havana");
  EXPECT_EQ(local.text(begin), "2018-11-04 00:00:00");
  EXPECT_EQ(local.text(begin + kHour), "2018-11-04 00:00:00");
}

TEST(Periods, OffsetsAreThoseOfTheCLibrary) {
  const Period years{utc(2005, 1, 1), utc(2030, 1, 1)};
  for (const char* name : kZones) {
    const LocalTime local(name);
    int64_t at = years.from_ns;
    for (const Zone::Offset& o : Zone::find(name)->offsets(years)) {
      ASSERT_EQ(o.period.from_ns, at) << name;
      for (const int64_t instant : {o.period.from_ns, o.period.to_ns - kSecond})
        ASSERT_EQ(local.at(instant).tm_gmtoff, o.offset_s) << name << " " << local.text(instant);
      at = o.period.to_ns;
    }
    EXPECT_EQ(at, years.to_ns) << name;
  }
}

TEST(Periods, ZonesAndDaysThatAreNoneAreRefused) {
  for (const char* wrong : {"Europe/Bonn", "", "../passwd", "europe/berlin"})
    EXPECT_FALSE(Zone::find(wrong)) << wrong;
  EXPECT_EQ(to_text(parse_day("2028-02-29").value()), "2028-02-29");
  for (const char* wrong : {"2026-02-29", "2026-13-01", "2026-1-01", "20260101", "2026-01-32",
                            "----------", "2026/01/01", ""})
    EXPECT_FALSE(parse_day(wrong)) << wrong;
}

}  // namespace
}  // namespace anabranch::billing
