// SPDX-License-Identifier: BSD-3-Clause
#include "billing/period_usage.h"

#include <algorithm>
#include <cstdlib>

#include "billing/exact.h"
#include "billing/samples.h"

namespace anabranch::billing {
namespace {

uint64_t share(uint64_t count, uint64_t part, uint64_t whole) {
  return static_cast<uint64_t>(static_cast<Uint128>(count) * part / whole);
}

}  // namespace

Count before(const Count& count, const Period& time, int64_t instant_ns) {
  if (instant_ns >= time.to_ns && (time.length_ns() > 0 || instant_ns > time.to_ns)) return count;
  if (instant_ns <= time.from_ns || time.length_ns() <= 0) return {};
  const auto part = static_cast<uint64_t>(instant_ns - time.from_ns);
  const auto whole = static_cast<uint64_t>(time.length_ns());
  return {share(count.octets, part, whole), share(count.packets, part, whole)};
}

PeriodUsage::PeriodUsage(std::shared_ptr<const PriceList> prices) : prices_(std::move(prices)) {}

size_t PeriodUsage::Hash::operator()(const Key& key) const {
  const uint64_t rest = static_cast<uint64_t>(key.place) << 32 |
                        static_cast<uint64_t>(key.band) << 16 |
                        static_cast<uint64_t>(key.direction) << 8 | static_cast<uint64_t>(key.kind);
  const uint64_t mixed = (key.service * 0x9e3779b97f4a7c15 ^ rest) * 0xd6e8feb86659fd93;
  return mixed ^ mixed >> 32;
}

PeriodUsage::PlaceId PeriodUsage::place(const Place& place) {
  const auto [known, is_new] = place_ids_.try_emplace(place, static_cast<PlaceId>(places_.size()));
  if (is_new) places_.push_back(place);
  return known->second;
}

void PeriodUsage::sum(uint64_t& into, uint64_t what) {
  overflow_ |= __builtin_add_overflow(into, what, &into);
}

uint32_t PeriodUsage::series(const SeriesKey& key) {
  const auto [known, is_new] = series_ids_.try_emplace(key, static_cast<uint32_t>(series_.size()));
  if (is_new) {
    const Period& part = prices_->part();
    series_.emplace_back(static_cast<size_t>(sample_from(part.to_ns) - sample_of(part.from_ns)));
  }
  return known->second;
}

PeriodUsage::Cell& PeriodUsage::cell(const Key& key) {
  const auto [found, is_new] = cells_.try_emplace(key);
  Cell& cell = found->second;
  if (!is_new) return cell;
  const Place& place = places_.at(key.place);
  cell.charging = prices_->charging(place, key.direction, key.kind, key.band);
  const TariffItem* item = prices_->item(cell.charging, place.provider);
  if (item == nullptr || !std::holds_alternative<Percentile>(item->model)) return cell;
  const bool passed = cell.charging.passed != PriceList::kNone;
  cell.series = series({cell.charging, passed ? place.provider : std::string()});
  return cell;
}

void PeriodUsage::add_sample(uint32_t series, size_t slot, Direction direction, uint64_t octets) {
  sum(series_[series][slot][static_cast<size_t>(direction)], octets);
}

void PeriodUsage::add_piece(Key key, const Count& count, int64_t instant_ns) {
  if (count == Count{}) return;
  Cell& into = cell(key);
  sum(into.count.octets, count.octets);
  sum(into.count.packets, count.packets);
  if (into.series == kNoSeries) return;
  const int64_t slot = sample_of(instant_ns) - sample_of(prices_->part().from_ns);
  add_sample(into.series, static_cast<size_t>(slot), key.direction, count.octets);
}

Count PeriodUsage::add(PlaceId place, uint64_t service, Direction direction, Kind kind,
                       const Count& count, const Period& time) {
  const Period& part = prices_->part();
  const Count outside = before(count, time, part.from_ns);
  const Count last = before(count, time, part.to_ns);
  const int64_t to = std::min(time.to_ns, part.to_ns);
  Key key{service, place, 0, direction, kind};
  Count done = outside;
  for (int64_t at = std::max(std::min(time.from_ns, time.to_ns), part.from_ns); done != last;) {
    const TimeBands::Stretch& stretch = prices_->bands().at(at);
    int64_t end = std::min(to, stretch.period.to_ns);
    if (prices_->has_percentiles()) end = std::min(end, (sample_of(at) + 1) * kSampleNs);
    key.band = stretch.band;
    const Count through = end == to ? last : before(count, time, end);
    add_piece(key, through - done, at);
    done = through;
    at = end;
  }
  return last - outside;
}

Period PeriodUsage::alike(PlaceId place, uint64_t service, Direction direction, Kind kind,
                          int64_t at_ns) const {
  const Period& part = prices_->part();
  if (at_ns < part.from_ns) return {INT64_MIN, part.from_ns};
  if (at_ns >= part.to_ns) return {part.to_ns, INT64_MAX};
  const TimeBands::Stretch& stretch = prices_->bands().at(at_ns);
  const auto known = cells_.find({service, place, stretch.band, direction, kind});
  const bool sampled =
      known == cells_.end() ? prices_->has_percentiles() : known->second.series != kNoSeries;
  if (!sampled) return stretch.period;
  const int64_t slot = sample_of(at_ns) * kSampleNs;
  return {std::max(stretch.period.from_ns, slot), std::min(stretch.period.to_ns, slot + kSampleNs)};
}

PeriodUsage& PeriodUsage::operator+=(const PeriodUsage& other) {
  if (prices_ != other.prices_) std::abort();
  if (&other == this) return *this += PeriodUsage(other);
  for (const auto& [key, from] : other.cells_) {
    Key here = key;
    here.place = place(other.places_[key.place]);
    Cell& into = cell(here);
    sum(into.count.octets, from.count.octets);
    sum(into.count.packets, from.count.packets);
  }
  for (const auto& [key, id] : other.series_ids_) {
    const uint32_t into = series(key);
    const Samples& from = other.series_[id];
    for (size_t slot = 0; slot < from.size(); ++slot) {
      for (Direction d : {Direction::sent, Direction::received})
        add_sample(into, slot, d, from[slot][static_cast<size_t>(d)]);
    }
  }
  overflow_ |= other.overflow_;
  return *this;
}

bool PeriodUsage::operator==(const PeriodUsage& other) const {
  if (prices_ != other.prices_ || overflow_ != other.overflow_ || lines() != other.lines())
    return false;
  return std::equal(series_ids_.begin(), series_ids_.end(), other.series_ids_.begin(),
                    other.series_ids_.end(), [&](const auto& a, const auto& b) {
                      return a.first == b.first && series_[a.second] == other.series_[b.second];
                    });
}

std::vector<PeriodUsage::Line> PeriodUsage::lines() const {
  std::vector<Line> all;
  all.reserve(cells_.size());
  for (const auto& [key, cell] : cells_)
    all.push_back({places_[key.place], key.service, key.direction, key.kind, key.band, cell.count,
                   cell.charging});
  std::sort(all.begin(), all.end());
  return all;
}

const PeriodUsage::Samples* PeriodUsage::samples(const PriceList::Charging& charging,
                                                 const std::string& provider) const {
  const auto found = series_ids_.find({charging, provider});
  return found == series_ids_.end() ? nullptr : &series_[found->second];
}

}  // namespace anabranch::billing
