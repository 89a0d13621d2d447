// SPDX-License-Identifier: BSD-3-Clause
#include "control/allowances.h"

#include <algorithm>
#include <numeric>

#include "control/quota_account.h"
#include "dataplane/pace.h"

namespace anabranch::control {
namespace {

using dataplane::kPathsMax;

constexpr double kForgotten = 0.5;  // of what was used before, at each reading

}  // namespace

Allowance tighter(const Allowance& a, const Allowance& b) {
  if (a.left != b.left) return a.left < b.left ? a : b;
  return a.slow_bps <= b.slow_bps ? a : b;
}

Allowances::Allowances(dataplane::PlanTable& plans, const dataplane::Workers& workers)
    : plans_(plans), workers_(workers) {
  for (uint8_t p = 0; p < kPathsMax; ++p) {
    given_[p].resize(workers_.each().size());
    lately_[p].resize(workers_.each().size());
  }
}

void Allowances::take_readings() {
  for (uint8_t p = 1; p < kPathsMax; ++p) {
    for (size_t w = 0; w < given_[p].size(); ++w) {
      const uint64_t now = workers_.each()[w]->telemetry(p).given.get();
      lately_[p][w] = lately_[p][w] * kForgotten + static_cast<double>(now - given_[p][w]);
      given_[p][w] = now;
    }
  }
}

uint64_t Allowances::sum_of(uint8_t path) const {
  return std::accumulate(given_[path].begin(), given_[path].end(), uint64_t{0});
}

void Allowances::peer_leaves(const Limits& limits) {
  take_readings();
  from_peer_ = {};
  for (const Limits::Path& path : limits.paths) {
    const uint64_t sum = sum_of(path.id);
    const bool none = path.left >= Limits::kNone - sum;
    from_peer_[path.id] = {none ? Limits::kNone : sum + path.left, path.slow_bps};
  }
}

Allowance Allowances::peers(uint8_t path) const {
  const auto& [until, slow_bps] = from_peer_[path];
  if (until == Limits::kNone) return {};
  return {until - std::min(until, sum_of(path)), slow_bps};
}

void Allowances::leave(const std::array<Allowance, kPathsMax>& own) {
  auto table = std::make_unique<dataplane::LimitTable>();
  bool any = false;
  for (uint8_t p = 1; p < kPathsMax; ++p) {
    const Allowance left = tighter(own[p], peers(p));
    if (left.left == Limits::kNone) continue;
    any = true;
    table->paths[p].slow_pace = dataplane::pace_of(left.slow_bps);
    const std::vector<uint64_t> parts = parts_of(left.left, lately_[p]);
    for (size_t w = 0; w < parts.size(); ++w) table->paths[p].until[w] = given_[p][w] + parts[w];
  }
  if (!any && !any_) return;
  any_ = any;
  table->version = ++version_;
  plans_.publish(std::move(table));
}

}  // namespace anabranch::control
