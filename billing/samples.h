// SPDX-License-Identifier: BSD-3-Clause
// Five-minute samples, aligned in UTC, which a percentile is taken of. A compacted journal keeps
// usage by the same slots, so that it gives the same samples.
#pragma once

#include <cstdint>

namespace anabranch::billing {

inline constexpr int64_t kSampleSeconds = 300;
inline constexpr int64_t kSampleNs = kSampleSeconds * 1'000'000'000;

// The slot of an instant, also before 1970.
constexpr int64_t sample_of(int64_t instant_ns) {
  return instant_ns / kSampleNs - (instant_ns % kSampleNs < 0 ? 1 : 0);
}
// The first slot that begins at the instant or behind it.
constexpr int64_t sample_from(int64_t instant_ns) {
  return sample_of(instant_ns) + (instant_ns % kSampleNs != 0 ? 1 : 0);
}

}  // namespace anabranch::billing
