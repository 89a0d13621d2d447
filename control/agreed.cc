// SPDX-License-Identifier: BSD-3-Clause
#include "control/agreed.h"

#include <limits>

namespace anabranch::control {
namespace {

using Of = Objective::Of;

constexpr double kRoundingPercent = 1e-9;

bool is_kept(const Objective& o, double expected, bool with_margin) {
  switch (o.of) {
    case Of::rate_up:
    case Of::rate_down:
      return expected + kRoundedBps >= o.limit * (with_margin ? 1 + kRateMargin : 1);
    case Of::latency:
    case Of::jitter:
      return expected <= o.limit * (with_margin ? 1 - kLatencyMargin : 1);
    case Of::loss:
      return expected <= o.limit * (with_margin ? 1 - kLossMargin : 1);
    case Of::availability:
      return 100 - expected <=
             (100 - o.limit) * (with_margin ? 1 - kLossMargin : 1) + kRoundingPercent;
  }
  return false;
}

}  // namespace

Agreed::Agreed(const std::vector<PathState>& paths, const Profile& profile,
               const std::vector<Objective>& objectives)
    : objectives_(objectives) {
  for (const Objective& o : objectives) {
    auto& past = pasts_[static_cast<size_t>(o.window)];
    if (past) continue;
    past = std::make_unique<Past>();
    for (const PathState& p : paths) past->paths.push_back(as_over(p, o.window));
    past->combinations.emplace(past->paths, profile, Ratings{});
  }
  may_be_kept_ = std::all_of(objectives.begin(), objectives.end(),
                             [&](const Objective& o) { return may_be_kept(o); });
}

// By the best that any set could be: of latency and jitter what one path is, of rate and
// availability what all are together.
bool Agreed::may_be_kept(const Objective& o) const {
  const Combinations& past = over(o.window);
  if (past.all() == 0) return false;
  const PathSums all = past.sums(past.all());
  double least_jitter = std::numeric_limits<double>::infinity();
  for (const Member& m : past.members())
    least_jitter = std::min(least_jitter, m.path->rtt_variation_ms);
  switch (o.of) {
    case Of::rate_up:
      return is_kept(o, all.all_up, false);
    case Of::rate_down:
      return is_kept(o, all.all_down, false);
    case Of::latency:
      return is_kept(o, all.latency_least, false);
    case Of::jitter:
      return is_kept(o, least_jitter, false);
    case Of::availability:
      return is_kept(o, 100 * past.availability(past.all()), false);
    case Of::loss:  // copies may lose next to nothing
      return true;
  }
  return true;
}

double Agreed::expected(const Objective& o, PathSet set, Dispersion dispersion) const {
  const Combinations& past = over(o.window);
  switch (o.of) {
    case Of::rate_up:
      return past.outlook(set, dispersion).up;
    case Of::rate_down:
      return past.outlook(set, dispersion).down;
    case Of::latency:
      return past.outlook(set, dispersion).latency;
    case Of::jitter:
      return past.jitter_ms(set, dispersion);
    case Of::loss:
      return 100 * after_repair(past.outlook(set, dispersion).loss / 100,
                                segmentation_of(dispersion) == Segmentation::packet);
    case Of::availability:
      return 100 * past.availability(set);
  }
  return 0;
}

bool Agreed::keeps(PathSet set, Dispersion dispersion, bool with_margin) const {
  return std::all_of(objectives_.begin(), objectives_.end(), [&](const Objective& o) {
    return is_kept(o, expected(o, set, dispersion), with_margin);
  });
}

std::vector<Missed> Agreed::missed(PathSet set, Dispersion dispersion) const {
  std::vector<Missed> result;
  for (size_t i = 0; i < objectives_.size(); ++i) {
    const double value = expected(objectives_[i], set, dispersion);
    if (!is_kept(objectives_[i], value, false)) result.push_back({i, objectives_[i], value});
  }
  return result;
}

}  // namespace anabranch::control
