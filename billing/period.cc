// SPDX-License-Identifier: BSD-3-Clause
#include "billing/period.h"

#include <date/tz.h>

#include <cstdio>
#include <stdexcept>

namespace anabranch::billing {
namespace {

using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr int64_t kNsPerSecond = 1'000'000'000;

int64_t ns_of(date::sys_seconds instant) {
  return instant.time_since_epoch().count() * kNsPerSecond;
}

date::sys_seconds second_of(int64_t instant_ns) {
  return date::floor<seconds>(date::sys_time<nanoseconds>(nanoseconds(instant_ns)));
}

date::year_month_day to_date(const CivilDay& day) {
  return date::year(day.year) / static_cast<int>(day.month) / static_cast<int>(day.day);
}

// The zone's last offset has no end; nor has ours then.
int64_t end_of(const date::sys_info& info) {
  constexpr int64_t kLastSecond = INT64_MAX / kNsPerSecond;
  return info.end.time_since_epoch().count() > kLastSecond ? INT64_MAX : ns_of(info.end);
}

// Months since the year 0.
int month_number(const CivilDay& day) {
  return day.year * 12 + static_cast<int>(day.month) - 1;
}

int64_t begin_of_month(const Cycle& cycle, int month) {
  const date::year_month of = date::year(month / 12) / (month % 12 + 1);
  const auto last = static_cast<unsigned>((of / date::last).day());
  return cycle.zone.begin_ns(
      {month / 12, static_cast<unsigned>(of.month()), std::min(cycle.day, last)});
}

}  // namespace

std::string to_text(const CivilDay& day) {
  char text[32];
  std::snprintf(text, sizeof text, "%04d-%02u-%02u", day.year, day.month, day.day);
  return text;
}

tl::expected<CivilDay, std::string> parse_day(const std::string& text) {
  CivilDay day;
  const bool shaped = text.size() == 10 && text[4] == '-' && text[7] == '-' &&
                      text.find_first_not_of("0123456789-") == std::string::npos &&
                      std::count(text.begin(), text.end(), '-') == 2;
  if (shaped) {
    day = {std::stoi(text.substr(0, 4)), static_cast<unsigned>(std::stoi(text.substr(5, 2))),
           static_cast<unsigned>(std::stoi(text.substr(8, 2)))};
  }
  if (!shaped || !to_date(day).ok())
    return tl::unexpected("\"" + text + "\" is no day; expected one such as \"2026-03-29\"");
  return day;
}

tl::expected<Zone, std::string> Zone::find(const std::string& name) {
  try {
    return Zone(date::locate_zone(name));
  } catch (const std::runtime_error&) {
    return tl::unexpected("\"" + name +
                          "\" is no time zone of this machine; expected an IANA name such as "
                          "\"Europe/Berlin\" (Debian: package tzdata)");
  }
}

Zone Zone::utc() {
  return find("Etc/UTC").value();
}

std::string Zone::name() const {
  return zone_->name();
}

int64_t Zone::begin_ns(const CivilDay& day) const {
  const date::local_seconds midnight = date::local_days(to_date(day));
  const date::local_info info = zone_->get_info(midnight);
  if (info.result == date::local_info::nonexistent) return ns_of(info.first.end);
  return ns_of(date::sys_seconds(midnight.time_since_epoch() - info.first.offset));
}

CivilDay Zone::day_of(int64_t instant_ns) const {
  const date::year_month_day day(date::floor<date::days>(zone_->to_local(second_of(instant_ns))));
  return {static_cast<int>(day.year()), static_cast<unsigned>(day.month()),
          static_cast<unsigned>(day.day())};
}

std::string Zone::text(int64_t instant_ns) const {
  return date::format("%FT%T%Ez", date::make_zoned(zone_, second_of(instant_ns)));
}

std::vector<Zone::Offset> Zone::offsets(const Period& period) const {
  std::vector<Offset> all;
  for (int64_t at = period.from_ns; at < period.to_ns;) {
    const date::sys_info info = zone_->get_info(second_of(at));
    const int64_t end = std::min(end_of(info), period.to_ns);
    all.push_back({{at, end}, info.offset.count()});
    at = end;
  }
  return all;
}

Period Cycle::containing(int64_t instant_ns) const {
  // The local date may go back where the clock does, hence the search.
  int month = month_number(zone.day_of(instant_ns));
  while (begin_of_month(*this, month) > instant_ns) --month;
  while (begin_of_month(*this, month + 1) <= instant_ns) ++month;
  return {begin_of_month(*this, month), begin_of_month(*this, month + 1)};
}

}  // namespace anabranch::billing
