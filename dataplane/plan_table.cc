// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/plan_table.h"

#include <cstdlib>

namespace anabranch::dataplane {

PlanTable::PlanTable()
    : ruleset_(new Ruleset),
      paths_(new PathTable),
      neighbours_(new NeighbourTable),
      keys_(new KeyTable),
      limits_(new LimitTable) {
  const size_t size = rte_rcu_qsbr_get_memsize(kWorkersMax);
  qsbr_ = static_cast<rte_rcu_qsbr*>(std::aligned_alloc(64, (size + 63) / 64 * 64));
  rte_rcu_qsbr_init(qsbr_, kWorkersMax);
}

PlanTable::~PlanTable() {
  for (auto& retired : retired_) retired.free();
  for (auto& plan : plans_) delete plan.load(std::memory_order_relaxed);
  delete ruleset_.load(std::memory_order_relaxed);
  delete paths_.load(std::memory_order_relaxed);
  delete neighbours_.load(std::memory_order_relaxed);
  delete keys_.load(std::memory_order_relaxed);
  delete limits_.load(std::memory_order_relaxed);
  std::free(qsbr_);
}

void PlanTable::worker_online(uint32_t worker) {
  rte_rcu_qsbr_thread_register(qsbr_, worker);
  rte_rcu_qsbr_thread_online(qsbr_, worker);
}

void PlanTable::worker_offline(uint32_t worker) {
  rte_rcu_qsbr_thread_offline(qsbr_, worker);
  rte_rcu_qsbr_thread_unregister(qsbr_, worker);
}

template <typename T>
void PlanTable::exchange(std::atomic<const T*>& place, std::unique_ptr<const T> next) {
  // Release: a worker that sees the pointer sees what it points to.
  const T* old = place.exchange(next.release(), std::memory_order_acq_rel);
  if (old == nullptr) return;
  retired_.push_back({rte_rcu_qsbr_start(qsbr_), [old] { delete old; }});
  reclaim();
}

void PlanTable::publish(uint16_t slot, std::unique_ptr<const Plan> plan) {
  exchange(plans_[slot], std::move(plan));
}
void PlanTable::publish(std::unique_ptr<const Ruleset> ruleset) {
  exchange(ruleset_, std::move(ruleset));
}
void PlanTable::publish(std::unique_ptr<const PathTable> paths) {
  exchange(paths_, std::move(paths));
}
void PlanTable::publish(std::unique_ptr<const NeighbourTable> neighbours) {
  exchange(neighbours_, std::move(neighbours));
}
void PlanTable::publish(std::unique_ptr<const KeyTable> keys) {
  exchange(keys_, std::move(keys));
}
void PlanTable::publish(std::unique_ptr<const LimitTable> limits) {
  exchange(limits_, std::move(limits));
}

void PlanTable::begin_round() {
  retired_.push_back({rte_rcu_qsbr_start(qsbr_), [] {}});
}

void PlanTable::reclaim() {
  size_t done = 0;
  while (done < retired_.size() && rte_rcu_qsbr_check(qsbr_, retired_[done].token, false) == 1) {
    retired_[done++].free();
  }
  retired_.erase(retired_.begin(), retired_.begin() + static_cast<std::ptrdiff_t>(done));
}

}  // namespace anabranch::dataplane
