// SPDX-License-Identifier: BSD-3-Clause
// Meters: octets and packets of outer IP for each (service, place, direction, kind).
//
// They live in a file mapped to shared memory (on a tmpfs), which outlives the process: a killed
// gateway loses nothing it counted. Cells only grow, also when their slot goes to another service:
// what a service used is a cell less its base. A cell has one writer: its worker, or for
// `unattended` the control thread. The layout is versioned; a region of another layout is refused.
//
// The file is as long as all services would need, and sparse: memory is taken for as many slots as
// were ever used at once, 11 KB each for each worker, by make_room().
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

#include "dataplane/bounds.h"
#include "dataplane/counters.h"

namespace anabranch::dataplane {

enum class Direction : uint8_t { sent, received };
inline constexpr size_t kDirections = 2;

enum class Kind : uint8_t {
  first,       // the client's IP packet, sent for the first time
  repair,      // sent again because it was lost
  copy,        // redundant copies
  overhead,    // outer headers and tags around the client's packets
  control,     // beats
  refused,     // arrived for our UDP port, but was no segment of ours
  unattended,  // counted by the kernel while no gateway process attended the port
};
inline constexpr size_t kKinds = 7;

// Where octets were: on a path (1..15), or on an uplink when no path can be named.
using Place = uint8_t;
inline constexpr size_t kPlaces = kPathsMax + kUplinksMax;
constexpr Place path_place(uint8_t path) {
  return path;
}
constexpr Place uplink_place(uint8_t uplink) {
  return static_cast<Place>(kPathsMax + uplink);
}

struct MeterCell {
  Counter octets;
  Counter packets;
  void add(uint64_t octet_count, uint64_t packet_count) {
    octets.add(octet_count);
    packets.add(packet_count);
  }
};
using PlaceMeters = MeterCell[kDirections][kKinds];

struct alignas(64) ServiceMeters {
  PlaceMeters places[kPlaces];
  PlaceMeters bases[kPlaces];  // the cells when the service got the slot; written by control
};

// What the kernel's own counters said when the region was made (see control/kernel/witness.h), and
// which catalogue entry each place stands for. Written by the control thread.
struct MeterPlace {
  uint64_t catalogue = 0;  // 0: place not in use
  uint64_t witness_octets[kDirections] = {};
  uint64_t witness_packets[kDirections] = {};
};

struct WorkerMeters {
  ServiceMeters services[kServicesMax];
};

// As much of it as there are workers is mapped; the file has those of earlier processes, too.
struct MeterRegion {
  uint64_t magic;
  uint64_t layout;  // sizeof and version
  uint64_t id;      // random; never reused
  uint64_t clean;   // 1: the last process ended in order
  // Nothing is or was counted in slots from this one on, nor may be: there is no memory for it.
  std::atomic<uint64_t> slots;
  MeterPlace places[kPlaces];
  std::atomic<uint64_t> owners[kServicesMax];  // by slot: its service, whose id is never reused; 0
  alignas(64) WorkerMeters workers[kWorkersMax];

  static constexpr size_t size_for(size_t workers) {
    return sizeof(MeterRegion) - (kWorkersMax - workers) * sizeof(WorkerMeters);
  }
};

class Meters {
 public:
  // Opens `file` with room for so many workers, or makes it when it does not exist. Errors: cannot
  // be made, mapped, or is not a meter region of this version (then it is left alone).
  static tl::expected<Meters, std::string> open(const std::string& file, size_t workers = 1);
  Meters(Meters&& other) noexcept;
  Meters& operator=(Meters&& other) noexcept;
  ~Meters();

  MeterRegion& region() { return *region_; }
  const MeterRegion& region() const { return *region_; }
  // Slots below this one may be counted into. Control thread. The error: no room is left; nothing
  // has changed then.
  static constexpr uint16_t kSlotsLeast = 64;
  tl::expected<void, std::string> make_room(uint16_t slots);
  // Who ever counted: those of an earlier process may have been more than now.
  size_t workers() const { return workers_; }
  std::span<const WorkerMeters> all() const { return {region_->workers, workers_}; }
  // True when the region existed and its last process did not end in order.
  bool unclean() const { return unclean_; }
  bool fresh() const { return fresh_; }

 private:
  Meters(int fd, std::string file, MeterRegion* region, size_t workers, bool fresh);
  int fd_;
  std::string file_;
  MeterRegion* region_;
  size_t workers_;
  bool fresh_;
  bool unclean_;
};

}  // namespace anabranch::dataplane
