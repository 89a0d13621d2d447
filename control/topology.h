// SPDX-License-Identifier: BSD-3-Clause
// Who is next on each port, and with which MAC: from the kernel's tables (shared ports) or the
// configuration (device ports) to the data plane's path and neighbour tables. Control thread.
#pragma once

#include <array>
#include <chrono>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "control/compile.h"
#include "control/config.h"
#include "control/kernel/neighbours.h"
#include "dataplane/plan_table.h"

namespace anabranch::control {

// A port as it was opened.
struct PortFacts {
  int ifindex = 0;  // 0: a device port
  dataplane::Mac mac{};
  Ip address;  // not given: none of this family
  Prefix network;
  uint16_t mtu = 1500;
  Ip address6;
  Prefix network6;
  std::optional<dataplane::Mac> next_hop;  // device ports: all there is
};

class Topology {
 public:
  Topology(const Config& config, PortFacts lan, std::vector<PortFacts> uplinks,
           Neighbours& neighbours, dataplane::PlanTable& plans);

  // A LAN address the data plane could not resolve.
  void want(Ip address);
  // What is done with each path. Bit p of a mask: path p.
  struct Use {
    uint16_t in_use = 0;
    uint16_t doubted = 0;  // to be measured though it is not in use
    // What either gateway has ordered of it, bits a second: it is paced at no more. 0: nothing.
    std::array<uint64_t, dataplane::kPathsMax> ordered_bps{};
    bool operator==(const Use&) const = default;
  };
  // Reads the kernel's events and publishes tables when they changed.
  // Keeps the entries in use alive in the kernel, whose own traffic does not. `proved`: where each
  // path's segments come from, by path (PathTelemetry::remote).
  using Remotes = std::array<dataplane::Endpoint, dataplane::kPathsMax>;
  void tick(const Use& use, const Remotes& proved);

  // Tables are made anew at the next tick.
  void config_has_changed() { changed_ = true; }

  const PathSizes& path_sizes() const { return path_sizes_; }

 private:
  bool is_lan_neighbour(Ip address) const;
  std::optional<dataplane::Mac> next_hop_mac(const PortFacts& port, Ip next_hop);
  void publish_paths();
  void tell_who_moved(const Remotes& proved) const;
  dataplane::Endpoint remote_of(const PathConfig& path) const;
  void publish_neighbours();
  void refresh();

  const Config& config_;
  PortFacts lan_;
  std::vector<PortFacts> uplinks_;
  Neighbours& neighbours_;
  dataplane::PlanTable& plans_;
  PathSizes path_sizes_{};
  std::set<Ip> wanted_;
  std::chrono::steady_clock::time_point refreshed_{};
  bool changed_ = true;
  Use use_;
  Remotes proved_{};
};

}  // namespace anabranch::control
