// SPDX-License-Identifier: BSD-3-Clause
// The state of all paths, from the workers' telemetry. Control thread.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <vector>

#include "control/measure.h"
#include "control/probation.h"
#include "control/topology.h"
#include "dataplane/workers.h"

namespace anabranch::control {

class PathMonitor {
 public:
  PathMonitor(const Config& config, const dataplane::Workers& workers)
      : config_(config), workers_(workers) {}

  // Once a second: loss, availability.
  void measure() {
    for (const PathConfig& path : config_.peer.paths)
      meters_[path.id].update(sample(workers_.telemetry(path.id)));
  }

  // Bit p: path p is alive now.
  uint16_t alive() const {
    return mask_of([this](uint8_t p) { return workers_.telemetry(p).alive.get() != 0; });
  }

  // Every 5 ms: which are there, and since when.
  void look() {
    const uint16_t alive = this->alive();
    for (const PathConfig& path : config_.peer.paths)
      probations_[path.id].look((alive >> path.id & 1) != 0, now_ms());
  }

  // Bit p: path p is to be measured, though nothing may take it.
  uint16_t doubted() const {
    return mask_of([this](uint8_t p) {
      const auto meter = meters_.find(p);
      return meter != meters_.end() && meter->second.is_doubted();
    });
  }

  // Where each path's segments come from, as far as that is proved.
  Topology::Remotes remotes() const {
    Topology::Remotes remotes{};
    for (const PathConfig& path : config_.peer.paths)
      remotes[path.id] = workers_.telemetry(path.id).remote.get();
    return remotes;
  }

  // As large as each path is, or less where large packets are seen not to arrive.
  PathSizes fitting(PathSizes sizes) const {
    for (const PathConfig& path : config_.peer.paths) {
      const uint64_t fits = workers_.telemetry(path.id).fits_octets.get();
      uint16_t& mtu = sizes[path.id].mtu;
      if (fits != 0) mtu = static_cast<uint16_t>(std::min<uint64_t>(mtu, fits));
    }
    return sizes;
  }

  // All paths as they are now, without prices: those are each client's.
  std::vector<PathState> states(const PathSizes& configured) const {
    const PathSizes sizes = fitting(configured);
    std::vector<PathState> states;
    for (const PathConfig& path : config_.peer.paths) {
      const UplinkConfig& uplink = *config_.find_uplink(path.uplink);
      PathState state;
      state.name = uplink.name;
      state.provider = uplink.provider;
      state.network = uplink.network;
      state.index = path.id;
      state.mtu = sizes[path.id].mtu;
      state.overhead = sizes[path.id].overhead;
      const PathSample now = sample(workers_.telemetry(path.id));
      state.rate_up_bps = rate_of(uplink.rate_up_bps, now.capacity_bps);
      state.rate_down_bps = rate_of(uplink.rate_down_bps, now.peer_capacity_bps);
      const auto meter = meters_.find(path.id);
      (meter == meters_.end() ? PathMeter() : meter->second).write(now, state);
      state.held_back_s = probations_[path.id].held_back_s(now_ms());
      states.push_back(std::move(state));
    }
    return states;
  }

  // What a link is taken to carry whose rate is "auto" and that was never full.
  static constexpr uint64_t kUnknownBps = 100'000'000;

 private:
  template <typename Is>
  uint16_t mask_of(Is is) const {
    uint16_t mask = 0;
    for (const PathConfig& path : config_.peer.paths) {
      if (is(path.id)) mask = static_cast<uint16_t>(mask | 1u << path.id);
    }
    return mask;
  }
  static int64_t now_ms() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
  }
  static uint64_t rate_of(uint64_t configured, uint64_t found) {
    if (configured != 0) return configured;
    return found == 0 ? kUnknownBps : found;
  }

  const Config& config_;
  const dataplane::Workers& workers_;
  std::map<uint8_t, PathMeter> meters_;
  std::array<Probation, dataplane::kPathsMax> probations_;
};

}  // namespace anabranch::control
