// SPDX-License-Identifier: BSD-3-Clause
#include "control/dispersion.h"

#include <array>
#include <utility>

namespace anabranch::control {
namespace {

// The first name of each is ours.
constexpr std::array<std::pair<std::string_view, Dispersion>, 11> kNames{{
    {"weighted", Dispersion::weighted},
    {"load-balancing", Dispersion::weighted},
    {"earliest-delivery", Dispersion::earliest_delivery},
    {"smallest-delay", Dispersion::earliest_delivery},
    {"flow", Dispersion::flow},
    {"flowlet", Dispersion::flowlet},
    {"redundant", Dispersion::redundant},
    {"priority", Dispersion::priority},
    {"priority-based", Dispersion::priority},
    {"standby", Dispersion::standby},
    {"active-standby", Dispersion::standby},
}};

}  // namespace

const char* to_string(Segmentation segmentation) {
  return segmentation == Segmentation::flow ? "flow" : "packet";
}

const char* to_string(Dispersion dispersion) {
  for (const auto& [name, named] : kNames) {
    if (named == dispersion) return name.data();
  }
  return "";
}

std::optional<Dispersion> find_dispersion(std::string_view name) {
  for (const auto& [known, dispersion] : kNames) {
    if (name == known) return dispersion;
  }
  return std::nullopt;
}

}  // namespace anabranch::control
