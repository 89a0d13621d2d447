// SPDX-License-Identifier: BSD-3-Clause
// What of one quota is used, by cycle, and what that says of the rest of this one. Plain arithmetic
// on what it is told; no clock of its own.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "control/quota.h"

namespace anabranch::control {

class QuotaAccount {
 public:
  explicit QuotaAccount(Quota quota) : quota_(std::move(quota)) {}
  const Quota& quota() const { return quota_; }

  // Octets of a path, even over their time; what does not count for this quota is passed over. At
  // an instant between two cycles they are the later one's.
  void add(const billing::Catalogue::Path& path, billing::Direction direction, uint64_t octets,
           const billing::Period& time);
  // Cycles that began before this instant are not known in full: nothing rolls over from them.
  void known_since(int64_t instant_ns) { known_since_ns_ = instant_ns; }
  // From when on it has to be told of usage, so that it knows what rolls over.
  int64_t wanted_since_ns(int64_t now_ns) const;

  struct Standing {
    billing::Period cycle;
    uint64_t used = 0;
    uint64_t allowed = 0;      // with what rolled over
    uint64_t rolled_over = 0;  // from earlier cycles
    uint64_t projected = 0;    // used at the cycle's end, if it goes on as since its begin
    uint64_t left() const { return used >= allowed ? 0 : allowed - used; }
    // Less than a packet is left: nobody can use it.
    bool used_up() const { return left() < kLeast; }
    uint64_t percent() const;
    // At 100 it is told what happens then, which is when nothing is left to use.
    bool passed(unsigned alert) const { return percent() >= alert || (alert == 100 && used_up()); }
    // By how much the projection is beyond what is allowed, 0 to 100, in steps of 5: so much dearer
    // is what is scarce. 100 when it is used up.
    unsigned scarcity_percent() const;
    static constexpr uint64_t kLeast = 1500;
  };
  Standing at(int64_t now_ns) const;

  // Percentages passed in this cycle that were not told yet; they count as told now.
  std::vector<unsigned> take_alerts(int64_t now_ns);
  // What an account of the same quota, made earlier, has told is told.
  void told_as(const QuotaAccount& earlier) {
    told_in_ns_ = earlier.told_in_ns_;
    told_percent_ = earlier.told_percent_;
  }

 private:
  uint64_t used_in(const billing::Period& cycle) const;
  uint64_t carried_into(const billing::Period& cycle) const;

  Quota quota_;
  std::map<int64_t, uint64_t> used_;  // by the cycle's begin
  int64_t known_since_ns_ = INT64_MIN;
  int64_t told_in_ns_ = INT64_MIN;  // the cycle
  unsigned told_percent_ = 0;
};

// Parts of what is left, by how much each of those who share it used lately: seven eighths of it;
// the last is even, so that who begins to use it has some. Together never more than `left`.
std::vector<uint64_t> parts_of(uint64_t left, const std::vector<double>& lately);

}  // namespace anabranch::control
