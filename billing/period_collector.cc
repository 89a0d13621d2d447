// SPDX-License-Identifier: BSD-3-Clause
#include "billing/period_collector.h"

#include <algorithm>
#include <map>

namespace anabranch::billing {
namespace {

Count operator+(const Count& a, const Count& b) {
  return {a.octets + b.octets, a.packets + b.packets};
}

std::vector<Period> days_of(const Period& period, const Zone& zone) {
  std::vector<Period> days;
  for (int64_t from = period.from_ns; from < period.to_ns;) {
    constexpr int64_t kLongerThanADay = 30LL * 3600 * 1'000'000'000;
    const int64_t today = zone.begin_ns(zone.day_of(from));
    const int64_t to = zone.begin_ns(zone.day_of(today + kLongerThanADay));
    days.push_back({from, std::min(to, period.to_ns)});
    from = to;
  }
  return days;
}

}  // namespace

size_t PeriodCollector::Hash::operator()(const MeterKey& k) const {
  const uint64_t rest = static_cast<uint64_t>(k.worker) << 32 |
                        static_cast<uint64_t>(k.path) << 16 |
                        static_cast<uint64_t>(k.direction) << 8 | static_cast<uint64_t>(k.kind);
  const uint64_t mixed =
      (k.region ^ k.service * 0x9e3779b97f4a7c15 ^ rest * 0xc2b2ae3d27d4eb4f) * 0xd6e8feb86659fd93;
  return mixed ^ mixed >> 32;
}

PeriodCollector::PeriodCollector(const Period& period, const Zone& zone, const Prices& prices)
    : period_(period), days_(days_of(period, zone)) {
  for (const auto& list : prices) parts_.emplace_back(list);
}

void PeriodCollector::charged(const MeterKey& key, const Count& through) {
  Meter& meter = meters_[key];
  meter.begin = meter.through = through;
}

void PeriodCollector::only(const std::vector<Range>& ranges) {
  restricted_ = true;
  for (const Range& r : ranges) meters_[r.key].only.emplace_back(r.from, r.to);
  for (auto& [key, meter] : meters_)
    std::sort(meter.only.begin(), meter.only.end(), std::greater<>());
}

// A journal has meters in the same order each time: one is rarely looked up.
PeriodCollector::Entry& PeriodCollector::find(const MeterKey& key) {
  Entry* next = last_ != nullptr ? last_->second.next : nullptr;
  if (next == nullptr || next->first != key) {
    next = &*meters_.try_emplace(key).first;
    if (last_ != nullptr) last_->second.next = next;
  }
  last_ = next;
  return *next;
}

void PeriodCollector::begin(Meter& meter, const std::string& gateway, const Place& place) {
  meter.gateway = gateway;
  for (PeriodUsage& part : parts_) meter.place = part.place(place);  // the same in each
  meter.days = &by_day_[place];
  meter.days->resize(days_.size());
}

// Leaves ranges that end before the record. False: none is left that it could be of.
bool PeriodCollector::enter_range(Meter& meter, const UsageRecord& record) {
  const auto begins_behind = [&] {
    return record.octets_from >= meter.only.back().second.octets &&
           record.packets_from >= meter.only.back().second.packets;
  };
  while (!meter.only.empty() && begins_behind()) {
    if (meter.through != meter.begin)
      taken_.push_back({meter.gateway, record.key, meter.begin, meter.through});
    meter.begin = meter.through = meter.pending = {};
    meter.only.pop_back();
  }
  if (meter.only.empty()) return false;
  if (meter.begin == Count{} && meter.through == Count{})
    meter.begin = meter.through = meter.only.back().first;
  return true;
}

bool PeriodCollector::Meter::goes_on(const UsageRecord& r) const {
  return r.wall_from_ns >= alike.from_ns && r.wall_from_ns < alike.to_ns &&
         r.wall_to_ns <= alike.to_ns && r.wall_to_ns >= r.wall_from_ns &&
         Count{r.octets_from, r.packets_from} == through;
}

bool PeriodCollector::take(const std::string& gateway, const Place& place, const UsageRecord& r) {
  if (!due()) {
    const auto known = meters_.find(r.key);
    return known != meters_.end() && r.octets_to <= known->second.through.octets &&
           r.packets_to <= known->second.through.packets;
  }
  Entry& entry = find(r.key);
  Meter& m = entry.second;
  if (m.goes_on(r)) {
    m.sum = m.sum + (Count{r.octets_to, r.packets_to} - m.through);
    m.through = {r.octets_to, r.packets_to};
    return true;
  }
  if (m.days == nullptr) begin(m, gateway, place);
  if (restricted_ && !enter_range(m, r)) return true;
  count_sum(entry);
  const bool all = take_part(place, m, r);
  if (all && !restricted_) m.alike = alike(m, r.key, r.wall_to_ns);
  return all;
}

// All of it is of the begin of its stretch, as good as any other time of it.
void PeriodCollector::count_sum(Entry& entry) {
  auto& [key, m] = entry;
  if (m.sum != Count{}) count(m, key, m.sum, {m.alike.from_ns, m.alike.from_ns});
  m.sum = {};
  m.alike = {};
}

void PeriodCollector::taken() {
  for (Entry& entry : meters_) count_sum(entry);
}

// Of a day, and of a stretch of each price list.
Period PeriodCollector::alike(const Meter& m, const MeterKey& key, int64_t at_ns) {
  if (!period_.contains(at_ns)) return {};
  Period all = *std::upper_bound(days_.begin(), days_.end(), at_ns,
                                 [](int64_t at, const Period& d) { return at < d.to_ns; });
  for (PeriodUsage& part : parts_) {
    const Period one = part.alike(m.place, key.service, key.direction, key.kind, at_ns);
    all = {std::max(all.from_ns, one.from_ns), std::min(all.to_ns, one.to_ns)};
  }
  return {std::max(all.from_ns, period_.from_ns), all.to_ns};
}

bool PeriodCollector::take_part(const Place& place, Meter& m, const UsageRecord& r) {
  const Count reached = m.through + m.pending;
  if (r.octets_to <= reached.octets && r.packets_to <= reached.packets)
    return r.octets_to <= m.through.octets;
  const Count from{std::max(r.octets_from, reached.octets),
                   std::max(r.packets_from, reached.packets)};
  const Count all{r.octets_to - from.octets, r.packets_to - from.packets};
  // A record of which a part is charged was cut at the end of the period before.
  const bool was_cut = r.octets_from < m.begin.octets && m.through == m.begin;
  Period time{was_cut ? std::max(r.wall_from_ns, period_.from_ns) : r.wall_from_ns, r.wall_to_ns};
  if (time.from_ns > time.to_ns) time.from_ns = time.to_ns;  // the clock was set back
  if (time.from_ns >= period_.to_ns) {
    m.pending = m.pending + all;
    return false;
  }
  if (m.pending != Count{}) {
    count(m, r.key, m.pending, {period_.to_ns - 1, period_.to_ns - 1});
    m.through = m.through + m.pending;
  }
  const Count late = before(all, time, period_.from_ns);
  if (late != Count{}) {
    late_.push_back({{m.gateway, r.key, m.through, m.through + late},
                     place,
                     {time.from_ns, std::min(time.to_ns, period_.from_ns)}});
  }
  count(m, r.key, all, time);
  const Count within = before(all, time, period_.to_ns);
  m.through = m.through + within;
  m.pending = all - within;
  return m.pending == Count{};
}

void PeriodCollector::count(const Meter& m, const MeterKey& key, const Count& count,
                            const Period& time) {
  for (PeriodUsage& part : parts_)
    part.add(m.place, key.service, key.direction, key.kind, count, time);
  auto day = std::upper_bound(days_.begin(), days_.end(), time.from_ns,
                              [](int64_t at, const Period& d) { return at < d.to_ns; });
  uint64_t done = before(count, time, period_.from_ns).octets;
  for (; day != days_.end(); ++day) {
    const uint64_t through = before(count, time, day->to_ns).octets;
    (*m.days)[static_cast<size_t>(day - days_.begin())][static_cast<size_t>(key.direction)] +=
        through - done;
    done = through;
    if (day->to_ns > time.to_ns) break;
  }
}

void PeriodCollector::count_late() {
  const Period begin{period_.from_ns, period_.from_ns};
  for (const Late& l : late_) count(meters_.at(l.range.key), l.range.key, l.count(), begin);
  late_.clear();
}

std::vector<PeriodCollector::Range> PeriodCollector::ranges() const {
  std::vector<Range> all = taken_;
  for (const auto& [key, meter] : meters_) {
    if (meter.through != meter.begin)
      all.push_back({meter.gateway, key, meter.begin, meter.through});
  }
  std::sort(all.begin(), all.end(), [](const Range& a, const Range& b) {
    return std::tie(a.gateway, a.key, a.from) < std::tie(b.gateway, b.key, b.from);
  });
  return all;
}

// Late ranges of a meter are in the order in which they were taken, each within what was.
std::vector<PeriodCollector::Range> PeriodCollector::ranges_of_period() const {
  std::map<MeterKey, std::vector<const Range*>> late;
  for (const Late& l : late_) late[l.range.key].push_back(&l.range);
  std::vector<Range> all;
  for (Range r : ranges()) {
    if (const auto of_meter = late.find(r.key); of_meter != late.end()) {
      for (const Range* l : of_meter->second) {
        if (l->from.octets < r.from.octets || l->to.octets > r.to.octets) continue;
        if (l->from != r.from) all.push_back({r.gateway, r.key, r.from, l->from});
        r.from = l->to;
      }
    }
    if (r.from != r.to) all.push_back(std::move(r));
  }
  return all;
}

}  // namespace anabranch::billing
