// SPDX-License-Identifier: BSD-3-Clause
// What it costs a worker that another thread publishes plans, one service's at a time, while
// packets of all services come: blocks of bursts with and without it take turns. Then the same
// while four polls of five find a full burst: is a packet lost?
#include <atomic>
#include <thread>

#include <pthread.h>

#include "bench/cycles.h"
#include "bench/one_worker.h"

namespace anabranch::bench {
namespace {

using namespace dataplane;

constexpr uint16_t kServices = 10'000;
constexpr uint32_t kFlows = 16384;

// Publishes on another CPU than the worker's, when it is told to.
class Publisher {
 public:
  Publisher(OneWorker& worker, uint32_t each_second)
      : worker_(worker), pause_ticks_(rte_get_tsc_hz() / each_second), thread_([this] { run(); }) {}
  ~Publisher() {
    stop_.store(true, std::memory_order_release);
    thread_.join();
  }
  void set_on(bool on) { on_.store(on, std::memory_order_release); }
  uint64_t published() const { return published_.load(std::memory_order_acquire); }
  size_t retired_most() const { return retired_most_.load(std::memory_order_acquire); }

 private:
  void run() {
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(1, &cpus);
    pthread_setaffinity_np(pthread_self(), sizeof cpus, &cpus);
    uint64_t due = rte_rdtsc();
    uint32_t generation = kServicesMax;
    while (!stop_.load(std::memory_order_acquire)) {
      if (!on_.load(std::memory_order_acquire) || rte_rdtsc() < due) continue;
      due = rte_rdtsc() + pause_ticks_;
      const auto slot = static_cast<uint16_t>(kService + ++generation % kServices);
      auto plan = worker_.make_plan(slot);
      plan->generation = generation;
      worker_.plans().publish(slot, std::move(plan));
      published_.fetch_add(1, std::memory_order_release);
      retired_most_.store(std::max(retired_most(), worker_.plans().retired()),
                          std::memory_order_release);
    }
  }

  OneWorker& worker_;
  const uint64_t pause_ticks_;
  std::atomic<bool> on_{false}, stop_{false};
  std::atomic<uint64_t> published_{0};
  std::atomic<size_t> retired_most_{0};
  std::thread thread_;
};

// The mean of polls, but for those in which the kernel gave the CPU to somebody else.
double usual(std::vector<uint64_t>& polls) {
  const auto middle = polls.begin() + static_cast<std::ptrdiff_t>(polls.size() / 2);
  std::nth_element(polls.begin(), middle, polls.end());
  const uint64_t most = 4 * *middle;
  uint64_t sum = 0, count = 0;
  for (const uint64_t ticks : polls) {
    if (ticks > most) continue;
    sum += ticks;
    ++count;
  }
  return static_cast<double>(sum) / static_cast<double>(count);
}

void republish(benchmark::State& state) {
  constexpr uint32_t kBlock = 500;  // bursts
  OneWorker worker({.flows = kFlows, .services = kServices});
  Publisher publisher(worker, static_cast<uint32_t>(state.range(0)));
  std::array<std::vector<uint64_t>, 2> polls;  // without and with publishing
  uint32_t blocks = 0;
  for (auto _ : state) {
    const size_t with = blocks++ % 2;
    publisher.set_on(with == 1);
    uint64_t ticks = 0;
    for (uint32_t n = 0; n < kBlock; ++n) {
      worker.offer_packets();
      polls[with].push_back(worker.poll());
      ticks += polls[with].back();
    }
    state.SetIterationTime(static_cast<double>(ticks) / static_cast<double>(rte_get_tsc_hz()));
  }
  const double without = usual(polls[0]), with = usual(polls[1]);
  state.counters["cycles_per_packet"] = with / kBurst;
  state.counters["rate_lost_percent"] = 100 * (1 - without / with);
  state.counters["plans"] = static_cast<double>(publisher.published());
  state.counters["retired_most"] = static_cast<double>(publisher.retired_most());
  if (publisher.published() == 0) state.SkipWithError("nothing was published");
}

void republish_at_80_percent(benchmark::State& state) {
  OneWorker worker({.flows = kFlows, .services = kServices});
  Publisher publisher(worker, static_cast<uint32_t>(state.range(0)));
  publisher.set_on(true);
  const Counters& counters = worker.counters();
  const uint64_t dropped = counters.dropped();
  const uint64_t sent = worker.to_uplinks(), made = counters.made.get();
  uint64_t offered = 0, polls = 0;
  for (auto _ : state) {
    if (++polls % 5 != 0) {
      worker.offer_packets();
      offered += kBurst;
    }
    const uint64_t ticks = worker.poll();
    state.SetIterationTime(static_cast<double>(ticks) / static_cast<double>(rte_get_tsc_hz()));
  }
  const uint64_t through = worker.to_uplinks() - sent - (counters.made.get() - made);
  state.counters["lost"] = static_cast<double>(offered - through);
  state.counters["plans"] = static_cast<double>(publisher.published());
  if (through != offered || counters.dropped() != dropped) state.SkipWithError("packets were lost");
}

void each_second(benchmark::internal::Benchmark* b) {
  b->UseManualTime()->ArgName("plans_each_second")->Arg(1000)->Arg(100'000);
}
BENCHMARK(republish)->Apply(each_second)->Iterations(120);
BENCHMARK(republish_at_80_percent)->Apply(each_second)->Iterations(60'000);

}  // namespace
}  // namespace anabranch::bench
