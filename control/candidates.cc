// SPDX-License-Identifier: BSD-3-Clause
// Candidates: every scenario that could be, each with what it is expected to give and cost.
#include "control/candidates.h"

#include <algorithm>
#include <cmath>

#include "control/combinations.h"
#include "dataplane/bounds.h"
#include "dataplane/wire.h"

namespace anabranch::control {
namespace {

constexpr uint32_t kWeightSum = 65535;
constexpr double kLinkFraming = 38;  // Ethernet: header 14, FCS 4, preamble 8, gap 12
constexpr double kTcpIpHeaders = 40;

double packet_room_of(const PathState& p) {
  return static_cast<double>(p.mtu) - p.overhead;
}

// Octets of payload in an octet of the link's rate, for full packets.
double efficiency(const PathState& p) {
  return std::max(0.0, packet_room_of(p) - kTcpIpHeaders) / (p.mtu + kLinkFraming);
}

// What one TCP connection gets through loss that nobody repairs: Mathis et al. 1997.
double loss_limit_bps(double room, double rtt_ms, double loss) {
  if (loss <= 0) return 1e15;
  return 1.22 * std::max(0.0, room - kTcpIpHeaders) * 8 /
         (std::max(rtt_ms, 1.0) / 1000 * std::sqrt(loss));
}

double payload_of(const PathState& p, double rate_bps, double loss) {
  return rate_bps * (1 - loss) * efficiency(p);
}

// A flow may have all that is free, for equals seldom send at once; together they share it.
Room room(const PathState& p, uint64_t rate_bps, double loss, uint64_t held_bps) {
  const auto rate = static_cast<double>(rate_bps), held = static_cast<double>(held_bps);
  double free = rate;
  if (held_bps != 0) {
    const double whole = payload_of(p, rate, loss);
    free = held < whole ? rate * (1 - held / whole) : 0;
  }
  const double own = free / p.shared_by;
  return {.rate = own,
          .payload = payload_of(p, own, loss),
          .flow = std::min(payload_of(p, free, loss),
                           loss_limit_bps(packet_room_of(p), p.rtt_ms, loss)),
          .part = std::max(1e-6, own * (1 - loss))};
}

// Shares of kWeightSum by the largest remainder; the earlier path of two with equal remainders.
std::vector<uint16_t> weights(const std::vector<double>& parts) {
  double sum = 0;
  for (double part : parts) sum += part;
  std::vector<uint16_t> result(parts.size());
  std::vector<std::pair<double, size_t>> remainders;
  uint32_t given = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    const double exact = parts[i] / sum * kWeightSum;
    result[i] = static_cast<uint16_t>(exact);
    given += result[i];
    remainders.emplace_back(-(exact - result[i]), i);
  }
  std::sort(remainders.begin(), remainders.end());
  for (size_t i = 0; given < kWeightSum; ++given, ++i)
    ++result[remainders[i % remainders.size()].second];
  return result;
}

void share_out(Scenario& s, const UsedPaths& used) {
  std::vector<double> up, down;
  for (const PathState* p : used) {
    up.push_back(room_up(*p).part);
    down.push_back(room_down(*p).part);
  }
  const auto shares_up = weights(up), shares_down = weights(down);
  for (size_t i = 0; i < used.size(); ++i)
    s.shares.push_back(
        {used[i]->index, used[i]->name, used[i]->provider, shares_up[i], shares_down[i]});
}

}  // namespace

Room room_up(const PathState& p) {
  return room(p, p.rate_up_bps, p.loss_up, p.held_up_bps);
}
Room room_down(const PathState& p) {
  return room(p, p.rate_down_bps, p.loss_down, p.held_down_bps);
}

double payload_up_bps(const PathState& p) {
  return payload_of(p, static_cast<double>(p.rate_up_bps), p.loss_up);
}
double payload_down_bps(const PathState& p) {
  return payload_of(p, static_cast<double>(p.rate_down_bps), p.loss_down);
}

std::tuple<bool, Uint128, double, uint8_t> rank_of(const PathState& p, const Profile& profile) {
  const bool preferred = profile.standing(p.provider, p.network) == Standing::prefer;
  return {!preferred, p.price_attos_per_octet, p.rtt_min_ms, p.index};
}

const std::vector<Dispersion>& allowed_dispersions(const Profile& profile) {
  static const std::vector<Dispersion> usual{Dispersion::earliest_delivery, Dispersion::flow};
  return profile.dispersions.empty() ? usual : profile.dispersions;
}

UsedPaths usable_paths(const std::vector<PathState>& paths, const Profile& profile) {
  UsedPaths usable;
  for (const PathState& p : paths) {
    if (p.alive && profile.standing(p.provider, p.network) != Standing::never) usable.push_back(&p);
  }
  std::sort(usable.begin(), usable.end(),
            [](const PathState* a, const PathState* b) { return a->index < b->index; });
  if (usable.size() > kPathsCombinedMax) usable.resize(kPathsCombinedMax);
  return usable;
}

Scenario make_scenario(const UsedPaths& used, Dispersion dispersion, const Profile& profile) {
  Scenario s;
  s.dispersion = dispersion;
  s.treatment = profile.treatment;
  // Whole flows on one path each come in order by themselves.
  s.resequence = segmentation_of(dispersion) == Segmentation::packet;
  share_out(s, used);
  if (!is_ordered(dispersion)) return s;
  UsedPaths in_order = used;
  std::sort(in_order.begin(), in_order.end(), [&](const PathState* a, const PathState* b) {
    return rank_of(*a, profile) < rank_of(*b, profile);
  });
  for (const PathState* p : in_order) s.order.push_back(p->index);
  return s;
}

PathState as_over(const PathState& p, Window window) {
  PathState then = p;
  then.records = {};  // what it was at other times is not asked of it
  if (window == Window::second) return then;
  const PathRecord& record = p.records[static_cast<size_t>(window) - 1];
  if (record.samples == 0) return then;
  then.availability = record.availability;
  if (record.availability == 0) return then;  // it was never there: how it was is not known
  then.rtt_ms = 2 * record.latency_ms;
  then.rtt_variation_ms = record.jitter_ms;
  then.loss_up = then.loss_down = record.loss;
  for (uint64_t* rate : {&then.rate_up_bps, &then.rate_down_bps})
    *rate = static_cast<uint64_t>(static_cast<double>(*rate) * record.rate_kept);
  return then;
}

double lasting_availability(const PathState& p) {
  for (auto record = p.records.rbegin(); record != p.records.rend(); ++record) {
    if (record->samples != 0) return record->availability;
  }
  return p.availability;
}

bool too_slow_beside(const PathState& path, const PathState& other) {
  return (path.rtt_min_ms - other.rtt_min_ms) / 2 >
         static_cast<double>(dataplane::kSpreadMaxNs) / 1e6;
}

std::vector<Scenario> candidates(const std::vector<PathState>& paths, const Profile& profile) {
  const Combinations combinations(paths, profile, {});
  std::vector<Scenario> result;
  for (uint32_t places = 1; places <= combinations.all(); ++places) {
    const PathSet set = combinations.from_index(places);
    for (const Dispersion dispersion : combinations.dispersions()) {
      if (Combinations::exists(set, dispersion))
        result.push_back(combinations.scenario(set, dispersion));
    }
  }
  return result;
}

}  // namespace anabranch::control
