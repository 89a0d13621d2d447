// SPDX-License-Identifier: BSD-3-Clause
// Hands the workers what is left of paths' quotas, of ours and of the peer's, each a part
// (dataplane/path_limits.h), so that they stop by themselves while nobody renews it. Control
// thread.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "control/messages.h"
#include "dataplane/plan_table.h"
#include "dataplane/workers.h"

namespace anabranch::control {

// What may still be sent on a path, from a given reading on.
struct Allowance {
  uint64_t left = Limits::kNone;  // octets of outer packets
  uint64_t slow_bps = 0;          // what the path is given then; 0: nothing
};

// The one that ends first decides what happens then; of equals, the one that allows less.
Allowance tighter(const Allowance& a, const Allowance& b);

class Allowances {
 public:
  Allowances(dataplane::PlanTable& plans, const dataplane::Workers& workers);

  // How much was put on each path, by worker. To be taken before usage is read: what is put on
  // paths in between then counts twice against the rest, never not at all.
  void take_readings();
  // The peer's word; from the last readings on.
  void peer_leaves(const Limits& limits);
  // By path; from the last readings on. Publishes.
  void leave(const std::array<Allowance, dataplane::kPathsMax>& own);

 private:
  using ByWorker = std::vector<uint64_t>;
  uint64_t sum_of(uint8_t path) const;
  Allowance peers(uint8_t path) const;

  dataplane::PlanTable& plans_;
  const dataplane::Workers& workers_;
  std::array<ByWorker, dataplane::kPathsMax> given_;
  std::array<std::vector<double>, dataplane::kPathsMax> lately_;
  struct FromPeer {
    uint64_t until = Limits::kNone;  // the sum of all workers' readings
    uint64_t slow_bps = 0;
  };
  std::array<FromPeer, dataplane::kPathsMax> from_peer_{};
  uint64_t version_ = 0;
  bool any_ = false;  // the table in force limits something
};

}  // namespace anabranch::control
