// SPDX-License-Identifier: BSD-3-Clause
// What the workers of one gateway have in common: how packets get from the worker that attends a
// port to the one they are for, what paths and services have been given by all of them, and what
// worker 0, whom the peer's beats reach, knows of paths.
//
// Everything here is an SPSC ring, a bell to it, a cell with one writer, or a time that is reserved
// by compare-and-swap. Nothing orders anything but the rings.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "dataplane/bounds.h"
#include "dataplane/counters.h"
#include "dataplane/doorbell.h"
#include "dataplane/flow_accounts.h"
#include "dataplane/handover.h"
#include "dataplane/pace.h"
#include "dataplane/spsc_ring.h"

namespace anabranch::dataplane {

// Whether each worker has a queue of its own at a port. If not, one worker attends it for all.
struct PortQueues {
  bool each_receives = false, each_sends = false;
};
inline constexpr uint8_t kLanPort = 0;  // uplink u is port u + 1
inline constexpr uint8_t kPortsMax = 1 + kUplinksMax;

class Crew {
 public:
  explicit Crew(uint8_t workers, uint32_t ring_size = HandoverRing::kSize);
  ~Crew();
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;
  bool is_mapped() const;

  const uint8_t workers;
  std::array<PortQueues, kPortsMax> ports{};  // set before workers are made
  uint8_t attendant(uint8_t port) const { return static_cast<uint8_t>(port % workers); }

  // By what is handed over: packets from the LAN; from uplinks, and news of workers; frames for a
  // port that the other attends.
  enum class Way : uint8_t { lan, uplink, port };
  HandoverRing& ring(Way way, uint8_t from, uint8_t to) {
    return rings_[(static_cast<size_t>(way) * workers + from) * workers + to];
  }

  std::array<Doorbell, kWorkersMax> bells;

  alignas(64) std::array<SharedPace, kPathsMax> path_paces{};
  alignas(64) std::array<SharedPace, kServicesMax> service_paces{};

  // What each worker received on a path.
  struct Heard {
    Counter at_ns, received, expected;
  };
  struct alignas(64) HeardOnPaths : std::array<Heard, kPathsMax> {};
  std::array<HeardOnPaths, kWorkersMax> heard{};

  // What a path was found to carry, where its rate is not given; written by worker 0.
  struct Found {
    Counter pace, bps;
  };
  alignas(64) std::array<Found, kPathsMax> found{};

  // Which services have packets waiting at each worker, and the weight that gives it: a service's
  // own, or its part where they wait at several.
  struct alignas(64) Demand {
    std::array<Counter, kServicesMax / 64> slots;
    Counter weight;
  };
  std::array<Demand, kWorkersMax> demands{};

  // That a port has accepted a frame of another worker's: for its accounts of flows. Only where
  // flows are accounted.
  struct FlowNote {
    FlowAccounts::Ref flow;
    uint16_t slot;
    Place place;
    Kind kind;
    uint16_t inner, outer;
  };
  void make_note_rings();
  SpscRing<FlowNote>& notes(uint8_t from, uint8_t to) {
    return *notes_[static_cast<size_t>(from) * workers + to];
  }

 private:
  std::vector<HandoverRing> rings_;
  std::vector<std::unique_ptr<SpscRing<FlowNote>>> notes_;
};

}  // namespace anabranch::dataplane
