// SPDX-License-Identifier: BSD-3-Clause
#include "control/reservation.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "control/candidates.h"
#include "control/worth.h"

namespace anabranch::control {
namespace {

using Parts = std::vector<double>;

double sum_of(const Parts& parts) {
  return std::accumulate(parts.begin(), parts.end(), 0.0);
}

// In proportion to what there is room for; evenly, where there is none.
Parts spread(double rate, const Parts& room) {
  const double sum = sum_of(room);
  Parts parts(room.size(), rate / static_cast<double>(room.size()));
  for (size_t i = 0; sum > 0 && i < room.size(); ++i) parts[i] = rate * (room[i] / sum);
  return parts;
}

// Everything twice, and not both on one path: one that has room for more takes one copy of all.
Parts spread_twice(double rate, Parts room) {
  Parts parts = spread(2 * rate, room);
  const auto most = std::max_element(parts.begin(), parts.end());
  if (parts.size() < 2 || *most <= rate) return parts;
  const auto place = most - parts.begin();
  room[static_cast<size_t>(place)] = 0;
  parts = spread(rate, room);
  parts[static_cast<size_t>(place)] = rate;
  return parts;
}

// The first takes what there is room for, and what no other has room for.
Parts one_after_the_other(double rate, const Parts& room, const std::vector<size_t>& order) {
  Parts parts(room.size());
  double rest = rate;
  for (const size_t i : order) {
    parts[i] = std::min(rest, room[i]);
    rest -= parts[i];
  }
  parts[order.front()] += rest;
  return parts;
}

class Reservation {
 public:
  Reservation(const Scenario& scenario, const std::vector<PathState>& paths)
      : dispersion_(scenario.dispersion) {
    for (const auto& share : scenario.shares)
      used_.push_back(&*std::find_if(paths.begin(), paths.end(), [&](const PathState& p) {
        return p.index == share.path_index;
      }));
    for (const uint8_t index : scenario.order) {
      const auto at = std::find_if(used_.begin(), used_.end(),
                                   [&](const PathState* p) { return p->index == index; });
      order_.push_back(static_cast<size_t>(at - used_.begin()));
    }
    const PathState& quickest = **std::min_element(
        used_.begin(), used_.end(),
        [](const PathState* a, const PathState* b) { return a->rtt_min_ms < b->rtt_min_ms; });
    for (const PathState* p : used_) {
      up_.push_back(room_up(*p).payload);
      down_.push_back(room_down(*p).payload);
      is_parked_.push_back(too_slow_beside(*p, quickest));
    }
  }

  Parts parts(double rate, Parts room) const {
    if (dispersion_ == Dispersion::redundant) return spread_twice(rate, std::move(room));
    if (dispersion_ == Dispersion::standby) {
      Parts parts(room.size());
      parts[order_.front()] = rate;
      return parts;
    }
    if (segmentation_of(dispersion_) == Segmentation::packet) {
      for (size_t i = 0; i < room.size(); ++i) room[i] = is_parked_[i] ? 0 : room[i];
    }
    return is_ordered(dispersion_) ? one_after_the_other(rate, room, order_) : spread(rate, room);
  }
  const Parts& room_up_of() const { return up_; }
  const Parts& room_down_of() const { return down_; }

 private:
  Dispersion dispersion_;
  std::vector<const PathState*> used_;
  std::vector<size_t> order_;  // places among those used
  std::vector<bool> is_parked_;
  Parts up_, down_;
};

// Whether `member` of what is in force is as much as is asked for, and there is room for it.
bool still_fits(const Scenario& in_force, const Parts& wanted, const Parts& room,
                uint64_t Scenario::Share::*member) {
  double asked = 0, reserved = 0;
  for (size_t i = 0; i < room.size(); ++i) {
    const auto part = static_cast<double>(in_force.shares[i].*member);
    if (part > room[i] + 1) return false;
    asked += wanted[i];
    reserved += part;
  }
  // Each was rounded down.
  return std::abs(asked - reserved) <= static_cast<double>(room.size());
}

}  // namespace

void reserve(Scenario& s, const std::vector<PathState>& paths, const ServiceRequest& request,
             const Scenario* in_force) {
  if (!asks_for_rate(request)) return;
  const Reservation reservation(s, paths);
  const bool stays = in_force != nullptr && is_same_combination(*in_force, s);
  const auto set = [&](const std::optional<uint64_t>& rate, const Parts& room,
                       uint64_t Scenario::Share::*member) {
    if (!rate) return;
    const Parts parts = reservation.parts(static_cast<double>(*rate), room);
    const bool keep = stays && still_fits(*in_force, parts, room, member);
    for (size_t i = 0; i < parts.size(); ++i)
      s.shares[i].*member =
          keep ? in_force->shares[i].*member : static_cast<uint64_t>(std::floor(parts[i]));
  };
  set(request.rate_up_bps, reservation.room_up_of(), &Scenario::Share::reserved_up_bps);
  set(request.rate_down_bps, reservation.room_down_of(), &Scenario::Share::reserved_down_bps);
}

void add_reserved(Holds& holds, const Scenario& s, uint64_t services) {
  for (const auto& share : s.shares) {
    if (share.path_index >= holds.size()) continue;
    holds[share.path_index].up += services * share.reserved_up_bps;
    holds[share.path_index].down += services * share.reserved_down_bps;
  }
}

std::vector<PathState> beside(std::vector<PathState> paths, const Holds& held, uint32_t equals) {
  for (PathState& p : paths) {
    p.shared_by = equals;
    if (p.index >= held.size()) continue;
    p.held_up_bps = held[p.index].up;
    p.held_down_bps = held[p.index].down;
  }
  return paths;
}

}  // namespace anabranch::control
