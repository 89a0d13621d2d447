// SPDX-License-Identifier: BSD-3-Clause
// A statement's days as two graphs, octets a day, stacked by provider: what is drawn where, for
// whoever draws it. Pure functions.
//
// Lengths are tenths of a CSS pixel at the drawn size, so that integers suffice.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "billing/statement_reading.h"

namespace anabranch::billing {

struct UsageGraph {
  struct Tick {
    int64_t y;
    std::string label;
  };
  struct DayLabel {
    int64_t x;  // its middle
    std::string text;
  };
  struct Bar {
    size_t colour;
    int64_t x, y, width, height;
    std::string day, octets;  // in words
  };
  const char* name;  // "sent"
  std::vector<Bar> bars;
};

// Narrow enough that letters can be read where a telephone shows it smaller.
inline constexpr int64_t kGraphWidth = 4000, kGraphHeight = 2500;
inline constexpr int64_t kPlotLeft = 480, kPlotRight = 3840, kPlotTop = 260, kPlotBottom = 2120;
inline constexpr size_t kGraphColours = 8;  // more are hard to tell apart: the last is all others

struct UsageGraphs {
  std::string unit;                     // "GB a day"
  std::vector<UsageGraph::Tick> ticks;  // the first is the axis
  std::vector<UsageGraph::DayLabel> days;
  std::vector<std::string> names;  // of colours: providers
  UsageGraph sent, received;
};

// nullopt where no day is of the period or none has usage.
std::optional<UsageGraphs> usage_graphs(const ReadStatement& s);

}  // namespace anabranch::billing
