// SPDX-License-Identifier: BSD-3-Clause
#include "control/dscp.h"

#include <array>
#include <charconv>
#include <utility>

namespace anabranch::control {
namespace {

constexpr uint8_t kDscpMax = 63;

constexpr std::array<std::pair<std::string_view, uint8_t>, 23> kNames{
    {{"CS0", 0},   {"LE", 1},    {"CS1", 8},   {"AF11", 10}, {"AF12", 12}, {"AF13", 14},
     {"CS2", 16},  {"AF21", 18}, {"AF22", 20}, {"AF23", 22}, {"CS3", 24},  {"AF31", 26},
     {"AF32", 28}, {"AF33", 30}, {"CS4", 32},  {"AF41", 34}, {"AF42", 36}, {"AF43", 38},
     {"CS5", 40},  {"VA", 44},   {"EF", 46},   {"CS6", 48},  {"CS7", 56}}};

}  // namespace

std::optional<uint8_t> find_dscp(std::string_view name) {
  for (const auto& [known, dscp] : kNames) {
    if (name == known) return dscp;
  }
  uint8_t number = 0;
  const char* end = name.data() + name.size();
  const auto read = std::from_chars(name.data(), end, number);
  if (read.ec != std::errc() || read.ptr != end || number > kDscpMax) return std::nullopt;
  return number;
}

}  // namespace anabranch::control
