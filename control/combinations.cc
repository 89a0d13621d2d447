// SPDX-License-Identifier: BSD-3-Clause
#include "control/combinations.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace anabranch::control {
namespace {

double rating_of_path(const PathState& p, const Ratings& ratings) {
  return (rating_of(ratings.links, p.name) + rating_of(ratings.networks, p.network) +
          rating_of(ratings.providers, p.provider)) /
         300;
}

void add(PathSums& s, const Member& m) {
  s.up += m.payload_up;
  s.down += m.payload_down;
  s.parts_up += m.part_up;
  s.parts_down += m.part_down;
  s.price_up += m.price * m.part_up;
  s.price_down += m.price * m.part_down;
  s.loss_up += m.loss * m.part_up;
  s.loss_down += m.loss * m.part_down;
  s.bonus_up += m.bonus * m.part_up;
  s.bonus_down += m.bonus * m.part_down;
  s.capacity += m.capacity;
  s.delay += m.latency * m.capacity;
  s.flow_up = std::max(s.flow_up, m.flow_up);
  s.flow_down = std::max(s.flow_down, m.flow_down);
  s.most_up = std::max(s.most_up, m.payload_up);
  s.most_down = std::max(s.most_down, m.payload_down);
  s.latency_most = std::max(s.latency_most, m.latency);
  s.latency_least = std::min(s.latency_least, m.latency);
  s.price_most = std::max(s.price_most, m.price);
  s.price_least = std::min(s.price_least, m.price);
  s.loss_most = std::max(s.loss_most, m.loss);
  s.loss_next = std::min(s.loss_next, std::max(s.loss_least, m.loss));
  s.loss_least = std::min(s.loss_least, m.loss);
  ++s.count;
  s.first = std::min(s.first, m.rank);
  s.avoided |= m.avoided;
}

double within(uint64_t rate_max, double bps) {
  return rate_max == 0 ? bps : std::min(bps, static_cast<double>(rate_max));
}

// A mean lies between the least and the most, whatever rounding says: of equals it is exact.
double mean(double up, double down, double least, double most) {
  return std::clamp((up + down) / 2, least, most);
}

// By how much rounding may make a mean of sums differ from the means of its halves.
constexpr double kRounding = 1e-12;

// The least that a mean of two halves can be, of which each has at least this mean and some weight.
// Weighed, not interpolated: rounding stays relative to the result.
double mean_at_least(double a, double a_least, double a_most, double b, double b_least,
                     double b_most) {
  if (a_most == 0) return b;
  if (b_most == 0) return a;
  const double of_a = a < b ? a_most : a_least, of_b = a < b ? b_least : b_most;
  if (of_a == 0) return b;
  if (of_b == 0) return a;
  return (a * of_a + b * of_b) / (of_a + of_b);
}

}  // namespace

Combinations::Combinations(const std::vector<PathState>& paths, const Profile& profile,
                           const Ratings& ratings)
    : profile_(profile), dispersions_(allowed_dispersions(profile)) {
  for (const PathState* p : usable_paths(paths, profile)) add_member(*p, ratings);
  give_ranks();
  std::stable_sort(members_.begin(), members_.end(), [](const Member& a, const Member& b) {
    return a.path->rtt_min_ms < b.path->rtt_min_ms;
  });
  for (size_t i = 0; i < members_.size(); ++i) {
    by_rank_[members_[i].rank] = &members_[i];
    for (size_t j = 0; j < members_.size(); ++j) {
      if (!too_slow_beside(*members_[j].path, *members_[i].path)) near_[i] |= PathSet{1} << j;
    }
  }
  const size_t lows = std::min(members_.size(), kLowBits);
  low_ = half(0, lows);
  high_ = half(lows, members_.size());
}

