// SPDX-License-Identifier: BSD-3-Clause
// What a second worker is worth: packets a second of one and of two, and beside it of one and of
// two who only swap MAC addresses on the same ports, which is what the machine has to give. Runs of
// the four take turns, and each figure is the median.
#include <pthread.h>
#include <rte_lcore.h>

#include <atomic>
#include <thread>

#include "bench/cycles.h"
#include "bench/eal.h"
#include "bench/several_workers.h"

namespace anabranch::bench {
namespace {

using namespace dataplane;
using benchmark::State;

constexpr int64_t kRuns = 9;        // of each of the four
constexpr uint32_t kRounds = 1000;  // in a run

double median(std::vector<double>& values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// The second thread, on the second CPU; sleeps while it has nothing to do. Both meet at barriers.
class Pair {
 public:
  Pair() : thread_([this] { run(); }) {}
  ~Pair() {
    start(nullptr);
    thread_.join();
  }
  // work(w) on both threads at once, or on this one alone.
  template <typename Work>
  void run(uint8_t workers, const Work& work) {
    if (workers == 1) return work(uint8_t{0});
    start([](const void* w) { (*static_cast<const Work*>(w))(uint8_t{1}); }, &work);
    work(uint8_t{0});
    finished_.wait(false, std::memory_order_acquire);
    finished_.store(false, std::memory_order_relaxed);
  }
  void meet(uint8_t workers) {
    if (workers == 1) return;
    const uint32_t time = times_.load(std::memory_order_acquire);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) == 1) {
      arrived_.store(0, std::memory_order_relaxed);
      times_.store(time + 1, std::memory_order_release);
    }
    while (times_.load(std::memory_order_acquire) == time) rte_pause();
  }

 private:
  using Call = void (*)(const void*);
  void start(Call call, const void* work = nullptr) {
    call_ = call;
    work_ = work;
    begun_.fetch_add(1, std::memory_order_release);
    begun_.notify_one();
  }
  void run() {
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(1, &cpus);
    pthread_setaffinity_np(pthread_self(), sizeof cpus, &cpus);
    rte_thread_register();  // for caches of pools
    use_own_cipher_library();
    for (uint32_t begun = 0;;) {
      begun_.wait(begun++, std::memory_order_acquire);
      if (call_ == nullptr) break;
      call_(work_);
      finished_.store(true, std::memory_order_release);
      finished_.notify_one();
    }
    rte_thread_unregister();
  }

  Call call_ = nullptr;
  const void* work_ = nullptr;
  std::atomic<uint32_t> begun_{0};
  std::atomic<bool> finished_{false};
  alignas(128) std::atomic<uint32_t> arrived_{0};
  alignas(128) std::atomic<uint32_t> times_{0};
  std::thread thread_;
};

using Step = void (SeveralWorkers::*)(uint8_t);
using TimedStep = uint64_t (SeveralWorkers::*)(uint8_t);

// Packets a second, in millions: as fast as the slower of them in the usual round.
double rate_of(Pair& pair, SeveralWorkers& workers, Step offer, TimedStep carry) {
  std::array<std::vector<double>, 2> ticks;
  const uint8_t count = workers.workers();
  pair.run(count, [&](uint8_t w) {
    ticks[w].reserve(kRounds);
    for (uint32_t round = 0; round < kRounds; ++round) {
      (workers.*offer)(w);
      pair.meet(count);
      ticks[w].push_back(static_cast<double>((workers.*carry)(w)));
      pair.meet(count);
      workers.collect(w);
      pair.meet(count);
    }
  });
  double slowest = 0;
  for (uint8_t w = 0; w < count; ++w) slowest = std::max(slowest, median(ticks[w]));
  return SeveralWorkers::kPackets * count * static_cast<double>(rte_get_tsc_hz()) / slowest / 1e6;
}

constexpr Setup kPlain{.flows = 1000};
constexpr Setup kAll{.flows = 1000,
                     .dispersion = Dispersion::earliest_delivery,
                     .recovery = true,
                     .cipher = Cipher::aes_128_gcm,
                     .paced = true};
constexpr Setup kAllLarge{.flows = 1000,
                          .octets = 1408,
                          .dispersion = Dispersion::earliest_delivery,
                          .recovery = true,
                          .cipher = Cipher::aes_128_gcm,
                          .paced = true};

Setup with(Setup setup, uint8_t workers) {
  setup.workers = workers;
  return setup;
}

void two(State& state, const Setup& setup, Step offer, Queues queues = Queues::each) {
  make_pools_for(4);
  SeveralWorkers one_worker(with(setup, 1), queues), two_workers(with(setup, 2), queues);
  SeveralWorkers one_floor(with(kPlain, 1), Queues::each),
      two_floors(with(kPlain, 2), Queues::each);
  Pair pair;
  std::vector<double> one, both, scaling, floor, of_floor;
  const uint64_t before = one_worker.came_out() + two_workers.came_out();
  for (auto _ : state) {
    const double swap1 =
        rate_of(pair, one_floor, &SeveralWorkers::offer_packets, &SeveralWorkers::swap_macs);
    one.push_back(rate_of(pair, one_worker, offer, &SeveralWorkers::carry));
    const double swap2 =
        rate_of(pair, two_floors, &SeveralWorkers::offer_packets, &SeveralWorkers::swap_macs);
    both.push_back(rate_of(pair, two_workers, offer, &SeveralWorkers::carry));
    scaling.push_back(both.back() / one.back());
    floor.push_back(swap2 / swap1);
    of_floor.push_back(scaling.back() / floor.back());
    state.SetIterationTime(3.0 * SeveralWorkers::kPackets * kRounds / both.back() / 1e6);
  }
  const uint64_t through = one_worker.came_out() + two_workers.came_out() - before;
  if (through < 3 * SeveralWorkers::kPackets * kRounds * static_cast<uint64_t>(state.iterations()))
    return state.SkipWithError("packets were lost");
  state.counters["Mpps"] = median(both);
  state.counters["one_Mpps"] = median(one);
  state.counters["scaling"] = median(scaling);
  state.counters["swap_scaling"] = median(floor);
  state.counters["of_swap_scaling"] = median(of_floor);
}

void as_usual(benchmark::internal::Benchmark* b) {
  b->Iterations(kRuns)->UseManualTime();
}
constexpr Step kPackets = &SeveralWorkers::offer_packets,
               kSegments = &SeveralWorkers::offer_segments;

BENCHMARK_CAPTURE(two, segment_plain, kPlain, kPackets)->Apply(as_usual);
BENCHMARK_CAPTURE(two, segment_all, kAll, kPackets)->Apply(as_usual);
BENCHMARK_CAPTURE(two, segment_all_large, kAllLarge, kPackets)->Apply(as_usual);
BENCHMARK_CAPTURE(two, assemble, kPlain, kSegments)->Apply(as_usual);
BENCHMARK_CAPTURE(two, segment_handed_over, kPlain, kPackets, Queues::one)->Apply(as_usual);
BENCHMARK_CAPTURE(two, segment_all_large_handed_over, kAllLarge, kPackets, Queues::one)
    ->Apply(as_usual);
BENCHMARK_CAPTURE(two, assemble_handed_over, kPlain, kSegments, Queues::one)->Apply(as_usual);

}  // namespace
}  // namespace anabranch::bench
