// SPDX-License-Identifier: BSD-3-Clause
#include "control/rating_window.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace anabranch::control {
namespace {

constexpr double kMillion = 1e6;

constexpr std::array kFields{&LinkSummary::samples,      &LinkSummary::available_ppm,
                             &LinkSummary::rtt_us,       &LinkSummary::delay_us,
                             &LinkSummary::variation_us, &LinkSummary::loss_ppm,
                             &LinkSummary::kept_ppm,     &LinkSummary::delivered_kbps};

uint32_t whole(double value) {
  return static_cast<uint32_t>(std::llround(std::clamp(value, 0.0, 4e9)));
}

// One-way delay of the worse direction: half the round trip, or what the fuller queue adds to half
// of the least one.
double delay_ms(const PathState& p) {
  const double queue = std::max(p.queue_up_ms, p.queue_down_ms);
  return std::max(p.rtt_ms / 2, queue > 0 ? p.rtt_min_ms / 2 + queue : 0);
}

// A link that is full and delivers less than it is said to carry does not keep its rate. A tenth
// goes into headers, and as much is measurement.
double kept(const PathState& p) {
  constexpr double kFullMs = 10, kExpected = 0.8;
  const double promised = kExpected * static_cast<double>(p.rate_up_bps);
  if (p.queue_up_ms < kFullMs || p.delivered_bps == 0 || promised <= 0) return 1;
  return std::min(1.0, static_cast<double>(p.delivered_bps) / promised);
}

// The value that `share` of the parts do not exceed.
uint32_t quantile(std::vector<LinkSummary>& parts, uint32_t LinkSummary::*field, double share) {
  const auto at = parts.begin() + std::lround(share * static_cast<double>(parts.size() - 1));
  std::nth_element(parts.begin(), at, parts.end(),
                   [&](const LinkSummary& a, const LinkSummary& b) { return a.*field < b.*field; });
  return *at.*field;
}

}  // namespace

LinkSummary summary_of(const PathState& p, int64_t second) {
  LinkSummary s{.at = second, .samples = 1};
  if (!p.alive) return s;
  s.available_ppm = 1'000'000;
  s.rtt_us = whole(1000 * p.rtt_ms);
  s.delay_us = whole(1000 * delay_ms(p));
  s.variation_us = whole(1000 * p.rtt_variation_ms);
  s.loss_ppm = whole(kMillion * std::max(p.loss_up, p.loss_down));
  s.kept_ppm = whole(kMillion * kept(p));
  s.delivered_kbps = whole(static_cast<double>(p.delivered_bps) / 1000);
  return s;
}

double rating_of(const LinkSummary& s) {
  constexpr double kLossHalvesPpm = 20'000, kDelayHalvesUs = 200'000, kVariationHalvesUs = 100'000;
  return 100 * (s.available_ppm / kMillion) * (s.kept_ppm / kMillion) /
         (1 + s.loss_ppm / kLossHalvesPpm) / (1 + s.delay_us / kDelayHalvesUs) /
         (1 + s.variation_us / kVariationHalvesUs);
}

LinkSummary summarise(const std::vector<LinkSummary>& parts) {
  constexpr double kMedian = 0.5, kWorse = 0.75, kLess = 0.25, kNearMost = 0.9;
  LinkSummary s;
  double available = 0;
  std::vector<LinkSummary> alive;  // a dead link's delay is none, not 0
  for (const LinkSummary& part : parts) {
    s.samples += part.samples;
    available += static_cast<double>(part.samples) * part.available_ppm;
    if (part.available_ppm > 0) alive.push_back(part);
  }
  if (s.samples == 0 || alive.empty()) return s;
  s.available_ppm = whole(available / s.samples);
  s.rtt_us = quantile(alive, &LinkSummary::rtt_us, kMedian);
  s.delay_us = quantile(alive, &LinkSummary::delay_us, kWorse);
  s.variation_us = quantile(alive, &LinkSummary::variation_us, kWorse);
  s.loss_ppm = quantile(alive, &LinkSummary::loss_ppm, kWorse);
  s.kept_ppm = quantile(alive, &LinkSummary::kept_ppm, kLess);
  s.delivered_kbps = quantile(alive, &LinkSummary::delivered_kbps, kNearMost);
  return s;
}

void SummaryRing::put(const LinkSummary& summary) {
  if (summary.at < 0) return;
  slots_[static_cast<size_t>(summary.at) % slots_.size()] = summary;
}

std::vector<LinkSummary> SummaryRing::between(int64_t from, int64_t to) const {
  const int64_t oldest = to - static_cast<int64_t>(slots_.size()) + 1;
  std::vector<LinkSummary> result;
  for (int64_t at = std::max({from, oldest, int64_t{0}}); at <= to; ++at) {
    const LinkSummary& slot = slots_[static_cast<size_t>(at) % slots_.size()];
    if (slot.at == at) result.push_back(slot);
  }
  return result;
}

nlohmann::json SummaryRing::to_json() const {
  nlohmann::json result = nlohmann::json::array();
  for (const LinkSummary& slot : slots_) {
    if (slot.at < 0) continue;
    nlohmann::json row = nlohmann::json::array({static_cast<uint64_t>(slot.at)});
    for (const auto field : kFields) row.push_back(slot.*field);
    result.push_back(std::move(row));
  }
  return result;
}

bool SummaryRing::read(const nlohmann::json& stored) {
  if (!stored.is_array() || stored.size() > slots_.size()) return false;
  for (const nlohmann::json& row : stored) {
    if (!row.is_array() || row.size() != 1 + kFields.size() ||
        !std::all_of(row.begin(), row.end(),
                     [](const nlohmann::json& n) { return n.is_number_unsigned(); }))
      return false;
    LinkSummary summary{.at = row[0].get<int64_t>()};
    for (size_t i = 0; i < kFields.size(); ++i) summary.*kFields[i] = row[1 + i].get<uint32_t>();
    put(summary);
  }
  return true;
}

}  // namespace anabranch::control
