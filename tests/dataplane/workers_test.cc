// SPDX-License-Identifier: BSD-3-Clause
// Several workers at each end, as many or not: one port is attended for all, and what a provider
// charges is counted once. The fixture's own judgement is of all workers together.
#include "dataplane/workers.h"

#include <map>

#include "dataplane/seal.h"
#include "dataplane/spread.h"
#include "tests/dataplane/two_gateways.h"

namespace anabranch::dataplane {
namespace {

constexpr uint16_t kFlows = 40;

PacketBuilder of_flow(uint16_t flow, uint32_t number, bool up) {
  return packet()
      .from(up ? "10.10.0.2" : "10.20.0.2")
      .to(up ? "10.20.0.2" : "10.10.0.2")
      .udp(static_cast<uint16_t>(5000 + flow), 6000)
      .payload(900, number);
}

struct Numbers {
  uint8_t a, b;
};

class Crewed : public TwoGateways {
 protected:
  explicit Crewed(Numbers workers = {2, 2}) : TwoGateways(1024, workers.a, workers.b) {}

  // A packet of each flow each way every `gap_ms`.
  void send_for(uint64_t ns, int gap_ms = 1) {
    for (const uint64_t end = now + ns; now < end; ++sent_) {
      for (uint16_t flow = 0; flow < kFlows; ++flow) {
        a().host_sends(of_flow(flow, sent_, true).ip());
        b().host_sends(of_flow(flow, sent_, false).ip());
      }
      for (int i = 0; i < 4 * gap_ms; ++i) step();
      collect();
    }
  }
  void collect() {
    for (const Bytes& ip : b().hosts_received()) up_[load_be16(&ip[20])].push_back(ip);
    for (const Bytes& ip : a().hosts_received()) down_[load_be16(&ip[20])].push_back(ip);
  }
  void expect_all_in_order() {
    for (uint16_t flow = 0; flow < kFlows; ++flow) {
      std::vector<Bytes> up, down;
      for (uint32_t n = 0; n < sent_; ++n) {
        up.push_back(of_flow(flow, n, true).ttl(62).ip());
        down.push_back(of_flow(flow, n, false).ttl(62).ip());
      }
      EXPECT_EQ(up_[static_cast<uint16_t>(5000 + flow)], up) << "flow " << flow;
      EXPECT_EQ(down_[static_cast<uint16_t>(5000 + flow)], down) << "flow " << flow;
    }
  }

