// SPDX-License-Identifier: BSD-3-Clause
// Ratings: what a link, a network and a provider are worth now, from measurement alone.
//
// A link's rating is that of its last second (rating_window.h), times the availability of its last
// minute. A dead link has 0. A network's and a provider's rating is the mean of its links',
// weighted by capacity.
#include <algorithm>
#include <array>
#include <map>

#include "control/rating_window.h"

namespace anabranch::control {
namespace {

double link_rating(const PathState& p) {
  return p.availability * rating_of(summary_of(p, 0));
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

const char* to_string(Condition condition) {
  constexpr std::array kNames{"dead", "suspected", "probing", "lossy", "slow", "up"};
  return kNames[static_cast<size_t>(condition)];
}

}  // namespace anabranch::control
