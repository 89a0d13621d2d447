// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/worker.h"

#include <thread>

#include "dataplane/seal.h"
#include "tests/dataplane/test_keys.h"
#include "tests/dataplane/two_gateways.h"

namespace anabranch::dataplane {
namespace {

TEST(Worker, ThatGetsNoMemorySaysWhatToChange) {
  const Gateway gateway(1, packet_pool(), 64);
  WorkerOptions options = gateway.options;
  options.id = 1;
  options.flows_max = 1u << 30;
  PlanTable plans;
  TemporaryFolder folder;
  Meters meters = Meters::open(folder.file("meters")).value();
  const auto worker = Worker::create(options, plans, meters.region().workers[0]);
  ASSERT_FALSE(worker);
  EXPECT_NE(worker.error().find("lower dataplane.flows_max"), std::string::npos) << worker.error();
}

TEST(Worker, RunsOnAThreadOfItsOwnUntilItIsStopped) {
  for (const bool spin : {false, true}) {
    const unsigned before = rte_mempool_avail_count(packet_pool());
    {
      Gateway gateway(1, packet_pool(), 64);
      std::atomic<bool> stop{false};
      std::thread thread([&] { gateway.worker->each().front()->run(stop, spin); });
      gateway.host_sends(datagram(0).ip());
      while (gateway.worker->counters().rx.get() == 0) std::this_thread::yield();
      // Long enough for one that does not spin to have fallen asleep, and woken up again.
      const uint64_t polls = gateway.worker->counters().polls.get();
      while (gateway.worker->counters().polls.get() < polls + 200) std::this_thread::yield();
      stop.store(true, std::memory_order_release);
      thread.join();
      EXPECT_EQ(gateway.worker->counters().rx.get(), 1u);
      EXPECT_TRUE(gateway.conserves());
    }
    EXPECT_EQ(rte_mempool_avail_count(packet_pool()), before);
  }
}

TEST(Worker, GivesBackWhatWaitsInItsLanesWhenItEnds) {
  // The fixture's own judgement comes too late for this: it lets everything settle first.
  const unsigned before = rte_mempool_avail_count(packet_pool());
  {
    Gateway gateway(2, packet_pool(), 64);
    gateway.admit(kService, kShares);
    Bytes ip = datagram(5).ttl(63).ip();
    Bytes segment(kOuterHeader + kInnerHeader + ip.size() + kTag);
    Bytes content(kInnerHeader, 0);
    store_inner(content.data(), {.lane = 0, .sn = 5});
    seal(*test_key(1, 1),
         {.path = 1, .key_phase = 1, .receiver_index = 9 * kServicesMax + kService}, content + ip,
         segment.data());
    const Bytes frame = frame_on(seen_from_there(gateway.paths().paths[1]), segment);
    ASSERT_EQ(rte_ring_enqueue(gateway.uplinks[0]->in, buffer_of(frame, packet_pool())), 0);
    gateway.worker->poll(10 * kSecond);
    ASSERT_EQ(gateway.worker->counters().held.get(), 1u);
    EXPECT_TRUE(gateway.conserves());
  }
  EXPECT_EQ(rte_mempool_avail_count(packet_pool()), before);
}

}  // namespace
}  // namespace anabranch::dataplane
