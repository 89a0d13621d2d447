// SPDX-License-Identifier: BSD-3-Clause
#include "control/carrier.h"

#include <spdlog/spdlog.h>
#include <sys/random.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

namespace anabranch::control {

using dataplane::kServicesMax;

namespace {

constexpr uint16_t kSlotsTaken = 64;  // at once, when none is free

// Nobody counts into a free slot, so its cells stand still. The id comes last: after a crash in
// between the slot is still free.
void begin_meters(dataplane::ServiceMeters& meters) {
  for (size_t place = 0; place < dataplane::kPlaces; ++place) {
    for (size_t d = 0; d < dataplane::kDirections; ++d) {
      for (size_t k = 0; k < dataplane::kKinds; ++k) {
        meters.bases[place][d][k].octets.set(meters.places[place][d][k].octets.get());
        meters.bases[place][d][k].packets.set(meters.places[place][d][k].packets.get());
      }
    }
  }
}

uint64_t octets_of(const dataplane::ServiceMeters& meters) {
  uint64_t sum = 0;
  for (size_t place = 0; place < dataplane::kPlaces; ++place) {
    for (size_t d = 0; d < dataplane::kDirections; ++d) {
      for (size_t k = 0; k < dataplane::kKinds; ++k) {
        sum += meters.places[place][d][k].octets.get() - meters.bases[place][d][k].octets.get();
      }
    }
  }
  return sum;
}

}  // namespace

Carrier::Carrier(dataplane::PlanTable& plans, dataplane::Meters& meters)
    : plans_(plans), meters_(meters) {}

// The lowest that is free, so that meters stay together.
tl::expected<uint16_t, std::string> Carrier::take_slot(uint64_t id) {
  auto& region = meters_.region();
  const auto slots = static_cast<uint16_t>(region.slots.load());
  uint16_t free = slots;
  for (uint16_t slot = 1; slot < slots; ++slot) {
    const uint64_t owner = region.owners[slot].load(std::memory_order_relaxed);
    if (owner == id) return slot;
    if (owner == 0 && free == slots) free = slot;
  }
  if (free == slots) {
    const auto room = meters_.make_room(static_cast<uint16_t>(slots + kSlotsTaken));
    if (!room) return tl::unexpected(room.error());
  }
  for (size_t worker = 0; worker < meters_.workers(); ++worker)
    begin_meters(region.workers[worker].services[free]);
  region.owners[free].store(id, std::memory_order_release);
  return free;
}

tl::expected<Carried*, std::string> Carrier::add(uint64_t id, const std::string& client,
                                                 std::vector<TrafficRule> rules,
                                                 const Carriage& carriage) {
  const auto slot = take_slot(id);
  if (!slot) return tl::unexpected(slot.error());
  Carried& service = services_[id];
  service = {.id = id,
             .client = client,
             .slot = *slot,
             .receiver = new_receiver(*slot),
             .carriage = carriage,
             .rules = std::move(rules)};
  count_paths(carriage, 1);
  publish(service);
  change_rules();
  return &service;
}

void Carrier::release_others(const std::set<uint64_t>& open) {
  for (uint16_t slot = 1; slot < meters_.region().slots.load(); ++slot) {
    auto& owner = meters_.region().owners[slot];
    if (!open.contains(owner.load(std::memory_order_relaxed)))
      owner.store(0, std::memory_order_release);
  }
}

Carried* Carrier::find(uint64_t id) {
  const auto found = services_.find(id);
  return found == services_.end() ? nullptr : &found->second;
}

void Carrier::set_carriage(Carried& service, const Carriage& carriage) {
  if (service.carriage == carriage) return;
  count_paths(service.carriage, -1);
  service.carriage = carriage;
  count_paths(carriage, 1);
  publish(service);
}

void Carrier::set_rules(Carried& service, std::vector<TrafficRule> rules) {
  if (service.rules == rules) return;
  service.rules = std::move(rules);
  change_rules();
}

void Carrier::set_suspended(Carried& service, bool suspended) {
  if (std::exchange(service.suspended, suspended) != suspended) change_rules();
}

void Carrier::set_peer_receiver(Carried& service, uint32_t receiver) {
  if (service.peer_receiver == receiver) return;
  service.peer_receiver = receiver;
  publish(service);
}

void Carrier::renew_receiver(Carried& service) {
  service.receiver = new_receiver(service.slot);
  service.peer_receiver = 0;
  publish(service);
}

void Carrier::close(Carried& service) {
  if (!service.open) return;
  service.open = false;
  change_rules();
}

void Carrier::withdraw(Carried& service, std::function<void()> done) {
  close(service);
  plans_.publish(service.slot, nullptr);
  withdrawn_.push_back({rules_wanted_, std::move(done)});
}

void Carrier::forget(uint64_t id) {
  const auto found = services_.find(id);
  meters_.region().owners[found->second.slot].store(0, std::memory_order_release);
  count_paths(found->second.carriage, -1);
  services_.erase(found);
}

void Carrier::set_house(uint32_t receiver, uint32_t peer_receiver) {
  house_receiver_ = receiver;
  plans_.publish(dataplane::kHouseSlot, compile(Carriage{}, receiver, peer_receiver, path_sizes_));
}

uint32_t Carrier::new_receiver(uint16_t slot) {
  uint32_t generation = 0;
  while (generation / kServicesMax == 0) {
    if (getrandom(&generation, sizeof generation, 0) != sizeof generation) generation = 0;
  }
  return generation / kServicesMax * kServicesMax + slot;
}

void Carrier::set_path_sizes(const PathSizes& sizes) {
  if (path_sizes_ == sizes) return;
  path_sizes_ = sizes;
  for (const auto& [id, service] : services_) publish(service);
}

void Carrier::count_paths(const Carriage& carriage, int services) {
  for (size_t p = 1; p < carriage.weights.size(); ++p) {
    if (carriage.weights[p] == 0) continue;
    users_[p] += services;
    const auto bit = static_cast<uint16_t>(1u << p);
    paths_in_use_ =
        static_cast<uint16_t>(users_[p] > 0 ? paths_in_use_ | bit : paths_in_use_ & ~bit);
  }
}

uint64_t Carrier::octets(const Carried& service) const {
  uint64_t sum = 0;
  for (const auto& worker : meters_.all()) sum += octets_of(worker.services[service.slot]);
  return sum;
}

Carrier::ByPath Carrier::first_octets(const Carried& service) const {
  ByPath octets{};
  for (const auto& worker : meters_.all()) {
    const dataplane::ServiceMeters& meters = worker.services[service.slot];
    for (uint8_t path = 0; path < octets.size(); ++path) {
      const dataplane::Place place = dataplane::path_place(path);
      for (size_t d = 0; d < dataplane::kDirections; ++d) {
        const size_t kind = static_cast<size_t>(dataplane::Kind::first);
        octets[path] +=
            meters.places[place][d][kind].octets.get() - meters.bases[place][d][kind].octets.get();
      }
    }
  }
  return octets;
}

void Carrier::tick() {
  bring_rules_into_force();
  plans_.reclaim();
  if (plans_.retired() != 0) return;
  std::vector<std::function<void()>> done;
  done.swap(drained_);
  const auto without_rules =
      std::partition(withdrawn_.begin(), withdrawn_.end(),
                     [this](const Withdrawn& one) { return one.rules > rules_in_force_; });
  for (auto one = without_rules; one != withdrawn_.end(); ++one)
    drained_.push_back(std::move(one->done));
  withdrawn_.erase(without_rules, withdrawn_.end());
  if (!drained_.empty()) plans_.begin_round();
  for (auto& one : done) one();
}

void Carrier::publish(const Carried& service) {
  const bool has_path =
      std::any_of(service.carriage.weights.begin(), service.carriage.weights.end(),
                  [](uint16_t w) { return w != 0; });
  plans_.publish(service.slot, compile(service.carriage, service.receiver,
                                       has_path ? service.peer_receiver : 0, path_sizes_));
}

void Carrier::change_rules() {
  ++rules_wanted_;
  bring_rules_into_force();
}

void Carrier::bring_rules_into_force() {
  if (compiling_.valid()) {
    if (compiling_.wait_for(std::chrono::seconds(0)) != std::future_status::ready) return;
    publish_rules(compiling_.get());
  }
  if (rules_in_force_ == rules_wanted_) return;
  std::vector<SlotRules> open;
  size_t count = 0;
  for (const auto& [id, service] : services_) {
    if (!service.open || service.suspended) continue;
    open.push_back({service.slot, service.rules});
    count += service.rules.size();
  }
  const auto compile_them = [open = std::move(open), version = rules_wanted_] {
    auto rules = compile(open);
    rules->make_index();
    return Compiled{version, std::move(rules)};
  };
  if (count < dataplane::Ruleset::kIndexFrom) return publish_rules(compile_them());
  compiling_ = std::async(std::launch::async, compile_them);
}

void Carrier::publish_rules(Compiled compiled) {
  if (!compiled.rules->is_indexed()) {
    spdlog::warn(
        "{} traffic rules are gone through one by one for each new flow, since memory does not "
        "suffice to index them; raise dataplane.memory_mb",
        compiled.rules->rules.size() + compiled.rules->rules6.size());
  }
  plans_.publish(std::move(compiled.rules));
  rules_in_force_ = compiled.version;
}

}  // namespace anabranch::control
