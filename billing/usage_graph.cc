// SPDX-License-Identifier: BSD-3-Clause
#include "billing/usage_graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <map>

#include "billing/exact.h"
#include "billing/statement_words.h"

namespace anabranch::billing {
namespace {

using Read = ReadStatement;
using Days = std::chrono::sys_days;

constexpr std::array<const char*, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                              "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

constexpr int64_t kDayLabelsMax = 7;

std::optional<Days> day_of(std::string_view text) {  // "2026-10-01", or a time
  using namespace std::chrono;
  const auto number = [&](size_t from, size_t digits) {
    int value = 0;
    for (const char c : text.substr(from, digits)) value = value * 10 + (c - '0');
    return value;
  };
  const year_month_day date{year(number(0, 4)), month(static_cast<unsigned>(number(5, 2))),
                            day(static_cast<unsigned>(number(8, 2)))};
  if (!date.ok()) return std::nullopt;
  return Days(date);
}

// The days of the period, and what is in them by colour.
struct DaySums {
  using Stack = std::array<Uint128, kGraphColours>;
  struct Day {
    Stack sent{}, received{};
  };
  Days first, last;                // both within
  std::vector<std::string> names;  // by colour
  std::map<Days, Day> days;
  Uint128 most = 0;  // of a day, in one direction
  int64_t count() const { return (last - first).count() + 1; }
};

Uint128 sum(const DaySums::Stack& stack) {
  Uint128 total = 0;
  for (const Uint128 octets : stack) total += octets;
  return total;
}

// The providers' colours: those with the most octets first.
std::map<std::string, size_t> colours_of(const Read& s, std::vector<std::string>& names) {
  std::map<std::string, Uint128> octets;
  for (const Read::Day& d : s.days) octets[d.provider] += Uint128{d.sent} + d.received;
  std::vector<std::pair<Uint128, std::string>> order;
  for (const auto& [provider, count] : octets) order.emplace_back(count, provider);
  std::stable_sort(order.begin(), order.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  std::map<std::string, size_t> colours;
  for (const auto& [count, provider] : order) {
    const size_t colour = std::min(colours.size(), kGraphColours - 1);
    colours[provider] = colour;
    if (names.size() <= colour)
      names.push_back(provider);
    else
      names[colour] = "others";
  }
  return colours;
}

std::optional<DaySums> day_sums(const Read& s) {
  const auto from = day_of(s.from), to = day_of(s.to);
  if (!from || !to || s.days.empty()) return std::nullopt;
  // The period ends before `to`, which is midnight unless an account was closed.
  const bool midnight = s.to.substr(11, 8) == "00:00:00";
  DaySums g{.first = *from, .last = *to - std::chrono::days(midnight ? 1 : 0)};
  const auto colours = colours_of(s, g.names);
  for (const Read::Day& d : s.days) {
    const auto day = day_of(d.day);
    if (!day || *day < g.first || *day > g.last) continue;
    DaySums::Day& sums = g.days[*day];
    sums.sent[colours.at(d.provider)] += d.sent;
    sums.received[colours.at(d.provider)] += d.received;
    g.most = std::max({g.most, sum(sums.sent), sum(sums.received)});
  }
  if (g.most == 0) return std::nullopt;
  return g;
}

// Ticks of the axis of octets: at multiples of 1, 2 or 5 times a power of ten, three to five.
struct Scale {
  Uint128 step, top, unit;
  const char* name;
};

Scale scale_of(Uint128 most) {
  Uint128 step = 1;
  for (int i = 0; step * 4 < most; ++i) step = i % 3 == 1 ? step / 2 * 5 : step * 2;
  Scale scale{step, (most + step - 1) / step * step, 1, "octets"};
  for (const char* name : {"kB", "MB", "GB", "TB", "PB", "EB"}) {
    if (scale.top < scale.unit * 1000) break;
    scale.unit *= 1000;
    scale.name = name;
  }
  return scale;
}

int64_t y_of(Uint128 octets, const Scale& scale) {
  return kPlotBottom - static_cast<int64_t>(octets * (kPlotBottom - kPlotTop) / scale.top);
}

int64_t x_of(int64_t day, const DaySums& g) {
  return kPlotLeft + day * (kPlotRight - kPlotLeft) / g.count();
}

std::string day_label(Days day) {
  const std::chrono::year_month_day date{day};
  return fmt::format("{} {}", static_cast<unsigned>(date.day()),
                     kMonths[static_cast<unsigned>(date.month()) - 1]);
}

std::vector<UsageGraph::Tick> ticks_of(const Scale& scale) {
  std::vector<UsageGraph::Tick> ticks;
  for (Uint128 at = 0; at <= scale.top; at += scale.step) {
    const auto tenths = static_cast<uint64_t>(at * 10 / scale.unit);
    std::string label = std::to_string(tenths / 10);
    if (tenths % 10 != 0) label += "." + std::to_string(tenths % 10);
    ticks.push_back({y_of(at, scale), std::move(label)});
  }
  return ticks;
}

std::vector<UsageGraph::DayLabel> labels_of(const DaySums& g) {
  std::vector<UsageGraph::DayLabel> labels;
  const int64_t every = (g.count() + kDayLabelsMax - 1) / kDayLabelsMax;
  for (int64_t day = 0; day < g.count(); day += every)
    labels.push_back(
        {(x_of(day, g) + x_of(day + 1, g)) / 2, day_label(g.first + std::chrono::days(day))});
  return labels;
}

UsageGraph graph_of(const DaySums& g, const Scale& scale, const char* name,
                    DaySums::Stack DaySums::Day::*direction) {
  UsageGraph graph{name, {}};
  for (const auto& [day, sums] : g.days) {
    const int64_t number = (day - g.first).count();
    const int64_t x = x_of(number, g), wide = x_of(number + 1, g) - x;
    const int64_t gap = wide / 8;
    Uint128 below = 0;
    for (size_t colour = 0; colour < g.names.size(); ++colour) {
      const Uint128 octets = (sums.*direction)[colour];
      const int64_t bottom = y_of(below, scale), top = y_of(below += octets, scale);
      if (top == bottom) continue;
      graph.bars.push_back({colour, x + gap, top, std::max<int64_t>(wide - 2 * gap, 1),
                            bottom - top, day_label(day), grouped(octets)});
    }
  }
  return graph;
}

}  // namespace

std::optional<UsageGraphs> usage_graphs(const Read& s) {
  const auto g = day_sums(s);
  if (!g) return std::nullopt;
  const Scale scale = scale_of(g->most);
  return UsageGraphs{std::string(scale.name) + " a day",
                     ticks_of(scale),
                     labels_of(*g),
                     g->names,
                     graph_of(*g, scale, "sent", &DaySums::Day::sent),
                     graph_of(*g, scale, "received", &DaySums::Day::received)};
}

}  // namespace anabranch::billing
