// SPDX-License-Identifier: BSD-3-Clause
// Everything control tells the workers: plans by service slot, the ruleset, paths, neighbours,
// keys and limits.
//
// Published by pointer, never locked. Control builds an immutable object, stores its address with
// release order and keeps the old one until every worker has passed a quiescent state
// (rte_rcu_qsbr). A worker loads the pointers once a burst with acquire order and reports a
// quiescent state once a poll. One control thread publishes.
#pragma once

#include <rte_rcu_qsbr.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "dataplane/bounds.h"
#include "dataplane/classify.h"
#include "dataplane/keys.h"
#include "dataplane/neighbours.h"
#include "dataplane/path_limits.h"
#include "dataplane/paths.h"
#include "dataplane/plan.h"

namespace anabranch::dataplane {

class PlanTable {
 public:
  PlanTable();
  ~PlanTable();
  PlanTable(const PlanTable&) = delete;
  PlanTable& operator=(const PlanTable&) = delete;

  // Worker side. Pairs with the release store in exchange().
  const Plan* plan(uint16_t slot) const { return plans_[slot].load(std::memory_order_acquire); }
  const Ruleset& ruleset() const { return *ruleset_.load(std::memory_order_acquire); }
  const PathTable& paths() const { return *paths_.load(std::memory_order_acquire); }
  const NeighbourTable& neighbours() const { return *neighbours_.load(std::memory_order_acquire); }
  const KeyTable& keys() const { return *keys_.load(std::memory_order_acquire); }
  const LimitTable& limits() const { return *limits_.load(std::memory_order_acquire); }
  void worker_online(uint32_t worker);
  void worker_offline(uint32_t worker);
  void quiescent(uint32_t worker) { rte_rcu_qsbr_quiescent(qsbr_, worker); }

  // Control side. nullptr as plan takes the service out of force.
  void publish(uint16_t slot, std::unique_ptr<const Plan> plan);
  void publish(std::unique_ptr<const Ruleset> ruleset);
  void publish(std::unique_ptr<const PathTable> paths);
  void publish(std::unique_ptr<const NeighbourTable> neighbours);
  void publish(std::unique_ptr<const KeyTable> keys);
  void publish(std::unique_ptr<const LimitTable> limits);
  // As if something were published: it is retired when every worker has been round.
  void begin_round();
  // Frees what no worker can see any more. Called now and then; never waits.
  void reclaim();
  size_t retired() const { return retired_.size(); }

 private:
  struct Retired {
    uint64_t token;
    std::function<void()> free;
  };
  template <typename T>
  void exchange(std::atomic<const T*>& place, std::unique_ptr<const T> next);

  std::array<std::atomic<const Plan*>, kServicesMax> plans_{};
  std::atomic<const Ruleset*> ruleset_;
  std::atomic<const PathTable*> paths_;
  std::atomic<const NeighbourTable*> neighbours_;
  std::atomic<const KeyTable*> keys_;
  std::atomic<const LimitTable*> limits_;
  rte_rcu_qsbr* qsbr_;
  std::vector<Retired> retired_;
};

}  // namespace anabranch::dataplane
