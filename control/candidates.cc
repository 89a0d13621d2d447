// SPDX-License-Identifier: BSD-3-Clause
// Candidates: every scenario that could be, each with what it is expected to give and cost.
#include <algorithm>
#include <array>
#include <cmath>
#include <tuple>

#include "control/candidates.h"
#include "dataplane/bounds.h"
#include "dataplane/wire.h"

namespace anabranch::control {
namespace {

constexpr uint32_t kWeightSum = 65535;
constexpr double kLinkFraming = 38;  // Ethernet: header 14, FCS 4, preamble 8, gap 12
constexpr double kTcpIpHeaders = 40;

using Used = UsedPaths;

double room_of(const PathState& p) {
  return static_cast<double>(p.mtu) - p.overhead;
}

// Octets of payload in an octet of the link's rate, for full packets.
double efficiency(const PathState& p) {
  return (room_of(p) - kTcpIpHeaders) / (p.mtu + kLinkFraming);
}

// What one TCP connection gets through loss that nobody repairs: Mathis et al. 1997.
double loss_limit_bps(double room, double rtt_ms, double loss) {
  if (loss <= 0) return 1e15;
  return 1.22 * (room - kTcpIpHeaders) * 8 / (std::max(rtt_ms, 1.0) / 1000 * std::sqrt(loss));
}

// Shares of kWeightSum by the largest remainder; the earlier path of two with equal remainders.
std::vector<uint16_t> weights(const std::vector<double>& parts) {
  double sum = 0;
  for (double part : parts) sum += part;
  std::vector<uint16_t> result(parts.size());
  std::vector<std::pair<double, size_t>> remainders;
  uint32_t given = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    const double exact = sum <= 0
                             ? static_cast<double>(kWeightSum) / static_cast<double>(parts.size())
                             : parts[i] / sum * kWeightSum;
    result[i] = static_cast<uint16_t>(exact);
    given += result[i];
    remainders.emplace_back(-(exact - result[i]), i);
  }
  std::sort(remainders.begin(), remainders.end());
  for (size_t i = 0; given < kWeightSum; ++given, ++i)
    ++result[remainders[i % remainders.size()].second];
  return result;
}

struct Direction {
  uint64_t PathState::*rate;
  double PathState::*loss;
  uint16_t Scenario::Share::*weight;
};
constexpr Direction kUp{&PathState::rate_up_bps, &PathState::loss_up, &Scenario::Share::weight_up};
constexpr Direction kDown{&PathState::rate_down_bps, &PathState::loss_down,
                          &Scenario::Share::weight_down};

// A bundle gives the sum of those that are not too slow for it, and what it loses is repaired. One
// flow at a time has only its own path, and loss limits it.
double goodput(const Used& used, Dispersion dispersion, const Direction& d) {
  const PathState& quickest = **std::min_element(
      used.begin(), used.end(),
      [](const PathState* a, const PathState* b) { return a->rtt_min_ms < b->rtt_min_ms; });
  double sum = 0, best = 0, most = 0;
  for (const PathState* p : used) {
    const double link = payload_bps(*p, p->*d.rate, p->*d.loss);
    best = std::max(best, flow_payload_bps(*p, p->*d.rate, p->*d.loss));
    most = std::max(most, link);
    if (!too_slow_beside(*p, quickest)) sum += link;
  }
  if (segmentation_of(dispersion) == Segmentation::flow) return best;
  // Everything twice, and not both on one path.
  if (dispersion == Dispersion::redundant) return std::min(sum / 2, sum - most);
  return sum;
}

double within(uint64_t rate_max, double bps) {
  return rate_max == 0 ? bps : std::min(bps, static_cast<double>(rate_max));
}

double latency_ms(const Used& used, Dispersion dispersion) {
  double worst = 0, least = used.front()->rtt_ms / 2, weighted = 0, capacity = 0;
  for (const PathState* p : used) {
    worst = std::max(worst, p->rtt_ms / 2);
    least = std::min(least, p->rtt_ms / 2);
    weighted += p->rtt_ms / 2 * static_cast<double>(p->rate_up_bps);
    capacity += static_cast<double>(p->rate_up_bps);
  }
  if (dispersion == Dispersion::redundant) return least;
  // Put in order again, every packet is as late as the slowest path.
  return segmentation_of(dispersion) == Segmentation::packet || capacity == 0 ? worst
                                                                              : weighted / capacity;
}

// Of packets that go two ways those are lost that both lose: at best the two that lose least.
double loss_of_copies(const Used& used) {
  std::vector<double> losses;
  for (const PathState* p : used) losses.push_back(std::max(p->loss_up, p->loss_down));
  std::sort(losses.begin(), losses.end());
  return losses[0] * losses[1];
}

void share_out(Scenario& s, const Used& used, const Direction& d) {
  std::vector<double> parts;
  for (const PathState* p : used) parts.push_back(usable_bps(p->*d.rate, p->*d.loss));
  const auto shares = weights(parts);
  for (size_t i = 0; i < used.size(); ++i) s.shares[i].*d.weight = shares[i];
}

Scenario make(const Used& used, Dispersion dispersion, const Treatment& treatment) {
  Scenario s;
  s.dispersion = dispersion;
  s.treatment = treatment;
  // Whole flows on one path each come in order by themselves.
  s.resequence = segmentation_of(dispersion) == Segmentation::packet;
  for (const PathState* p : used) s.shares.push_back({p->index, p->name, p->provider, 0, 0});
  share_out(s, used, kUp);
  share_out(s, used, kDown);
  s.expected.goodput_up_bps = within(treatment.rate_up_max, goodput(used, dispersion, kUp));
  s.expected.goodput_down_bps = within(treatment.rate_down_max, goodput(used, dispersion, kDown));
  s.expected.latency_ms = latency_ms(used, dispersion);
  Uint128 price = 0, weight = 0;
  double loss = 0;
  for (size_t i = 0; i < used.size(); ++i) {
    const uint32_t w = uint32_t{s.shares[i].weight_up} + s.shares[i].weight_down;
    price += used[i]->price_attos_per_octet * 1'000'000'000u * w;
    weight += w;
    loss += w * std::max(used[i]->loss_up, used[i]->loss_down);
  }
  s.expected.price_attos_per_gb = (price + weight / 2) / weight;
  s.expected.loss_percent = 100 * loss / static_cast<double>(weight);
  if (dispersion == Dispersion::redundant) {
    s.expected.price_attos_per_gb *= 2;
    s.expected.loss_percent = 100 * loss_of_copies(used);
  }
  return s;
}

// All goes over the first while it can.
Scenario make_ordered(const Used& used, Dispersion dispersion, const Profile& profile) {
  Used in_order = used;
  std::sort(in_order.begin(), in_order.end(), [&](const PathState* a, const PathState* b) {
    return rank_of(*a, profile) < rank_of(*b, profile);
  });
  const Scenario first = make({in_order.front()}, dispersion, profile.treatment);
  Scenario s = make(used, dispersion, profile.treatment);
  for (const PathState* p : in_order) s.order.push_back(p->index);
  s.expected.price_attos_per_gb = first.expected.price_attos_per_gb;
  if (dispersion == Dispersion::standby) s.expected = first.expected;
  return s;
}

}  // namespace