void Combinations::add_member(const PathState& p, const Ratings& ratings) {
  const Standing standing = profile_.standing(p.provider, p.network);
  Member m;
  m.path = &p;
  m.place = static_cast<uint8_t>(members_.size());
  const auto same = std::find_if(members_.begin(), members_.end(), [&](const Member& other) {
    return other.path->provider == p.provider;
  });
  m.provider = same == members_.end() ? m.place : same->provider;
  m.avoided = standing == Standing::avoid || p.held_back_s != 0;
  m.preferred = standing == Standing::prefer;
  m.rating = rating_of_path(p, ratings);
  const Room up = room_up(p), down = room_down(p);
  m.payload_up = up.payload;
  m.payload_down = down.payload;
  m.flow_up = up.flow;
  m.flow_down = down.flow;
  m.part_up = up.part;
  m.part_down = down.part;
  m.latency = p.rtt_ms / 2;
  m.capacity = std::max(1e-6, up.rate);
  m.price = static_cast<double>(p.price_attos_per_octet);
  m.loss = std::max(p.loss_up, p.loss_down);
  m.bonus = (m.preferred ? kPreferredBonus : 0) + kRatingShare * m.rating;
  members_.push_back(m);
}

void Combinations::give_ranks() {
  std::vector<Member*> order;
  for (Member& m : members_) order.push_back(&m);
  std::stable_sort(order.begin(), order.end(), [&](const Member* a, const Member* b) {
    return rank_of(*a->path, profile_) < rank_of(*b->path, profile_);
  });
  for (size_t i = 0; i < order.size(); ++i) order[i]->rank = static_cast<uint8_t>(i);
}

// Each set is one that comes before it, and its last path.
std::vector<PathSums> Combinations::half(size_t from, size_t to) const {
  std::vector<PathSums> sums(size_t{1} << (to - from));
  for (size_t set = 1; set < sums.size(); ++set) {
    const auto last = static_cast<size_t>(std::bit_width(set)) - 1;
    sums[set] = sums[set ^ size_t{1} << last];
    add(sums[set], members_[from + last]);
  }
  return sums;
}

Combinations::Extremes Combinations::Extremes::of(const PathSums& s) {
  Extremes e;
  e.up = s.up;
  e.down = s.down;
  e.flow_up = s.flow_up;
  e.flow_down = s.flow_down;
  e.most_up = s.most_up;
  e.most_down = s.most_down;
  e.latency_most = s.latency_most;
  e.latency_least = s.latency_least;
  e.price_least = s.price_least;
  e.of_up.weight_least = e.of_up.weight_most = s.parts_up;
  e.of_down.weight_least = e.of_down.weight_most = s.parts_down;
  e.capacity_least = e.capacity_most = s.capacity;
  if (s.count != 0) {
    const double up = 1 / s.parts_up, down = 1 / s.parts_down;
    e.of_up.price = s.price_up * up;
    e.of_up.loss = s.loss_up * up;
    e.of_up.bonus = s.bonus_up * up;
    e.of_down.price = s.price_down * down;
    e.of_down.loss = s.loss_down * down;
    e.of_down.bonus = s.bonus_down * down;
    e.delay = s.delay / s.capacity;
  }
  e.count_min = e.count_max = s.count;
  e.avoided = s.avoided;
  return e;
}

void Combinations::Extremes::add(const Extremes& o) {
  up = std::max(up, o.up);
  down = std::max(down, o.down);
  flow_up = std::max(flow_up, o.flow_up);
  flow_down = std::max(flow_down, o.flow_down);
  most_up = std::max(most_up, o.most_up);
  most_down = std::max(most_down, o.most_down);
  latency_most = std::min(latency_most, o.latency_most);
  latency_least = std::min(latency_least, o.latency_least);
  price_least = std::min(price_least, o.price_least);
  for (const auto mean : {&Extremes::of_up, &Extremes::of_down}) {
    Mean& m = this->*mean;
    const Mean& of = o.*mean;
    m.weight_least = std::min(m.weight_least, of.weight_least);
    m.weight_most = std::max(m.weight_most, of.weight_most);
    m.price = std::min(m.price, of.price);
    m.loss = std::min(m.loss, of.loss);
    m.bonus = std::max(m.bonus, of.bonus);
  }
  capacity_least = std::min(capacity_least, o.capacity_least);
  capacity_most = std::max(capacity_most, o.capacity_most);
  delay = std::min(delay, o.delay);
  count_min = std::min(count_min, o.count_min);
  count_max = std::max(count_max, o.count_max);
  avoided &= o.avoided;
}

