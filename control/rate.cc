// SPDX-License-Identifier: BSD-3-Clause
// Ratings: what a link, a network and a provider are worth now, from measurement alone.
//
// A link's rating is 100 × availability × 1/(1 + loss/2 %) × 1/(1 + RTT/400 ms) ×
// 1/(1 + variation/100 ms): each factor is 1 for a perfect link and halves at a stated value. A
// dead link has 0. A network's and a provider's rating is the mean of its links', weighted by
// capacity.
#include <algorithm>
#include <map>

#include "control/scenario.h"

namespace anabranch::control {
namespace {

constexpr double kLossHalves = 0.02;
constexpr double kRttHalvesMs = 400;
constexpr double kVariationHalvesMs = 100;

double link_rating(const PathState& p) {
  if (!p.alive) return 0;
  return 100 * p.availability / (1 + std::max(p.loss_up, p.loss_down) / kLossHalves) /
         (1 + p.rtt_ms / kRttHalvesMs) / (1 + p.rtt_variation_ms / kVariationHalvesMs);
}

std::vector<std::pair<std::string, double>> weighted_means(const std::vector<PathState>& paths,
                                                           std::string PathState::*name) {
  std::map<std::string, std::pair<double, double>> sums;  // Σ rating × capacity, Σ capacity
  for (const PathState& p : paths) {
    const auto capacity = static_cast<double>(p.rate_up_bps + p.rate_down_bps);
    auto& [rated, total] = sums[p.*name];
    rated += link_rating(p) * capacity;
    total += capacity;
  }
  std::vector<std::pair<std::string, double>> result;
  for (const auto& [key, sum] : sums)
    result.emplace_back(key, sum.second == 0 ? 0 : sum.first / sum.second);
  return result;
}

}  // namespace

Ratings rate(const std::vector<PathState>& paths) {
  Ratings ratings;
  for (const PathState& p : paths) ratings.links.emplace_back(p.name, link_rating(p));
  ratings.networks = weighted_means(paths, &PathState::network);
  ratings.providers = weighted_means(paths, &PathState::provider);
  return ratings;
}

double rating_of(const std::vector<std::pair<std::string, double>>& ratings,
                 const std::string& name) {
  const auto found =
      std::find_if(ratings.begin(), ratings.end(), [&](const auto& r) { return r.first == name; });
  return found == ratings.end() ? 0 : found->second;
}

}  // namespace anabranch::control
