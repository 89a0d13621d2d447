// SPDX-License-Identifier: BSD-3-Clause
#include "control/quota_account.h"

#include <algorithm>
#include <numeric>

#include "billing/period_usage.h"

namespace anabranch::control {
namespace {

using billing::Period;

// A pace of a few hours says little of a month.
constexpr int64_t kPaceParts = 50;
constexpr unsigned kScarcityStep = 5;

Period cycle_before(const billing::Cycle& cycle, const Period& p) {
  return cycle.containing(p.from_ns - 1);
}

// What rolled over is used first, so what a cycle leaves depends on those before it.
unsigned cycles_looked_at(const Quota& quota) {
  return 2 * quota.rollover_cycles;
}

uint64_t saturated(double octets) {
  return octets >= 1.8e19 ? UINT64_MAX : static_cast<uint64_t>(octets);
}

}  // namespace

void QuotaAccount::add(const billing::Catalogue::Path& path, billing::Direction direction,
                       uint64_t octets, const Period& time) {
  if (!quota_.covers(path) || !quota_.covers(direction)) return;
  const billing::Count all{octets, 0};
  uint64_t done = 0;
  Period cycle = quota_.cycle.containing(std::min(time.from_ns, time.to_ns));
  while (done < octets) {
    // As charges are cut (period_usage.h).
    const uint64_t until =
        time.to_ns < cycle.to_ns ? octets : billing::before(all, time, cycle.to_ns).octets;
    if (until > done) used_[cycle.from_ns] += until - done;
    done = std::max(done, until);
    cycle = quota_.cycle.containing(cycle.to_ns);
  }
}

int64_t QuotaAccount::wanted_since_ns(int64_t now_ns) const {
  Period cycle = quota_.cycle.containing(now_ns);
  for (unsigned n = 0; n < cycles_looked_at(quota_); ++n) cycle = cycle_before(quota_.cycle, cycle);
  return cycle.from_ns;
}

uint64_t QuotaAccount::used_in(const Period& cycle) const {
  const auto found = used_.find(cycle.from_ns);
  return found == used_.end() ? 0 : found->second;
}

// Octets are used in the order in which they would be lost. What had rolled over into the first of
// the cycles that are looked at is not.
uint64_t QuotaAccount::carried_into(const Period& cycle) const {
  std::vector<Period> before;  // the earliest last
  for (Period p = cycle; before.size() < cycles_looked_at(quota_);) {
    p = cycle_before(quota_.cycle, p);
    if (p.from_ns < known_since_ns_) break;
    before.push_back(p);
  }
  std::vector<uint64_t> kept;  // of each cycle, what is unused; the earliest first
  for (auto p = before.rbegin(); p != before.rend(); ++p) {
    kept.push_back(quota_.octets);
    uint64_t used = used_in(*p);
    for (uint64_t& k : kept) {
      const uint64_t taken = std::min(k, used);
      k -= taken;
      used -= taken;
    }
    if (kept.size() > quota_.rollover_cycles) kept.erase(kept.begin());
    uint64_t sum = 0;
    for (auto k = kept.rbegin(); k != kept.rend(); ++k) {
      *k = std::min(*k, quota_.rollover_max - sum);
      sum += *k;
    }
  }
  return std::accumulate(kept.begin(), kept.end(), uint64_t{0});
}

QuotaAccount::Standing QuotaAccount::at(int64_t now_ns) const {
  Standing s;
  s.cycle = quota_.cycle.containing(now_ns);
  s.used = used_in(s.cycle);
  s.rolled_over = carried_into(s.cycle);
  s.allowed = quota_.octets + s.rolled_over;
  const int64_t passed = std::max(now_ns - s.cycle.from_ns, s.cycle.length_ns() / kPaceParts);
  s.projected = saturated(static_cast<double>(s.used) * static_cast<double>(s.cycle.length_ns()) /
                          static_cast<double>(passed));
  return s;
}

uint64_t QuotaAccount::Standing::percent() const {
  return static_cast<uint64_t>(static_cast<dataplane::Uint128>(used) * 100 / allowed);
}

unsigned QuotaAccount::Standing::scarcity_percent() const {
  if (used_up()) return 100;
  if (projected <= allowed) return 0;
  const auto over = static_cast<dataplane::Uint128>(projected - allowed) * 100 / allowed;
  const auto capped = static_cast<unsigned>(std::min<dataplane::Uint128>(over, 100));
  return capped / kScarcityStep * kScarcityStep;
}

std::vector<unsigned> QuotaAccount::take_alerts(int64_t now_ns) {
  const Standing s = at(now_ns);
  if (told_in_ns_ != s.cycle.from_ns) told_percent_ = 0;
  told_in_ns_ = s.cycle.from_ns;
  std::vector<unsigned> passed;
  for (const unsigned percent : quota_.alerts) {
    if (percent > told_percent_ && s.passed(percent)) passed.push_back(percent);
  }
  if (!passed.empty()) told_percent_ = passed.back();
  return passed;
}

std::vector<uint64_t> parts_of(uint64_t left, const std::vector<double>& lately) {
  if (lately.size() < 2) return std::vector<uint64_t>(lately.size(), left);
  const double sum = std::accumulate(lately.begin(), lately.end(), 0.0);
  const uint64_t by_use = sum > 0 ? left - left / 8 : 0;
  const uint64_t even = (left - by_use) / lately.size();
  std::vector<uint64_t> parts;
  uint64_t given = 0;
  for (const double used : lately) {
    const double share = sum > 0 ? used / sum : 0;
    const uint64_t part = even + saturated(static_cast<double>(by_use) * share);
    parts.push_back(std::min(part, left - given));
    given += parts.back();
  }
  return parts;
}

}  // namespace anabranch::control