std::vector<Combinations::Extremes> Combinations::groups_of(const std::vector<Extremes>& sets) {
  std::vector<Extremes> groups((sets.size() + kGroup - 1) / kGroup);
  for (size_t i = 0; i < sets.size(); ++i) groups[i / kGroup].add(sets[i]);
  return groups;
}

const Combinations::Groups& Combinations::groups(PathSet allowed) const {
  for (const Groups& known : groups_) {
    if (known.allowed_ == allowed) return known;
  }
  const auto take = [](PathSet of, const std::vector<PathSums>& half, std::vector<PathSet>& sets) {
    const size_t count = size_t{1} << std::popcount(of);
    std::vector<Extremes> extremes;
    extremes.reserve(count);
    sets.reserve(count);
    PathSet set = 0;
    do {
      sets.push_back(set);
      extremes.push_back(Extremes::of(half[set]));
      set = (set - of) & of;
    } while (set != 0);
    return extremes;
  };
  Groups& g = groups_.emplace_back();
  g.allowed_ = allowed;
  g.of_highs_ = take(allowed >> kLowBits, high_, g.highs_);
  g.of_high_groups_ = groups_of(g.of_highs_);
  g.of_low_groups_ = groups_of(take(allowed & kLowMask, low_, g.lows_));
  for (const Extremes& group : g.of_low_groups_) g.whole_.add(group);
  return g;
}

PathSums Combinations::sums(PathSet set) const {
  const PathSums& high = high_[set >> kLowBits];
  PathSums s = low_[set & kLowMask];
  s.all_up = s.up + high.up;
  s.all_down = s.down + high.down;
  const PathSet near = set & near_[static_cast<size_t>(std::countr_zero(set))];
  if (near == set) {
    s.up = s.all_up;
    s.down = s.all_down;
  } else {
    const PathSums &near_low = low_[near & kLowMask], &near_high = high_[near >> kLowBits];
    s.up = near_low.up + near_high.up;
    s.down = near_low.down + near_high.down;
  }
  s.parts_up += high.parts_up;
  s.parts_down += high.parts_down;
  s.price_up += high.price_up;
  s.price_down += high.price_down;
  s.loss_up += high.loss_up;
  s.loss_down += high.loss_down;
  s.bonus_up += high.bonus_up;
  s.bonus_down += high.bonus_down;
  s.capacity += high.capacity;
  s.delay += high.delay;
  s.flow_up = std::max(s.flow_up, high.flow_up);
  s.flow_down = std::max(s.flow_down, high.flow_down);
  s.most_up = std::max(s.most_up, high.most_up);
  s.most_down = std::max(s.most_down, high.most_down);
  s.latency_most = std::max(s.latency_most, high.latency_most);
  s.latency_least = std::min(s.latency_least, high.latency_least);
  s.price_most = std::max(s.price_most, high.price_most);
  s.price_least = std::min(s.price_least, high.price_least);
  s.loss_most = std::max(s.loss_most, high.loss_most);
  s.loss_next = std::min({s.loss_next, high.loss_next, std::max(s.loss_least, high.loss_least)});
  s.loss_least = std::min(s.loss_least, high.loss_least);
  s.count = static_cast<uint8_t>(s.count + high.count);
  s.first = std::min(s.first, high.first);
  s.avoided |= high.avoided;
  return s;
}

