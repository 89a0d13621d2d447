// SPDX-License-Identifier: BSD-3-Clause
#include "control/usage.h"

#include "control/carrier.h"

namespace anabranch::control {

using dataplane::kDirections;
using dataplane::kKinds;
using dataplane::kPlaces;

static_assert(static_cast<int>(billing::Kind::unattended) ==
              static_cast<int>(dataplane::Kind::unattended));
static_assert(static_cast<int>(billing::Direction::received) ==
              static_cast<int>(dataplane::Direction::received));

Usage::Usage(dataplane::MeterRegion& region, size_t workers, const Places& places)
    : region_(region), workers_(workers), places_(places) {}

std::vector<billing::Reading> Usage::read(bool totals) const {
  std::vector<billing::Reading> readings;
  for (uint16_t slot = 0; slot < region_.slots.load(); ++slot) {
    const uint64_t service =
        region_.owners[slot].load(std::memory_order_acquire);  // pairs with begin_meters()
    const bool home =
        slot == dataplane::kHouseSlot || (service != 0 && (service & Carried::kVisitor) == 0);
    if (!home) continue;
    for (size_t worker = 0; worker < workers_; ++worker)
      read_service(worker, slot, service, readings);
  }
  if (totals) read_totals(readings);
  return readings;
}

std::vector<billing::Reading> Usage::totals() const {
  std::vector<billing::Reading> readings;
  read_totals(readings);
  return readings;
}

void Usage::read_service(size_t worker, uint16_t slot, uint64_t service,
                         std::vector<billing::Reading>& readings) const {
  const dataplane::ServiceMeters& meters = region_.workers[worker].services[slot];
  for (size_t place = 0; place < kPlaces; ++place) {
    if (places_[place].catalogue == 0) continue;
    for (size_t d = 0; d < kDirections; ++d) {
      for (size_t k = 0; k < kKinds; ++k) {
        const auto& cell = meters.places[place][d][k];
        const auto& base = meters.bases[place][d][k];
        if (cell.octets.get() == base.octets.get()) continue;
        readings.push_back({{.region = region_.id,
                             .service = service,
                             .worker = static_cast<uint8_t>(worker),
                             .path = places_[place].catalogue,
                             .direction = static_cast<billing::Direction>(d),
                             .kind = static_cast<billing::Kind>(k)},
                            cell.octets.get() - base.octets.get(),
                            cell.packets.get() - base.packets.get()});
      }
    }
  }
}

void Usage::read_totals(std::vector<billing::Reading>& readings) const {
  for (size_t p = 0; p < kPlaces; ++p) {
    if (places_[p].catalogue == 0) continue;
    const UplinkCount count = place(static_cast<dataplane::Place>(p));
    for (size_t d = 0; d < kDirections; ++d) {
      if (count.octets[d] == 0) continue;
      readings.push_back({{.region = region_.id,
                           .service = billing::kPathTotal,
                           .path = places_[p].catalogue,
                           .direction = static_cast<billing::Direction>(d)},
                          count.octets[d],
                          count.packets[d]});
    }
  }
}

UplinkCount Usage::place(dataplane::Place place) const {
  UplinkCount count;
  for (size_t worker = 0; worker < workers_; ++worker) {
    for (size_t slot = 0; slot < region_.slots.load(); ++slot) {
      const auto& service = region_.workers[worker].services[slot];
      for (size_t d = 0; d < kDirections; ++d) {
        for (const auto& cell : service.places[place][d]) {
          count.octets[d] += cell.octets.get();
          count.packets[d] += cell.packets.get();
        }
      }
    }
  }
  return count;
}

UplinkCount Usage::uplink(uint8_t uplink) const {
  UplinkCount count;
  for (size_t p = 0; p < kPlaces; ++p) {
    if (places_[p].catalogue == 0 || places_[p].uplink != uplink) continue;
    const UplinkCount one = place(static_cast<dataplane::Place>(p));
    for (size_t d = 0; d < kDirections; ++d) {
      count.octets[d] += one.octets[d];
      count.packets[d] += one.packets[d];
    }
  }
  return count;
}

void Usage::rebase(const std::vector<uint8_t>& uplinks, const std::vector<UplinkCount>& witness) {
  for (size_t i = 0; i < uplinks.size(); ++i) {
    const UplinkCount own = uplink(uplinks[i]);
    auto& base = region_.places[dataplane::uplink_place(uplinks[i])];
    for (size_t d = 0; d < kDirections; ++d) {
      base.witness_octets[d] = witness[i].octets[d] - own.octets[d];
      base.witness_packets[d] = witness[i].packets[d] - own.packets[d];
    }
  }
}

Usage::Residue Usage::residue(uint8_t u, const UplinkCount& witness) const {
  const UplinkCount own = uplink(u);
  const auto& base = region_.places[dataplane::uplink_place(u)];
  Residue residue;
  for (size_t d = 0; d < kDirections; ++d) {
    residue.octets[d] =
        static_cast<int64_t>(witness.octets[d] - base.witness_octets[d] - own.octets[d]);
    residue.packets[d] =
        static_cast<int64_t>(witness.packets[d] - base.witness_packets[d] - own.packets[d]);
  }
  return residue;
}

void Usage::book_unattended(uint8_t u, const Residue& residue) {
  auto& house =
      region_.workers[0].services[dataplane::kHouseSlot].places[dataplane::uplink_place(u)];
  for (size_t d = 0; d < kDirections; ++d) {
    house[d][static_cast<size_t>(dataplane::Kind::unattended)].add(
        static_cast<uint64_t>(residue.octets[d]), static_cast<uint64_t>(residue.packets[d]));
  }
}

}  // namespace anabranch::control
