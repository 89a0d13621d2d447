// SPDX-License-Identifier: BSD-3-Clause
#include "billing/statement_graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <map>

#include "billing/exact.h"
#include "billing/html_text.h"
#include "billing/statement_words.h"

namespace anabranch::billing {
namespace {

using Read = ReadStatement;
using Days = std::chrono::sys_days;

constexpr size_t kColours = 8;  // more are hard to tell apart: the last is all others
constexpr std::array<const char*, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                              "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

// All in tenths of a CSS pixel at the drawn size, so that integers suffice. Narrow enough that
// letters can be read where a telephone shows it smaller.
constexpr int64_t kWidth = 4000, kHeight = 2500;
constexpr int64_t kLeft = 480, kRight = 3840, kTop = 260, kBottom = 2120;  // of the plot
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
struct Graphs {
  using Stack = std::array<Uint128, kColours>;
  struct Day {
    Stack sent{}, received{};
  };
  Days first, last;                // both within
  std::vector<std::string> names;  // by colour
  std::map<Days, Day> days;
  Uint128 most = 0;  // of a day, in one direction
  int64_t count() const { return (last - first).count() + 1; }
};

Uint128 sum(const Graphs::Stack& stack) {
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
    const size_t colour = std::min(colours.size(), kColours - 1);
    colours[provider] = colour;
    if (names.size() <= colour)
      names.push_back(provider);
    else
      names[colour] = "others";
  }
  return colours;
}

std::optional<Graphs> graphs_of(const Read& s) {
  const auto from = day_of(s.from), to = day_of(s.to);
  if (!from || !to || s.days.empty()) return std::nullopt;
  // The period ends before `to`, which is midnight unless an account was closed.
  const bool midnight = s.to.substr(11, 8) == "00:00:00";
  Graphs g{.first = *from, .last = *to - std::chrono::days(midnight ? 1 : 0)};
  const auto colours = colours_of(s, g.names);
  for (const Read::Day& d : s.days) {
    const auto day = day_of(d.day);
    if (!day || *day < g.first || *day > g.last) continue;
    Graphs::Day& sums = g.days[*day];
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
  return kBottom - static_cast<int64_t>(octets * (kBottom - kTop) / scale.top);
}

int64_t x_of(int64_t day, const Graphs& g) {
  return kLeft + day * (kRight - kLeft) / g.count();
}

std::string day_label(Days day) {
  const std::chrono::year_month_day date{day};
  return fmt::format("{} {}", static_cast<unsigned>(date.day()),
                     kMonths[static_cast<unsigned>(date.month()) - 1]);
}

std::string axes(const Graphs& g, const Scale& scale) {
  std::string out;
  for (Uint128 at = 0; at <= scale.top; at += scale.step) {
    const int64_t y = y_of(at, scale);
    const auto tenths = static_cast<uint64_t>(at * 10 / scale.unit);
    std::string label = std::to_string(tenths / 10);
    if (tenths % 10 != 0) label += "." + std::to_string(tenths % 10);
    out += fmt::format(
        "<path class=\"{}\" d=\"M{} {}H{}\"/><text x=\"{}\" y=\"{}\" "
        "text-anchor=\"end\">{}</text>\n",
        at == 0 ? "axis" : "grid", kLeft, y, kRight, kLeft - 60, y + 40, label);
  }
  out += fmt::format("<text x=\"0\" y=\"110\">{} a day</text>\n", scale.name);
  const int64_t every = (g.count() + kDayLabelsMax - 1) / kDayLabelsMax;
  for (int64_t day = 0; day < g.count(); day += every) {
    const int64_t middle = (x_of(day, g) + x_of(day + 1, g)) / 2;
    out += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n", middle,
                       kBottom + 150, day_label(g.first + std::chrono::days(day)));
  }
  return out + fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">day</text>\n",
                           (kLeft + kRight) / 2, kHeight - 50);
}

std::string bars(const Graphs& g, const Scale& scale, Graphs::Stack Graphs::Day::*direction) {
  std::string out;
  for (const auto& [day, sums] : g.days) {
    const int64_t number = (day - g.first).count();
    const int64_t x = x_of(number, g), wide = x_of(number + 1, g) - x;
    const int64_t gap = wide / 8;
    Uint128 below = 0;
    for (size_t colour = 0; colour < g.names.size(); ++colour) {
      const Uint128 octets = (sums.*direction)[colour];
      const int64_t bottom = y_of(below, scale), top = y_of(below += octets, scale);
      if (top == bottom) continue;
      out += fmt::format(
          "<rect class=\"c{}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"><title>{}, {}: {} "
          "octets</title></rect>\n",
          colour, x + gap, top, std::max<int64_t>(wide - 2 * gap, 1), bottom - top, day_label(day),
          html_escaped(g.names[colour]), grouped(octets));
    }
  }
  return out;
}

std::string graph(const Graphs& g, const char* name, Graphs::Stack Graphs::Day::*direction) {
  const Scale scale = scale_of(g.most);
  return fmt::format(
             "<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"Octets {} a day, by provider; "
             "the table below has the figures\">\n"
             "<text class=\"name\" x=\"{}\" y=\"110\" text-anchor=\"middle\">{}</text>\n",
             kWidth, kHeight, name, (kLeft + kRight) / 2, name) +
         axes(g, scale) + bars(g, scale, direction) + "</svg>\n";
}

std::string legend(const Graphs& g) {
  std::string out = "<ul class=\"legend\">\n";
  for (size_t colour = 0; colour < g.names.size(); ++colour)
    out += fmt::format(
        "<li><svg viewBox=\"0 0 10 10\" aria-hidden=\"true\"><rect class=\"c{}\" width=\"10\" "
        "height=\"10\"/></svg> {}</li>\n",
        colour, html_isolated(g.names[colour]));
  return out + "</ul>\n";
}

std::string table(const Read& s) {
  std::string out =
      "<details>\n<summary>Octets a day as a table</summary>\n<div class=\"scroll\"><table>\n"
      "<caption>Octets a day, by provider</caption>\n<thead><tr><th scope=\"col\">Day</th>"
      "<th scope=\"col\">Provider</th><th scope=\"col\" class=\"n\">Sent</th>"
      "<th scope=\"col\" class=\"n\">Received</th></tr></thead>\n<tbody>\n";
  for (const Read::Day& d : s.days)
    out += fmt::format(
        "<tr><th scope=\"row\" class=\"day\">{}</th><td>{}</td><td class=\"n\">{}</td>"
        "<td class=\"n\">{}</td></tr>\n",
        d.day, html_isolated(d.provider), grouped(d.sent), grouped(d.received));
  return out + "</tbody>\n</table></div>\n</details>\n";
}

}  // namespace

std::string usage_figure(const Read& s) {
  const auto g = graphs_of(s);
  if (!g) return {};
  return "<figure>\n<figcaption>Octets a day, by provider</figcaption>\n<div class=\"graphs\">\n" +
         graph(*g, "sent", &Graphs::Day::sent) + graph(*g, "received", &Graphs::Day::received) +
         "</div>\n" + legend(*g) + table(s) + "</figure>\n";
}

}  // namespace anabranch::billing
