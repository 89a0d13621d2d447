// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/worker.h"

#include <rte_cycles.h>
#include <rte_lcore.h>
#include <rte_pause.h>

#include <algorithm>

#include "dataplane/rest.h"
#include "dataplane/stages.h"

namespace anabranch::dataplane {
namespace {

constexpr uint32_t kWantedRing = 256;
constexpr uint64_t kAgeNs = 1'000'000;

std::string unique_name(const char* what, uint8_t id) {
  static std::atomic<uint32_t> count{0};
  return std::string(what) + std::to_string(id) + "_" + std::to_string(count.fetch_add(1));
}

// Each flow is looked at four times while it may be idle.
void age_flows(Context& c, uint64_t now) {
  if (c.now_ns < c.age_at_ns) return;
  c.age_at_ns = c.now_ns + kAgeNs;
  const uint32_t entries = c.options.flows_max / (c.options.flow_idle_s * 250) + 1;
  c.counters.flows_aged.add(c.flows->age(now, entries));
  c.counters.flows_displaced.set(c.flows->displaced());
}

// Nothing is held or under way that a timer finer than a millisecond is for.
bool is_at_rest(const Context& c) {
  return c.counters.held.get() == 0 && c.retained == 0 && c.acks_due_ns == 0;
}

// What only an operator looks at.
void count_occupancy(Context& c) {
  c.counters.waiting.set(c.queues.size());
  c.counters.queues.set(c.queues.flows());
  c.counters.holed.set(c.resequencer.holed());
  c.counters.pages.set(c.resequencer.pages());
}

}  // namespace

tl::expected<std::unique_ptr<Worker>, std::string> Worker::create(const WorkerOptions& options,
                                                                  PlanTable& plans,
                                                                  MeterRegion& meters) {
  std::unique_ptr<Worker> worker(new Worker);
  Context& c = worker->context_;
  c.options = options;
  if (c.options.frames == nullptr) c.options.frames = options.pool;
  c.meters = &meters;
  auto flows = FlowTable::create(unique_name("flows", options.id), options.flows_max,
                                 options.flow_idle_s * options.tsc_hz);
  if (!flows) return tl::unexpected(flows.error());
  c.flows = std::move(*flows);
  c.services.reset(static_cast<ServiceState*>(std::calloc(kServicesMax, sizeof(ServiceState))));
  c.replay.reset(static_cast<ReplayWindow*>(
      std::calloc(size_t{kWorkersMax} * kPathsMax, sizeof(ReplayWindow))));
  c.wanted.reset(rte_ring_create(unique_name("wanted", options.id).c_str(), kWantedRing,
                                 static_cast<int>(rte_socket_id()), RING_F_SP_ENQ | RING_F_SC_DEQ));
  const bool mapped = std::all_of(c.flights.begin(), c.flights.end(),
                                  [](const Flight& flight) { return flight.is_mapped(); });
  if (c.services == nullptr || c.replay == nullptr || c.wanted == nullptr || !mapped ||
      !c.queues.is_allocated()) {
    return tl::unexpected<std::string>("worker: not enough memory; raise dataplane.memory_mb");
  }
  c.lan_tx.port = options.lan_port;
  for (uint8_t u = 0; u < options.uplinks; ++u) {
    c.uplink_tx[u].port = options.uplink_port[u];
    c.uplink_tx[u].metered = true;
  }
  c.retained_octets_max = options.retained_octets_least;
  c.hole_wait = c.hole_wait_max = c.ticks(uint64_t{options.hole_wait_ms_max} * 1'000'000);
  plans.worker_online(options.id);
  c.plans = &plans;  // last: from here on the destructor has something to undo
  return worker;
}

Worker::~Worker() {
  if (context_.plans == nullptr) return;
  for (uint32_t i = 0; i < context_.unresolved_count; ++i)
    rte_pktmbuf_free(context_.unresolved[i].packet);
  for (DelayLine& line : context_.delay_lines) {
    while (line.count != 0) rte_pktmbuf_free(line.take().packet);
  }
  for (uint16_t slot = 0; slot < kServicesMax; ++slot) {
    if (context_.service(slot).receiver_index == 0) continue;  // never received; not touched
    for (Lane& lane : context_.service(slot).lanes) {
      if (lane.window == 0) continue;
      context_.resequencer.flush(lane, [](rte_mbuf* packet) {
        if (packet != nullptr) rte_pktmbuf_free(packet);
      });
    }
  }
  free_fragments(context_);
  forget_flights(context_);
  context_.queues.clear([](rte_mbuf* packet) { rte_pktmbuf_free(packet); });
  context_.plans->worker_offline(context_.options.id);
}

uint32_t Worker::poll(uint64_t now) {
  Context& c = context_;
  const bool timed = c.times.begin();
  const auto turn_to = [&](Stage stage) {
    if (timed) [[unlikely]]
      c.times.turn_to(stage);
  };
  c.now_ns = c.nanoseconds(now);
  c.paths = &c.plans->paths();
  c.keys = &c.plans->keys();
  uint32_t packets = 0;
  find_sound_paths(c);
  turn_to(Stage::rx);
  for (uint8_t u = 0; u < c.options.uplinks; ++u) packets += rx_uplink(c, u, now);
  turn_to(Stage::upkeep);
  release_equalised(c, now);
  expire_holes(c, now);
  deliver_resolved(c, now);
  keep_paths(c);
  // What is lost goes before what waits, and that before what is new.
  send_repairs(c);
  turn_to(Stage::queue);
  send_waiting(c);
  turn_to(Stage::rx);
  packets += rx_lan(c, now);
  turn_to(Stage::upkeep);
  send_acks(c);
  flush_all(c);
  age_flows(c, now);
  c.counters.flows.set(c.flows->size());
  c.counters.held.set(c.resequencer.held() + c.reassembler.held() + c.equalising +
                      c.unresolved_count + c.queues.size());
  c.counters.retained.set(c.retained_octets);
  c.counters.polls.add(1);
  if (timed) [[unlikely]] {
    c.times.finish();
    count_occupancy(c);
  }
  c.plans->quiescent(c.options.id);
  return packets;
}

void Worker::run(const std::atomic<bool>& stop, bool spin) {
  Rest rest(context_.options.sockets);
  while (!stop.load(std::memory_order_acquire)) {  // pairs with the store of whoever stops us
    if (poll(rte_rdtsc()) != 0) {
      rest.wake();
    } else if (spin) {
      rte_pause();
    } else {
      rest.rest(is_at_rest(context_));
    }
  }
}

uint32_t Worker::wanted_neighbour() {
  void* address = nullptr;
  if (rte_ring_sc_dequeue(context_.wanted.get(), &address) != 0) return 0;
  return static_cast<uint32_t>(reinterpret_cast<uintptr_t>(address));
}

}  // namespace anabranch::dataplane
