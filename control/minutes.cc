// SPDX-License-Identifier: BSD-3-Clause
#include "control/minutes.h"

#include <algorithm>
#include <cmath>

namespace anabranch::control {
namespace {

constexpr int64_t kMinuteNs = 60'000'000'000;
constexpr uint32_t kSeconds = 60;

uint32_t rounded(double value, double most) {
  return static_cast<uint32_t>(std::lround(std::clamp(value, 0.0, most)));
}

}  // namespace

void Minutes::add(uint64_t service, const Second& second, int64_t wall_ns) {
  Sum& sum = sums_[{wall_ns / kMinuteNs, service}];
  if (!second.available) return;
  ++sum.available;
  sum.latency_ms += second.latency_ms;
  sum.loss += second.loss;
}

billing::Measurement Minutes::measurement(uint64_t service, int64_t minute, const Sum& sum) const {
  const double seconds = std::max(sum.available, 1u);
  constexpr double kMillion = 1e6, kRttMaxUs = 4e9;
  return {
      .subject = "service:" + gateway_ + ":" + std::to_string(service),
      .minute_ns = minute * kMinuteNs,
      .rtt_us = rounded(sum.latency_ms / seconds * 2000, kRttMaxUs),
      .loss_ppm = rounded(sum.loss / seconds * kMillion, kMillion),
      .available_ppm = rounded(std::min(sum.available, kSeconds) * kMillion / kSeconds, kMillion)};
}

std::vector<billing::Measurement> Minutes::take(int64_t wall_ns) {
  std::vector<billing::Measurement> all;
  const auto now = sums_.lower_bound({wall_ns / kMinuteNs, 0});
  for (auto at = sums_.begin(); at != now; ++at)
    all.push_back(measurement(at->first.second, at->first.first, at->second));
  sums_.erase(sums_.begin(), now);
  return all;
}

}  // namespace anabranch::control
