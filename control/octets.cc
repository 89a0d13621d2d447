// SPDX-License-Identifier: BSD-3-Clause
#include "control/octets.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "dataplane/bytes.h"

namespace anabranch::control {
namespace {

using dataplane::Uint128;

constexpr std::array<std::pair<std::string_view, uint64_t>, 6> kUnits{
    {{"B", 1},
     {"kB", 1'000},
     {"MB", 1'000'000},
     {"GB", 1'000'000'000},
     {"TB", 1'000'000'000'000},
     {"PB", 1'000'000'000'000'000}}};

}  // namespace

std::optional<uint64_t> parse_octets(std::string_view text, uint64_t most) {
  const size_t end = text.find_first_not_of("0123456789.");
  if (end == 0 || end == std::string_view::npos) return std::nullopt;
  const std::string_view digits = text.substr(0, end);
  std::string_view unit = text.substr(end);
  if (unit.starts_with(' ')) unit.remove_prefix(1);
  const auto known = std::find_if(kUnits.begin(), kUnits.end(),
                                  [&](const auto& entry) { return entry.first == unit; });
  if (known == kUnits.end() || digits.front() == '.' || digits.back() == '.') return std::nullopt;
  Uint128 value = 0, divisor = 1;
  bool behind_point = false;
  for (const char c : digits) {
    if (c == '.') {
      if (std::exchange(behind_point, true)) return std::nullopt;
      continue;
    }
    value = value * 10 + static_cast<unsigned>(c - '0');
    if (behind_point) divisor *= 10;
    if (value > UINT64_MAX || divisor > UINT64_MAX) return std::nullopt;
  }
  value *= known->second;
  if (value % divisor != 0 || value / divisor > most || value == 0) return std::nullopt;
  return static_cast<uint64_t>(value / divisor);
}

std::string rounded_octets_text(uint64_t octets) {
  for (size_t i = kUnits.size(); i-- > 1;) {
    const auto& [unit, size] = kUnits[i];
    if (octets < size) continue;
    return fmt::format("{:.2f} {}", static_cast<double>(octets) / static_cast<double>(size), unit);
  }
  return fmt::format("{} B", octets);
}

std::string octets_text(uint64_t octets) {
  const auto unit = std::find_if(kUnits.rbegin(), kUnits.rend(),
                                 [&](const auto& entry) { return octets % entry.second == 0; });
  return std::to_string(octets / unit->second) + " " + std::string(unit->first);
}

}  // namespace anabranch::control