Outlook Combinations::outlook(const PathSums& s, Dispersion dispersion) const {
  const double up = 1 / s.parts_up, down = 1 / s.parts_down;
  Outlook o;
  o.up = s.up;
  o.down = s.down;
  o.latency = s.latency_most;
  o.loss = 100 * mean(s.loss_up * up, s.loss_down * down, s.loss_least, s.loss_most);
  o.price = mean(s.price_up * up, s.price_down * down, s.price_least, s.price_most);
  o.bonus = (s.bonus_up * up + s.bonus_down * down) / 2;
  if (segmentation_of(dispersion) == Segmentation::flow) {
    // One flow at a time has only its own path, and loss limits it.
    o.up = std::min(s.flow_up, s.all_up);
    o.down = std::min(s.flow_down, s.all_down);
    o.latency = std::clamp(s.delay / s.capacity, s.latency_least, s.latency_most);
  } else if (dispersion == Dispersion::redundant) {
    // Everything twice, and not both on one path; lost is what both lose.
    o.up = std::min(s.all_up / 2, s.all_up - s.most_up);
    o.down = std::min(s.all_down / 2, s.all_down - s.most_down);
    o.latency = s.latency_least;
    o.loss = 100 * s.loss_least * s.loss_next;
    o.price *= 2;
  } else if (is_ordered(dispersion)) {
    const Member& first = *by_rank_[s.first];
    o.price = first.price;
    if (dispersion == Dispersion::standby) {
      o.up = first.payload_up;
      o.down = first.payload_down;
      o.latency = first.latency;
      o.loss = 100 * first.loss;
    }
  }
  o.up = within(profile_.treatment.rate_up_max, o.up);
  o.down = within(profile_.treatment.rate_down_max, o.down);
  return o;
}

// Sums of what is not negative round up and down alike, so what is most of the parts is most of the
// sum. The mean of both halves is between their means, but for rounding, and at least the least.
Reach Combinations::reach(const Extremes& high, const Extremes& low, Dispersion dispersion) const {
  const double price_least = std::min(high.price_least, low.price_least);
  // Up and down by halves.
  const auto least = [&](double Mean::*value) {
    const auto of = [&](const Mean& a, const Mean& b) {
      return mean_at_least(a.*value, a.weight_least, a.weight_most, b.*value, b.weight_least,
                           b.weight_most);
    };
    return (of(high.of_up, low.of_up) + of(high.of_down, low.of_down)) / 2;
  };
  const auto most_bonus = [](const Mean& a, const Mean& b) {
    return -mean_at_least(-a.bonus, a.weight_least, a.weight_most, -b.bonus, b.weight_least,
                          b.weight_most);
  };
  Reach r;
  r.up = high.up + low.up;
  r.down = high.down + low.down;
  r.latency = std::max(high.latency_most, low.latency_most);
  r.loss = 100 * (1 - kRounding) * least(&Mean::loss);
  r.price = std::max((1 - kRounding) * least(&Mean::price), price_least);
  r.bonus =
      kRounding + (most_bonus(high.of_up, low.of_up) + most_bonus(high.of_down, low.of_down)) / 2;
  if (segmentation_of(dispersion) == Segmentation::flow) {
    r.up = std::min(r.up, std::max(high.flow_up, low.flow_up));
    r.down = std::min(r.down, std::max(high.flow_down, low.flow_down));
    r.latency = std::max(
        (1 - kRounding) * mean_at_least(high.delay, high.capacity_least, high.capacity_most,
                                        low.delay, low.capacity_least, low.capacity_most),
        std::min(high.latency_least, low.latency_least));
  } else if (dispersion == Dispersion::redundant) {
    r.up /= 2;
    r.down /= 2;
    r.latency = std::min(high.latency_least, low.latency_least);
    r.loss = 0;
    r.price *= 2;
  } else if (is_ordered(dispersion)) {
    r.price = price_least;
    if (dispersion == Dispersion::standby) {
      r.up = std::max(high.most_up, low.most_up);
      r.down = std::max(high.most_down, low.most_down);
      r.latency = std::min(high.latency_least, low.latency_least);
      r.loss = 0;
    }
  }
  r.up = within(profile_.treatment.rate_up_max, r.up);
  r.down = within(profile_.treatment.rate_down_max, r.down);
  r.count_min = static_cast<uint8_t>(high.count_min + low.count_min);
  r.count_max = static_cast<uint8_t>(high.count_max + low.count_max);
  r.avoided = high.avoided || low.avoided;
  return r;
}

