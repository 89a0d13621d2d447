// SPDX-License-Identifier: BSD-3-Clause
#include "billing/time_bands.h"

#include <algorithm>
#include <map>

namespace anabranch::billing {
namespace {

constexpr int64_t kMinuteNs = 60'000'000'000, kDayNs = 24 * 60 * kMinuteNs;
constexpr int64_t kSecondNs = 1'000'000'000;

// A window begins to hold, or ceases to.
struct Edge {
  int64_t at_ns;
  size_t calendar;
  uint64_t window;  // bit
};

int64_t floor_day(int64_t local_ns) {
  return local_ns / kDayNs - (local_ns % kDayNs < 0 ? 1 : 0);
}

bool on(const TimeWindow& window, int64_t day) {
  const auto weekday = static_cast<unsigned>(((day + 3) % 7 + 7) % 7);  // 1970 began on a Thursday
  return (window.days >> weekday & 1) != 0;
}

// Each time the window holds while the zone has this offset. Where the clock is put back, local
// times come twice and hold twice; where it is put forward, they are left out.
void add_edges(const Zone::Offset& offset, const TimeWindow& window, size_t calendar, uint64_t bit,
               std::vector<Edge>& edges) {
  const int64_t shift = offset.offset_s * kSecondNs;
  const int64_t length = (window.to_minute > window.from_minute ? 0 : kDayNs) +
                         (int64_t{window.to_minute} - int64_t{window.from_minute}) * kMinuteNs;
  const int64_t last = floor_day(offset.period.to_ns + shift);
  for (int64_t day = floor_day(offset.period.from_ns + shift) - 1; day <= last; ++day) {
    if (!on(window, day)) continue;
    const int64_t begin = day * kDayNs + window.from_minute * kMinuteNs - shift;
    const int64_t from = std::max(begin, offset.period.from_ns);
    const int64_t to = std::min(begin + length, offset.period.to_ns);
    if (from >= to) continue;
    edges.push_back({from, calendar, bit});
    edges.push_back({to, calendar, bit});
  }
}

}  // namespace

tl::expected<TimeBands, std::string> TimeBands::make(const Period& period,
                                                     std::span<const Calendar> calendars) {
  std::vector<Edge> edges;
  for (size_t c = 0; c < calendars.size(); ++c) {
    for (const Zone::Offset& offset : calendars[c].zone.offsets(period)) {
      for (size_t w = 0; w < calendars[c].windows.size(); ++w)
        add_edges(offset, calendars[c].windows[w], c, uint64_t{1} << w, edges);
    }
  }
  std::sort(edges.begin(), edges.end(),
            [](const Edge& a, const Edge& b) { return a.at_ns < b.at_ns; });
  TimeBands bands;
  std::map<std::vector<uint64_t>, uint16_t> known;
  std::vector<uint64_t> holding(calendars.size());
  for (size_t next = 0, i = 0; i == 0 || next < edges.size(); ++i) {
    const int64_t at = i == 0 ? period.from_ns : edges[next].at_ns;
    if (at >= period.to_ns) break;
    while (next < edges.size() && edges[next].at_ns == at) {
      holding[edges[next].calendar] ^= edges[next].window;
      ++next;
    }
    const auto [band, is_new] = known.try_emplace(holding, static_cast<uint16_t>(known.size()));
    if (is_new && known.size() > UINT16_MAX)
      return tl::unexpected<std::string>(
          "times of day: more than 65535 combinations of them occur");
    if (is_new) bands.masks_.push_back(holding);
    if (!bands.stretches_.empty()) {
      if (bands.stretches_.back().band == band->second) continue;
      bands.stretches_.back().period.to_ns = at;
    }
    bands.stretches_.push_back({{at, period.to_ns}, band->second});
  }
  return bands;
}

const TimeBands::Stretch& TimeBands::at(int64_t instant_ns) const {
  const auto behind =
      std::upper_bound(stretches_.begin(), stretches_.end(), instant_ns,
                       [](int64_t ns, const Stretch& s) { return ns < s.period.from_ns; });
  return *(behind - 1);
}

}  // namespace anabranch::billing