double usable_bps(uint64_t rate_bps, double loss) {
  return static_cast<double>(rate_bps) * (1 - loss);
}

double payload_bps(const PathState& p, uint64_t rate_bps, double loss) {
  return usable_bps(rate_bps, loss) * efficiency(p);
}

double flow_payload_bps(const PathState& p, uint64_t rate_bps, double loss) {
  return std::min(payload_bps(p, rate_bps, loss), loss_limit_bps(room_of(p), p.rtt_ms, loss));
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
  return usable;
}

Scenario make_scenario(const UsedPaths& used, Dispersion dispersion, const Profile& profile) {
  return is_ordered(dispersion) ? make_ordered(used, dispersion, profile)
                                : make(used, dispersion, profile.treatment);
}

bool too_slow_beside(const PathState& path, const PathState& other) {
  return (path.rtt_min_ms - other.rtt_min_ms) / 2 >
         static_cast<double>(dataplane::kSpreadMaxNs) / 1e6;
}

std::vector<Scenario> candidates(const std::vector<PathState>& paths, const Profile& profile) {
  Used usable = usable_paths(paths, profile);
  if (usable.size() > kAllPathsMax) usable.resize(kAllPathsMax);
  std::vector<Scenario> result;
  for (uint32_t set = 1; set < 1u << usable.size(); ++set) {
    Used used;
    for (size_t i = 0; i < usable.size(); ++i) {
      if ((set >> i & 1) != 0) used.push_back(usable[i]);
    }
    for (const Dispersion dispersion : allowed_dispersions(profile)) {
      if (dispersion == Dispersion::redundant && used.size() < 2) continue;
      result.push_back(make_scenario(used, dispersion, profile));
    }
  }
  return result;
}

}  // namespace anabranch::control
