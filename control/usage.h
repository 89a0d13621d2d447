// SPDX-License-Identifier: BSD-3-Clause
// From the data plane's meters to billing's readings, and what the kernel counted while nobody
// attended. Control thread.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "billing/usage.h"
#include "dataplane/meter.h"

namespace anabranch::control {

// Octets and packets of an uplink, each way.
struct UplinkCount {
  uint64_t octets[dataplane::kDirections] = {};
  uint64_t packets[dataplane::kDirections] = {};
  bool operator==(const UplinkCount&) const = default;
  uint64_t total() const { return octets[0] + octets[1]; }
};

// Which catalogue entry (billing::Ledger::path_id) and which uplink each place stands for.
struct PlaceInfo {
  uint16_t catalogue = 0;  // 0: not in use
  uint8_t uplink = 0;
};
using Places = std::array<PlaceInfo, dataplane::kPlaces>;

class Usage {
 public:
  // `workers`: of those the region has room for.
  Usage(dataplane::MeterRegion& region, size_t workers, const Places& places);

  // Every meter that ever counted, of the house and of home services. `totals`: paths' totals
  // besides, of visitors too. cost of those: looks at all services' meters.
  std::vector<billing::Reading> read(bool totals = false) const;

  // … those alone.
  std::vector<billing::Reading> totals() const;

  UplinkCount uplink(uint8_t uplink) const;
  UplinkCount place(dataplane::Place place) const;

  // The kernel's own counters (control/kernel/witness.h) start from anywhere: from now on they and
  // the meters count alike.
  void rebase(const std::vector<uint8_t>& uplinks, const std::vector<UplinkCount>& witness);
  // What the kernel counted more than the meters: packets of the moments when the process was dead.
  // Negative figures mean that a meter is wrong.
  struct Residue {
    int64_t octets[dataplane::kDirections] = {};
    int64_t packets[dataplane::kDirections] = {};
    bool operator==(const Residue&) const = default;
    bool zero() const {
      return octets[0] == 0 && octets[1] == 0 && packets[0] == 0 && packets[1] == 0;
    }
    bool negative() const {
      return octets[0] < 0 || octets[1] < 0 || packets[0] < 0 || packets[1] < 0;
    }
  };
  Residue residue(uint8_t uplink, const UplinkCount& witness) const;
  // Books a residue to the house as `unattended`.
  void book_unattended(uint8_t uplink, const Residue& residue);

 private:
  void read_totals(std::vector<billing::Reading>& readings) const;
  void read_service(size_t worker, uint16_t slot, uint64_t service,
                    std::vector<billing::Reading>& readings) const;

  dataplane::MeterRegion& region_;
  size_t workers_;
  Places places_;
};

}  // namespace anabranch::control
