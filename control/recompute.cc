// SPDX-License-Identifier: BSD-3-Clause
#include "control/recompute.h"

#include <oneapi/tbb/parallel_for.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <map>
#include <string_view>
#include <unordered_map>

#include "control/candidates.h"
#include "control/remembered.h"
#include "control/turns.h"

namespace anabranch::control {
namespace {

// Fewer than this many are decided before another thread has woken up.
constexpr size_t kWorthThreads = 8;

// All that a choice depends on, but for measurements. Of words alone, without padding: it is hashed
// and compared as such.
struct KindKey {
  std::array<uint64_t, 10> words{};
  std::array<uint8_t, 32> paths{};  // in force: those used, then their order
  bool operator==(const KindKey& other) const {
    return words == other.words && paths == other.paths;
  }
};

struct HashOfKind {
  size_t operator()(const KindKey& key) const {
    uint64_t hash = 0;
    const auto mix = [&](uint64_t word) {
      hash = (std::rotl(hash, 23) ^ word) * 0x9E3779B97F4A7C15u;
    };
    for (const uint64_t word : key.words) mix(word);
    for (size_t at = 0; at < key.paths.size(); at += 8) {
      uint64_t word;
      std::memcpy(&word, &key.paths[at], sizeof word);
      mix(word);
    }
    return hash ^ hash >> 32;
  }
};

class Kinds {
 public:
  uint32_t kind_of(const Asking& a, uint32_t service) {
    const auto [found, is_new] =
        kinds_.try_emplace(key_of(a), static_cast<uint32_t>(first_.size()));
    if (is_new) {
      first_.push_back(service);
      sharers_.push_back({.profile = a.profile, .request = a.request});
    }
    Sharer& sharer = sharers_[found->second];
    ++sharer.services;
    if (a.in_force != nullptr) add_reserved(sharer.own, *a.in_force);
    return found->second;
  }
  // A service of each kind.
  const std::vector<uint32_t>& first() const { return first_; }
  const std::vector<Sharer>& sharers() const { return sharers_; }

 private:
  KindKey key_of(const Asking& a) {
    const ServiceRequest& r = *a.request;
    KindKey key;
    const uint64_t given =
        uint64_t{r.rate_up_bps.has_value()} | uint64_t{r.rate_down_bps.has_value()} << 1 |
        uint64_t{r.latency_ms_max.has_value()} << 2 | uint64_t{r.loss_percent_max.has_value()} << 3;
    key.words = {reinterpret_cast<uint64_t>(a.market),
                 reinterpret_cast<uint64_t>(a.profile),
                 r.rate_up_bps.value_or(0),
                 r.rate_down_bps.value_or(0),
                 std::bit_cast<uint64_t>(r.latency_ms_max.value_or(0)),
                 std::bit_cast<uint64_t>(r.loss_percent_max.value_or(0)),
                 r.price_per_gb_max ? number_of(*r.price_per_gb_max) : 0,
                 given,
                 r.objectives.empty() ? 0 : number_of(r.objectives),
                 0};
    if (a.in_force == nullptr) return key;
    const Scenario& s = *a.in_force;
    key.words.back() = 1 + static_cast<uint64_t>(s.dispersion) + (uint64_t{s.shares.size()} << 8) +
                       (uint64_t{s.order.size()} << 16);
    const size_t used = std::min<size_t>(s.shares.size(), 16);
    for (size_t i = 0; i < used; ++i) key.paths[i] = s.shares[i].path_index;
    std::copy_n(s.order.begin(), std::min<size_t>(s.order.size(), 16), &key.paths[16]);
    return key;
  }
  uint64_t number_of(std::string_view text) {
    return texts_.try_emplace(text, texts_.size() + 1).first->second;
  }
  uint64_t number_of(const std::vector<Objective>& objectives) {
    return agreements_.try_emplace(objectives, agreements_.size() + 1).first->second;
  }

