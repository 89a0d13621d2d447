// SPDX-License-Identifier: BSD-3-Clause
#include "control/recompute.h"

#include <oneapi/tbb/parallel_for.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <string_view>
#include <unordered_map>

namespace anabranch::control {
namespace {

// Fewer than this many are decided before another thread has woken up.
constexpr size_t kWorthThreads = 8;

// All that a choice depends on, but for measurements. Of words alone, without padding: it is hashed
// and compared as such.
struct KindKey {
  std::array<uint64_t, 9> words{};
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
    if (is_new) first_.push_back(service);
    return found->second;
  }
  // A service of each kind.
  const std::vector<uint32_t>& first() const { return first_; }

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
                 0};
    if (a.in_force == nullptr) return key;
    const Scenario& s = *a.in_force;
    key.words[8] = 1 + static_cast<uint64_t>(s.dispersion) + (uint64_t{s.shares.size()} << 8) +
                   (uint64_t{s.order.size()} << 16);
    const size_t used = std::min<size_t>(s.shares.size(), 16);
    for (size_t i = 0; i < used; ++i) key.paths[i] = s.shares[i].path_index;
    std::copy_n(s.order.begin(), std::min<size_t>(s.order.size(), 16), &key.paths[16]);
    return key;
  }
  uint64_t number_of(std::string_view text) {
    return texts_.try_emplace(text, texts_.size() + 1).first->second;
  }

  std::unordered_map<KindKey, uint32_t, HashOfKind> kinds_;
  std::unordered_map<std::string_view, uint64_t> texts_;
  std::vector<uint32_t> first_;
};

Decided decide_kind(const Asking& a, const Ratings& ratings) {
  const auto choose = [&](const ServiceRequest& request) {
    return prefer(a.market->paths, *a.profile, request, a.market->currency, a.in_force, &ratings);
  };
  Choice choice = choose(*a.request);
  if (choice.preferred) return {std::move(choice.preferred), {}};
  return {choose({}).preferred, std::move(choice.refusal)};
}

}  // namespace

Round recompute(const std::vector<Asking>& services, const Ratings& ratings) {
  Round round;
  Kinds kinds;
  round.kind_of.reserve(services.size());
  for (uint32_t i = 0; i < services.size(); ++i)
    round.kind_of.push_back(kinds.kind_of(services[i], i));
  const std::vector<uint32_t>& first = kinds.first();
  round.kinds.resize(first.size());
  const auto decide = [&](size_t kind) {
    round.kinds[kind] = decide_kind(services[first[kind]], ratings);
  };
  if (first.size() < kWorthThreads) {
    for (size_t kind = 0; kind < first.size(); ++kind) decide(kind);
  } else {
    oneapi::tbb::parallel_for(size_t{0}, first.size(), decide);
  }
  return round;
}

}  // namespace anabranch::control