Uint128 Combinations::per_gb(double price) {
  const double octets = 1e9;
  const double whole = std::floor(price);
  const double rest = std::floor((price - whole) * octets + 0.5);
  if (price < 9e9)
    return static_cast<uint64_t>(whole) * 1'000'000'000u + static_cast<uint64_t>(rest);
  return static_cast<Uint128>(whole) * 1'000'000'000u + static_cast<uint64_t>(rest);
}

uint32_t Combinations::by_index(PathSet set) const {
  uint32_t places = 0;
  each_member(set, [&](const Member& m) { places |= 1u << m.place; });
  return places;
}

PathSet Combinations::from_index(uint32_t places) const {
  PathSet set = 0;
  for (size_t i = 0; i < members_.size(); ++i) {
    if ((places >> members_[i].place & 1) != 0) set |= PathSet{1} << i;
  }
  return set;
}

std::optional<PathSet> Combinations::find(const Scenario& s) const {
  PathSet set = 0;
  for (const auto& share : s.shares) {
    const auto member = std::find_if(members_.begin(), members_.end(), [&](const Member& m) {
      return m.path->index == share.path_index;
    });
    if (member == members_.end()) return std::nullopt;
    set |= PathSet{1} << (member - members_.begin());
  }
  if (set == 0 || !is_same_combination(s, unpredicted(set, s.dispersion))) return std::nullopt;
  return set;
}

Scenario Combinations::unpredicted(PathSet set, Dispersion dispersion) const {
  UsedPaths used;
  each_member(set, [&](const Member& m) { used.push_back(m.path); });
  std::sort(used.begin(), used.end(),
            [](const PathState* a, const PathState* b) { return a->index < b->index; });
  return make_scenario(used, dispersion, profile_);
}

Scenario Combinations::scenario(PathSet set, Dispersion dispersion) const {
  Scenario s = unpredicted(set, dispersion);
  const Outlook o = outlook(set, dispersion);
  s.expected = {.goodput_up_bps = o.up,
                .goodput_down_bps = o.down,
                .latency_ms = o.latency,
                .loss_percent = o.loss,
                .jitter_ms = jitter_ms(set, dispersion),
                .availability_percent = 100 * availability(set),
                .risk_percent = 0,
                .price_attos_per_gb = per_gb(o.price)};
  return s;
}

double Combinations::jitter_ms(PathSet set, Dispersion dispersion) const {
  double most = 0, least = std::numeric_limits<double>::infinity(), sum = 0, capacity = 0;
  const Member* first = nullptr;
  each_member(set, [&](const Member& m) {
    const double jitter = m.path->rtt_variation_ms;
    most = std::max(most, jitter);
    least = std::min(least, jitter);
    sum += m.capacity * jitter;
    capacity += m.capacity;
    if (first == nullptr || m.rank < first->rank) first = &m;
  });
  if (segmentation_of(dispersion) == Segmentation::flow)
    return std::clamp(sum / capacity, least, most);
  if (dispersion == Dispersion::redundant) return least;
  return dispersion == Dispersion::standby ? first->path->rtt_variation_ms : most;
}

double Combinations::availability(PathSet set) const {
  std::array<double, kPathsCombinedMax> best{};  // by provider
  each_member(set, [&](const Member& m) {
    best[m.provider] = std::max(best[m.provider], lasting_availability(*m.path));
  });
  double none = 1;
  for (const double there : best) none *= 1 - there;
  return 1 - none;
}

std::array<PathSet, kPathsCombinedMax> Combinations::by_provider(PathSet set) const {
  std::array<PathSet, kPathsCombinedMax> sets{};
  for (; set != 0; set &= set - 1)
    sets[members_[static_cast<size_t>(std::countr_zero(set))].provider] |= set & -set;
  return sets;
}

std::pair<double, double> Combinations::preferred_and_rated(PathSet set) const {
  const PathSums s = sums(set);
  double preferred = 0, rated = 0;
  each_member(set, [&](const Member& m) {
    const double part = (m.part_up / s.parts_up + m.part_down / s.parts_down) / 2;
    if (m.preferred) preferred += part;
    rated += part * m.rating;
  });
  return {preferred, rated};
}

}  // namespace anabranch::control