  std::unordered_map<KindKey, uint32_t, HashOfKind> kinds_;
  std::map<std::vector<Objective>, uint64_t> agreements_;
  std::unordered_map<std::string_view, uint64_t> texts_;
  std::vector<uint32_t> first_;
  std::vector<Sharer> sharers_;
};

// Of each path what it can carry; of those that are bought, by whoever bought most.
Holds capacity_of(const std::vector<Asking>& services, const std::vector<uint32_t>& first) {
  Holds capacity{};
  std::vector<const PricedPaths*> seen;
  for (const uint32_t service : first) {
    const PricedPaths* market = services[service].market;
    if (std::find(seen.begin(), seen.end(), market) != seen.end()) continue;
    seen.push_back(market);
    for (const PathState& p : market->paths) {
      if (p.index >= capacity.size() || !p.alive) continue;
      const auto whole = [](double bps) { return static_cast<uint64_t>(std::floor(bps)); };
      Hold& of_path = capacity[p.index];
      of_path.up = std::max(of_path.up, whole(payload_up_bps(p)));
      of_path.down = std::max(of_path.down, whole(payload_down_bps(p)));
    }
  }
  return capacity;
}

Decided decide_kind(const Asking& a, const View& view, const Ratings& ratings) {
  const std::vector<PathState> paths = beside(a.market->paths, view.held, view.equals);
  const auto choose = [&](const ServiceRequest& request) {
    return prefer(paths, *a.profile, request, a.market->currency, a.in_force, &ratings);
  };
  Choice choice = choose(*a.request);
  Decided decided{std::move(choice.preferred), std::move(choice.refusal), view, {}};
  if (a.in_force != nullptr) decided.in_force = *a.in_force;
  if (decided.scenario) return decided;
  decided.scenario = choose({}).preferred;
  if (decided.scenario) reserve(*decided.scenario, paths, *a.request, a.in_force);
  return decided;
}

// Every kind by its turn: first all at once, as if everybody stayed as they are; at once again,
// those that see something else because of what has been decided; and then whoever still does, one
// after the other. What a kind sees hangs on those before it alone, so that is what one after the
// other would come to, and nobody is decided more than three times.
class InTurns {
 public:
  InTurns(const std::vector<Asking>& services, const Kinds& kinds, const Ratings& ratings,
          Remembered& last)
      : services_(services),
        kinds_(kinds),
        ratings_(ratings),
        last_(last),
        capacity_(capacity_of(services, kinds.first())),
        order_(turns_of(kinds.sharers())) {}

  std::vector<Decided> decide() {
    decided_.resize(order_.size());
    for (const uint32_t service : kinds_.first())
      inputs_.push_back(last_.inputs_of(services_[service], ratings_));
    for (const Sharer& sharer : kinds_.sharers()) set_aside_.push_back(sharer.own);
    decide(look(true));
    decide(look(false));
    decide_in_turn();
    last_.keep(std::move(inputs_), decided_);
    return std::move(decided_);
  }

 private:
  // Who sees something else than what it was decided by.
  std::vector<uint32_t> look(bool first_time) {
    std::vector<uint32_t> result;
    Turns turns(kinds_.sharers(), order_, capacity_);
    for (const uint32_t kind : order_) {
      const View view = turns.view(kind);
      if (first_time || view != decided_[kind].view) result.push_back(kind);
      decided_[kind].view = view;
      turns.settle(kind, set_aside_[kind]);
    }
    return result;
  }
  void decide(const std::vector<uint32_t>& kinds) {
    if (kinds.size() < kWorthThreads) {
      for (const uint32_t kind : kinds) decide_one(kind);
    } else {
      oneapi::tbb::parallel_for(size_t{0}, kinds.size(), [&](size_t i) { decide_one(kinds[i]); });
    }
  }
  void decide_in_turn() {
    Turns turns(kinds_.sharers(), order_, capacity_);
    for (const uint32_t kind : order_) {
      const View view = turns.view(kind);
      if (view != decided_[kind].view) {
        decided_[kind].view = view;
        decide_one(kind);
      }
      turns.settle(kind, set_aside_[kind]);
    }
  }
  // Beside what it sees.
  void decide_one(uint32_t kind) {
    Decided& d = decided_[kind];
    const Asking& a = services_[kinds_.first()[kind]];
    if (const Decided* same = last_.find(inputs_[kind], d.view)) {
      d = *same;
      if (a.in_force != nullptr) d.in_force = *a.in_force;
    } else {
      d = decide_kind(a, View(d.view), ratings_);
    }
    set_aside_[kind] = {};
    if (d.scenario) add_reserved(set_aside_[kind], *d.scenario, kinds_.sharers()[kind].services);
  }

  const std::vector<Asking>& services_;
  const Kinds& kinds_;
  const Ratings& ratings_;
  Remembered& last_;
  const Holds capacity_;
  const std::vector<uint32_t> order_;
  std::vector<std::string> inputs_;  // by kind
  std::vector<Holds> set_aside_;     // by kind
  std::vector<Decided> decided_;
};

}  // namespace

Round recompute(const std::vector<Asking>& services, const Ratings& ratings) {
  return Rounds().next(services, ratings);
}

Rounds::Rounds() : last_(std::make_unique<Remembered>()) {}
Rounds::~Rounds() = default;

Round Rounds::next(const std::vector<Asking>& services, const Ratings& ratings) {
  Round round;
  Kinds kinds;
  round.kind_of.reserve(services.size());
  for (uint32_t i = 0; i < services.size(); ++i)
    round.kind_of.push_back(kinds.kind_of(services[i], i));
  round.kinds = InTurns(services, kinds, ratings, *last_).decide();
  return round;
}

}  // namespace anabranch::control
