// SPDX-License-Identifier: BSD-3-Clause
// What a link was measured to be over a while, in few octets, and what it is rated for that.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "control/scenario.h"

namespace anabranch::control {

// Integers, so that what is stored is read back the same.
struct LinkSummary {
  int64_t at = -1;             // which second, minute or hour since 1970; -1: none
  uint32_t samples = 0;        // seconds it was measured
  uint32_t available_ppm = 0;  // share of them it was alive
  uint32_t rtt_us = 0;
  uint32_t delay_us = 0;          // one way, of the worse direction
  uint32_t variation_us = 0;      // of the round trip
  uint32_t loss_ppm = 0;          // of the worse direction
  uint32_t kept_ppm = 1'000'000;  // of its rate it delivered while it was full; all when it was not
  uint32_t delivered_kbps = 0;    // to the peer
  bool operator==(const LinkSummary&) const = default;
};
LinkSummary summary_of(const PathState& path, int64_t second);

// 0..100: 100 × availability × 1/(1 + loss/2 %) × 1/(1 + delay/200 ms) × 1/(1 + variation/100 ms) ×
// the share of its rate that it keeps. Each factor is 1 for a perfect link, and halves at the
// stated value.
double rating_of(const LinkSummary& summary);

// Of several one. Availability is their mean, weighted by samples; the round trip their median; of
// what hurts when it comes in bursts (delay, variation, loss, rate not kept) the worse quartile. No
// value that is rarer than a quarter moves it.
LinkSummary summarise(const std::vector<LinkSummary>& parts);

// The newest of `size` seconds, minutes or hours. What is older, or of a clock that was set back,
// does not count. 40 octets each.
class SummaryRing {
 public:
  explicit SummaryRing(size_t size) : slots_(size) {}
  void put(const LinkSummary& summary);
  // Of those between `from` and `to`, both included, and not older than the ring is long.
  std::vector<LinkSummary> between(int64_t from, int64_t to) const;
  std::vector<LinkSummary> last(int64_t to) const {
    return between(to - static_cast<int64_t>(slots_.size()) + 1, to);
  }

  nlohmann::json to_json() const;
  // False: not what to_json() gives.
  bool read(const nlohmann::json& stored);

 private:
  std::vector<LinkSummary> slots_;
};

}  // namespace anabranch::control
