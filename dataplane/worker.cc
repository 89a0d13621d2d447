// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/worker.h"

#include <rte_cycles.h>
#include <rte_lcore.h>
#include <rte_pause.h>

#include <algorithm>
#include <bit>

#include "dataplane/rest.h"
#include "dataplane/stages.h"

namespace anabranch::dataplane {
namespace {

constexpr uint32_t kWantedRing = 256;
static_assert(frames_for(1) - 512 == kDescriptors + TxQueue::kSize);
static_assert(frames_for(0, 2) - 2 * 512 == HandoverRing::kSize);
constexpr uint64_t kAgeNs = 1'000'000;

std::string unique_name(const char* what, uint8_t id) {
  static std::atomic<uint32_t> count{0};
  return std::string(what) + std::to_string(id) + "_" + std::to_string(count.fetch_add(1));
}

// Each flow is looked at four times while it may be idle.
void age_flows(Context& c, uint64_t now) {
  if (c.now_ns < c.age_at_ns) return;
  c.age_at_ns = c.now_ns + kAgeNs;
  const auto entries = [&](uint32_t of) { return of / (c.options.flow_idle_s * 250) + 1; };
  c.counters.flows_aged.add(c.flows->age(now, entries(c.options.flows_max)) +
                            c.flows6->age(now, entries(c.options.flows6_max)));
  c.counters.flows_displaced.set(c.flows->displaced());
  // Each account is looked at once a second.
  if (c.accounts != nullptr) c.accounts->age(c.now_ns, c.accounts->places() / 1000 + 1);
}

TxQueue tx_queue(const WorkerOptions& options, uint8_t number, uint16_t port) {
  TxQueue tx;
  tx.port = port;
  tx.number = number;
  tx.metered = number != kLanPort;
  tx.attendant = options.id;
  if (options.crew == nullptr) return tx;
  if (options.crew->ports[number].each_sends) {
    tx.queue = options.id;
  } else {
    tx.attendant = options.crew->attendant(number);
  }
  return tx;
}

// Only a LAN port's own hardware can tell what is whose; who sent a segment is read here.
RxQueue rx_queue(const WorkerOptions& options, uint8_t number) {
  if (options.crew == nullptr) return {};
  const bool each = options.crew->ports[number].each_receives;
  if (!each && options.crew->attendant(number) != options.id) return {RxQueue::kNone, false};
  const auto queue = static_cast<uint16_t>(each ? options.id : 0);
  return {queue, number != kLanPort || !each};
}

// A path's pace is what all workers gave it.
void take_over_paces(Context& context) {
  if (context.options.crew == nullptr) return;
  for (uint32_t m = context.alive; m != 0; m &= m - 1) {
    const auto p = static_cast<uint8_t>(std::countr_zero(m));
    context.paces[p].take_over(context.options.crew->path_paces[p]);
  }
}
void share_paces(Context& context) {
  if (context.options.crew == nullptr) return;
  for (uint32_t m = context.alive; m != 0; m &= m - 1) {
    const auto p = static_cast<uint8_t>(std::countr_zero(m));
    context.paces[p].add_to(context.options.crew->path_paces[p], context.share, context.now_ns);
  }
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
                                                                  WorkerMeters& meters) {
  std::unique_ptr<Worker> worker(new Worker);
  Context& c = worker->context_;
  c.options = options;
  if (c.options.frames == nullptr) c.options.frames = options.pool;
  c.meters = &meters;
  auto flows = FlowTable::create(unique_name("flows", options.id), options.flows_max,
                                 options.flow_idle_s * options.tsc_hz);
  if (!flows) return tl::unexpected(flows.error());
  c.flows = std::move(*flows);
  auto flows6 = FlowTable6::create(unique_name("flows6_", options.id), options.flows6_max,
                                   options.flow_idle_s * options.tsc_hz);
  if (!flows6) return tl::unexpected(flows6.error());
  c.flows6 = std::move(*flows6);
  if (options.flow_accounts) {
    c.accounts = std::make_unique<FlowAccounts>(*options.flow_accounts);
    if (!c.accounts->is_allocated())
      return tl::unexpected<std::string>("worker: not enough memory for accounts of flows");
  }
  c.services.reset(static_cast<ServiceState*>(std::calloc(kServicesMax, sizeof(ServiceState))));
  c.replay.reset(static_cast<ReplayWindow*>(
      std::calloc(size_t{kWorkersMax} * kPathsMax, sizeof(ReplayWindow))));
  c.wanted.reset(rte_ring_create_elem(unique_name("wanted", options.id).c_str(), sizeof(Address),
                                      kWantedRing, static_cast<int>(rte_socket_id()),
                                      RING_F_SP_ENQ | RING_F_SC_DEQ));
  const bool mapped = std::all_of(c.flights.begin(), c.flights.end(),
                                  [](const Flight& flight) { return flight.is_mapped(); });
  if (c.services == nullptr || c.replay == nullptr || c.wanted == nullptr || !mapped ||
      !c.queues.is_allocated()) {
    return tl::unexpected<std::string>("worker: not enough memory; raise dataplane.memory_mb");
  }
  c.lan_rx = rx_queue(options, kLanPort);
  c.lan_tx = tx_queue(options, kLanPort, options.lan_port);
  for (uint8_t u = 0; u < options.uplinks; ++u) {
    const auto number = static_cast<uint8_t>(u + 1);
    c.uplink_rx[u] = rx_queue(options, number);
    c.uplink_tx[u] = tx_queue(options, number, options.uplink_port[u]);
  }
  c.lanes = Lanes::of(options.id, c.workers());
  c.sealed_max = kSealedMax / c.workers();
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
    if (!context_.received.test(slot)) continue;
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
  if (const LimitTable& limits = c.plans->limits(); limits.version != c.limits_version) [[unlikely]]
    take_over_limits(c, limits);
  uint32_t packets = 0;
  take_over_paces(c);
  find_sound_paths(c);
  turn_to(Stage::rx);
  for (uint8_t u = 0; u < c.options.uplinks; ++u) packets += rx_uplink(c, u, now);
  if (c.options.crew != nullptr) packets += take_over_uplink(c, now);
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
  if (c.options.crew != nullptr) packets += take_over_lan(c, now);
  turn_to(Stage::upkeep);
  send_acks(c);
  if (c.options.crew != nullptr) {
    packets += take_over_frames(c);
    if (c.accounts != nullptr) account_notes(c);
    // Written when the poll ends, and by others meanwhile: on its way while frames are sent.
    __builtin_prefetch(&c.options.crew->path_paces, 1);
  }
  flush_all(c);
  share_paces(c);
  age_flows(c, now);
  c.counters.flows.set(c.flows->size() + c.flows6->size());
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

uint32_t Worker::finish(uint64_t now) {
  Context& c = context_;
  c.now_ns = c.nanoseconds(now);
  c.paths = &c.plans->paths();
  c.keys = &c.plans->keys();
  if (c.options.crew == nullptr) return 0;
  uint32_t packets = take_over_uplink(c, now) + take_over_lan(c, now) + take_over_frames(c);
  flush_all(c);
  if (c.accounts != nullptr) packets += account_notes(c);
  return packets;
}

void Worker::run(const std::atomic<bool>& stop, bool spin) {
  const WorkerOptions& options = context_.options;
  Rest rest(options.sockets, options.crew != nullptr && options.listens
                                 ? &options.crew->bells[options.id]
                                 : nullptr);
  if (options.crew != nullptr) use_own_cipher_library();
  while (!stop.load(std::memory_order_acquire)) {  // pairs with the store of whoever stops us
    if (poll(rte_rdtsc()) != 0) {
      rest.wake();
    } else if (spin) {
      rte_pause();
    } else {
      rest.rest(is_at_rest(context_) && !awake_.load(std::memory_order_relaxed));
    }
  }
}

Address Worker::wanted_neighbour() {
  Address address = 0;
  if (rte_ring_sc_dequeue_elem(context_.wanted.get(), &address, sizeof address) != 0) return 0;
  return address;
}

}  // namespace anabranch::dataplane
