// SPDX-License-Identifier: BSD-3-Clause
// The ways of segmentation and dispersion, and their names.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace anabranch::control {

enum class Segmentation : uint8_t { flow, packet };
const char* to_string(Segmentation segmentation);

// Which path a packet takes.
enum class Dispersion : uint8_t {
  weighted,           // by shares
  earliest_delivery,  // the one that delivers it first
  flow,               // that of its flow, by shares
  flowlet,            // that of its flow, which may change when the flow pauses
  redundant,          // the one that delivers it first, and a copy another
  priority,           // the first in order that is not busy
  standby,            // the first in order that is alive
};
const char* to_string(Dispersion dispersion);
// "weighted", "earliest-delivery", "flow", "flowlet", "redundant", "priority", "standby", or the
// name 3GPP ATSSS has for it (TS 23.501 5.32.8): "load-balancing", "smallest-delay",
// "priority-based", "active-standby".
std::optional<Dispersion> find_dispersion(std::string_view name);
inline constexpr const char* kDispersions =
    "\"earliest-delivery\", \"weighted\", \"flow\", \"flowlet\", \"redundant\", \"priority\" or "
    "\"standby\"";

// Whole flows, or packets of a flow on several paths.
constexpr Segmentation segmentation_of(Dispersion dispersion) {
  return dispersion == Dispersion::flow || dispersion == Dispersion::flowlet ? Segmentation::flow
                                                                             : Segmentation::packet;
}
// Paths are taken in an order.
constexpr bool is_ordered(Dispersion dispersion) {
  return dispersion == Dispersion::priority || dispersion == Dispersion::standby;
}

}  // namespace anabranch::control