  uint32_t sent_ = 0;
  std::map<uint16_t, std::vector<Bytes>> up_, down_;
};

class CrewsOf : public Crewed, public ::testing::WithParamInterface<Numbers> {
 protected:
  CrewsOf() : Crewed(GetParam()) {}
};

TEST_P(CrewsOf, CarryAllFlowsInOrderOverLinksThatLose) {
  there(1).loss = back(2).loss = 0.03;
  there(3).jitter_ns = 5 * kMillisecond;
  send_for(300 * kMillisecond);
  run_for(2 * kSecond);
  collect();
  expect_all_in_order();
  for (Gateway* gateway : {&a(), &b()}) {
    for (const auto& worker : gateway->worker->each())
      EXPECT_GT(worker->counters().flows.get(), 0u) << "a worker had nothing to do";
  }
  EXPECT_GT(counters(a()).repaired.get() + counters(b()).repaired.get(), 0u);
  EXPECT_EQ(counters(a()).given_up.get() + counters(b()).given_up.get(), 0u);
}

TEST_P(CrewsOf, LeaveADeadLinkAndComeBack) {
  send_for(100 * kMillisecond);
  there(2).dead = back(2).dead = true;
  send_for(500 * kMillisecond);
  EXPECT_EQ(a().worker->telemetry(2).alive.get(), 0u);
  there(2).dead = back(2).dead = false;
  send_for(800 * kMillisecond);
  for (Gateway* gateway : {&a(), &b()}) {
    for (const auto& worker : gateway->worker->each())
      EXPECT_EQ(worker->telemetry(2).alive.get(), 1u);
  }
  run_for(2 * kSecond);
  collect();
  expect_all_in_order();
}

INSTANTIATE_TEST_SUITE_P(Numbers, CrewsOf,
                         ::testing::Values(Numbers{2, 2}, Numbers{3, 3}, Numbers{2, 3},
                                           Numbers{3, 2}, Numbers{1, 2}, Numbers{3, 1}),
                         [](const auto& info) {
                           return std::to_string(info.param.a) + "and" +
                                  std::to_string(info.param.b);
                         });

TEST_F(Crewed, GiveAPathNoMoreThanItCarries) {
  constexpr uint64_t kRate = 20'000'000;
  a().rate_bps[1] = b().rate_bps[1] = kRate;
  for (Gateway* gateway : {&a(), &b()})
    gateway->plans.publish(std::make_unique<const PathTable>(gateway->paths()));
  admit_both(only(1));
  send_for(200 * kMillisecond, 8);
  const uint64_t before = there(1).entered().octets;
  send_for(kSecond, 8);
  const auto sent = static_cast<double>(there(1).entered().octets - before) * 8;
  EXPECT_NEAR(sent, kRate, kRate * 0.01);
  for (const auto& worker : a().worker->each())
    EXPECT_GT(worker->counters().sealed.get(), counters(a()).sealed.get() / 4) << "its share";
}

TEST_F(Crewed, FindTogetherWhatALinkCarries) {
  constexpr uint64_t kRate = 20'000'000;
  there(1).rate_bps = back(1).rate_bps = kRate;
  a().estimated = b().estimated = true;
  for (Gateway* gateway : {&a(), &b()})
    gateway->plans.publish(std::make_unique<const PathTable>(gateway->paths()));
  admit_both(only(1));
  send_for(3 * kSecond, 8);
  EXPECT_NEAR(static_cast<double>(a().worker->telemetry(1).capacity_bps.get()), kRate, kRate * 0.1);
  EXPECT_EQ(b().worker->telemetry(1).peer_capacity_bps.get(),
            a().worker->telemetry(1).capacity_bps.get());
}

// Segments for a worker that does not keep up: what found no room is a named drop, and is booked.
TEST(CrewOfTwo, BooksWhatAWorkerThatDoesNotKeepUpIsNotGiven) {
  constexpr uint32_t kRing = 64, kFrames = 200;
  const unsigned before = rte_mempool_avail_count(packet_pool());
  {
    Gateway gateway(2, packet_pool(), 1024, {}, 2, kRing);
    Bytes segment(kOuterHeader + 40, 0);
    store_outer(segment.data(), {.worker = 1, .path = 2});
    const Bytes frame = frame_on(seen_from_there(gateway.paths().paths[2]), segment);
    for (uint32_t n = 0; n < kFrames; ++n)
      ASSERT_EQ(rte_ring_enqueue(gateway.uplinks[1]->in, buffer_of(frame, packet_pool())), 0);
    Worker& attendant = *gateway.worker->each()[0];
    while (attendant.poll(10 * kSecond) != 0) continue;
    const auto full = static_cast<size_t>(Drop::handover_full);
    EXPECT_EQ(attendant.counters().drops[full].get(), kFrames - (kRing - 1));
    while (gateway.worker->poll(10 * kSecond) != 0) continue;
    EXPECT_EQ(gateway.drops(Drop::unknown_receiver), kRing - 1);
    EXPECT_TRUE(gateway.conserves());
    EXPECT_EQ(gateway.metered(path_place(2), Direction::received) +
                  gateway.metered(uplink_place(1), Direction::received),
              kFrames * (frame.size() - kEthernetHeader));
  }
  EXPECT_EQ(rte_mempool_avail_count(packet_pool()), before);
}

TEST(CrewOfTwo, DropsByNameWhatAWorkerThatDoesNotKeepUpIsNotGivenOfTheLan) {
  constexpr uint32_t kRing = 64, kPackets = 200;
  const unsigned before = rte_mempool_avail_count(packet_pool());
  {
    Gateway gateway(1, packet_pool(), 1024, {}, 2, kRing);
    uint16_t flow = 0;
    const auto frame_of_flow = [&] {
      return frame_of(of_flow(flow, 0, true).ip(), gateway.lan_mac, gateway.host_mac);
    };
    while (worker_of_flow(frame_of_flow(), 2) != 1) ++flow;
    for (uint32_t n = 0; n < kPackets; ++n) gateway.host_sends(of_flow(flow, n, true).ip());
    Worker& attendant = *gateway.worker->each()[0];
    while (attendant.poll(10 * kSecond) != 0) continue;
    const auto full = static_cast<size_t>(Drop::handover_full);
    EXPECT_EQ(attendant.counters().drops[full].get(), kPackets - (kRing - 1));
    while (gateway.worker->poll(10 * kSecond) != 0) continue;
    EXPECT_GE(gateway.worker->each()[1]->counters().taken_over.get(), kRing - 1);
    EXPECT_TRUE(gateway.conserves());
  }
  EXPECT_EQ(rte_mempool_avail_count(packet_pool()), before);
}

TEST(CrewOfTwo, UsesQueuesOfItsOwnWhereAPortHasThem) {
  const Port port = open_port({"", "net_null8,size=64"}, packet_pool(), 2).value();
  EXPECT_TRUE(port.queues.each_receives);
  EXPECT_TRUE(port.queues.each_sends);
  {
    Gateway gateway(1, packet_pool(), 64);
    WorkerOptions options = gateway.options;
    options.lan_port = port.id;
    options.uplinks = 0;
    TemporaryFolder folder;
    Meters meters = Meters::open(folder.file("meters"), 2).value();
    PlanTable plans;
    const auto workers =
        Workers::create(options, {.workers = 2, .queues = {port.queues}}, plans, meters.region())
            .value();
    workers->poll(kSecond);
    for (const auto& worker : workers->each()) {
      EXPECT_EQ(worker->counters().rx.get(), kBurst);
      EXPECT_EQ(worker->counters().handed_over.get(), 0u);
    }
  }
  close_port(port);
}

}  // namespace
}  // namespace anabranch::dataplane
