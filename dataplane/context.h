// SPDX-License-Identifier: BSD-3-Clause
// All that one worker owns. The stages are free functions over it, one a file, in packet order:
//   towards the peer:  rx → parse → flow_table → segment → disperse → seal → tx
//   from the peer:     rx → open → assemble → deliver → tx
#pragma once

#include <rte_mbuf.h>
#include <rte_ring.h>

#include <array>
#include <bitset>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <vector>

#include "dataplane/ack.h"
#include "dataplane/address.h"
#include "dataplane/beat.h"
#include "dataplane/bytes.h"
#include "dataplane/capacity.h"
#include "dataplane/counters.h"
#include "dataplane/crew.h"
#include "dataplane/delay_line.h"
#include "dataplane/disperse.h"
#include "dataplane/fit.h"
#include "dataplane/flight.h"
#include "dataplane/flow_accounts.h"
#include "dataplane/flow_table.h"
#include "dataplane/flow_table6.h"
#include "dataplane/keys.h"
#include "dataplane/meter.h"
#include "dataplane/pace.h"
#include "dataplane/path_limits.h"
#include "dataplane/plan_table.h"
#include "dataplane/queues.h"
#include "dataplane/reassemble.h"
#include "dataplane/replay.h"
#include "dataplane/resequence.h"
#include "dataplane/stage_times.h"

namespace anabranch::dataplane {

struct WorkerOptions {
  uint8_t id = 0;
  Crew* crew = nullptr;   // nullptr: this worker is alone
  uint16_t lan_port = 0;  // DPDK port ids
  std::array<uint16_t, kUplinksMax> uplink_port{};
  uint8_t uplinks = 0;
  // What comes to these ends a rest: of all ports that the worker attends, where each has one.
  bool listens = false;
  std::vector<int> sockets;
  rte_mempool* pool = nullptr;
  // Of what is sent to the peer; `pool` when it is not given. Frames are free again as soon as they
  // have left: in few buffers of their own they are written to warm memory, whatever is retained.
  rte_mempool* frames = nullptr;
  uint64_t tsc_hz = 0;  // ticks of `now` a second
  uint32_t flows_max = 65536;
  uint32_t flows6_max = 65536;  // of IPv6
  uint32_t flow_idle_s = 60;
  uint32_t hole_wait_ms_max = 1000;
  uint32_t held_max = 16384;   // packets that may wait in lanes at once
  uint32_t queued_max = 8192;  // packets that may wait for a path
  // Kept until they are acknowledged: at most so many packets, and of these at most twice what the
  // paths carry in a round trip, or this many octets where that is less.
  uint32_t retained_max = 32768;
  uint64_t retained_octets_least = 32u << 20;
  uint16_t packet_max = kMtuUsual;  // that a buffer of `pool` holds, put together of fragments
  std::optional<FlowAccounts::Limits> flow_accounts;  // none: flows are not accounted
  const std::atomic<uint64_t>* owners = nullptr;      // of slots (MeterRegion)
};

// What a port's queue was given and whom it is booked to when the port accepts it.
struct TxQueue {
  static constexpr uint16_t kSize = 2 * kBurst;
  struct Booking {
    uint16_t slot = 0;
    Place place = 0;
    Kind kind = Kind::control;
    uint16_t inner = 0;          // octets of the client's packet; 0: none, a frame of our own
    uint16_t outer = 0;          // octets of the outer IP packet
    FlowAccounts::Ref flow = 0;  // 0: of none
    uint8_t made_by = 0;         // the worker whose account `flow` is
  };
  uint16_t port = 0;
  uint16_t queue = 0;
  uint8_t number = kLanPort;  // of the port in its crew
  uint8_t attendant = 0;      // the worker that sends what is put here
  bool metered = false;
  uint16_t count = 0;
  std::array<rte_mbuf*, kSize> packets{};
  std::array<Booking, kSize> bookings{};
};

// A service's state at this worker. All zero is a service never used; calloc'd, so that memory is
// touched only for services in use.
struct ServiceState {
  uint32_t peer_index;      // next_sn belongs to it
  uint32_t receiver_index;  // lanes belong to it
  ServicePace pace;         // of its own rate
  std::array<uint32_t, kLanes> next_sn;
  Shares shares;
  std::array<Flowlet, kFlowBuckets> flowlets;
  std::array<Lane, kLanes> lanes;
};

// A port's receive queue that a worker polls.
struct RxQueue {
  static constexpr uint16_t kNone = UINT16_MAX;  // another worker attends the port
  uint16_t queue = 0;
  bool for_all = false;  // what comes is for other workers, too
};

// An address a path's segments come from that is not the one we send to, and what we asked it.
struct Candidate {
  Endpoint from;
  uint64_t token = 0;
  uint64_t asked_ns = 0;
};

inline uint8_t* octets(rte_mbuf* packet) {
  return rte_pktmbuf_mtod(packet, uint8_t*);
}
inline std::span<uint8_t> contents(rte_mbuf* packet) {
  return {octets(packet), rte_pktmbuf_data_len(packet)};
}
// Of its inner header, which comes before its packet.
inline uint16_t inner_length(const Segment& segment) {
  return Inner{.flags = octets(segment.clear)[0]}.length();
}

struct FreeDelete {
  void operator()(void* p) const { std::free(p); }
};
struct RingDelete {
  void operator()(rte_ring* ring) const { rte_ring_free(ring); }
};

struct Context {
  WorkerOptions options;
  PlanTable* plans = nullptr;
  // In force during this poll.
  const PathTable* paths = nullptr;
  const KeyTable* keys = nullptr;
  WorkerMeters* meters = nullptr;
  Counters counters;
  StageTimes times;
  std::array<PathTelemetry, kPathsMax> telemetry;

  std::unique_ptr<FlowAccounts> accounts;  // nullptr: flows are not accounted
  std::unique_ptr<FlowTable> flows;
  std::unique_ptr<FlowTable6> flows6;
  std::unique_ptr<ServiceState, FreeDelete> services;  // [kServicesMax]
  Resequencer<rte_mbuf*> resequencer;
  Reassembler reassembler;
  Lanes lanes;  // that this worker sends on
  RxQueue lan_rx;
  std::array<RxQueue, kUplinksMax> uplink_rx;
  TxQueue lan_tx;
  std::array<TxQueue, kUplinksMax> uplink_tx;

  std::array<PathMeasure, kPathsMax> measures;
  std::array<Flight, kPathsMax> flights;
  std::array<Pace, kPathsMax> paces;
  std::array<Capacity, kPathsMax> capacities;  // kept in mind only where the rate is not given
  std::array<Fit, kPathsMax> fits;
  Queues queues;
  CodelLimits codel;
  RepairQueue repairs;
  uint32_t retained = 0;
  uint64_t retained_octets = 0;
  uint64_t retained_octets_max = 0;
  uint64_t acks_heard_ns = 0;  // when the last came, of whatever path
  // What is owed for each peer worker's numbers on each path.
  std::array<std::array<AckDebt, kPathsMax>, kWorkersMax> debts{};
  uint64_t acks_due_ns = 0;  // the earliest; 0: none
  uint32_t acks_sent = 0;
  // The next to send. Never set back while the process lives, whatever key is in force.
  std::array<uint64_t, kPathsMax> packet_number{};
  uint64_t peer_instance = 0;                        // whom the replay windows belong to
  std::unique_ptr<ReplayWindow, FreeDelete> replay;  // [kWorkersMax][kPathsMax]
  uint8_t sealing_phase = 0;
  uint64_t sealed = 0;  // in that phase
  uint64_t sealed_max = kSealedMax;
  uint64_t share = Pace::kWhole;  // of busy paths
  std::array<Candidate, kPathsMax> candidates{};
  uint64_t challenges = 0;
  uint32_t house_session = 0;  // receiver index the measures belong to
  uint16_t alive = 0;          // bit p: path p
  uint16_t sendable = 0;       // … of these, those whose next hop is known
  uint16_t sound = 0;          // … of these, those that are not suspected
  // Of paths whose quota this worker has used its part of up: what clients send takes others, or a
  // slower pace. By path: when that is the case, and that pace.
  uint16_t closed = 0, slowed = 0;
  uint64_t limits_version = 0;  // of the table the following is of
  std::array<uint64_t, kPathsMax> given_until;
  std::array<uint64_t, kPathsMax> slow_pace{};
  uint64_t now_ns = 0;      // `now` of this poll
  uint64_t keep_at_ns = 0;  // when paths are looked at next
  uint64_t age_at_ns = 0;   // when flows are
  std::array<DelayLine, kPathsMax> delay_lines;
  std::array<uint64_t, kPathsMax> head_start{};  // how much faster than others in use, in ticks
  uint32_t equalising = 0;                       // segments in the delay lines
  uint64_t hole_wait = 0;                        // ticks
  uint64_t hole_wait_max = 0;

  uint64_t icmp_tokens_at = 0;  // token bucket of ICMP errors
  uint32_t icmp_tokens = 0;

  // Packets whose next hop on the LAN is being resolved (RFC 1122 2.3.2.2: not dropped at once).
  static constexpr uint32_t kUnresolvedMax = 64;
  struct Unresolved {
    rte_mbuf* packet = nullptr;
    uint64_t until = 0;
  };
  std::array<Unresolved, kUnresolvedMax> unresolved{};
  uint32_t unresolved_count = 0;
  const NeighbourTable* unresolved_in = nullptr;  // the table they were last looked up in

  // LAN addresses the worker would like resolved; control takes them out.
  std::unique_ptr<rte_ring, RingDelete> wanted;
  std::array<Address, 64> asked{};
  std::array<uint64_t, 64> asked_at{};

  std::bitset<kServicesMax> received;  // slots of `services` that were touched

  Context() { given_until.fill(PathLimit::kNone); }
  uint8_t workers() const { return options.crew == nullptr ? 1 : options.crew->workers; }
  // Whom the peer's beats reach, and who answers for what is asked once for all.
  bool is_first() const { return options.id == 0; }
  ServiceState& service(uint16_t slot) { return services.get()[slot]; }
  SharedPace* shared_pace(uint16_t slot) const {
    return options.crew == nullptr ? nullptr : &options.crew->service_paces[slot];
  }
  ReplayWindow& window(uint8_t worker, uint8_t path) {
    return replay.get()[worker * kPathsMax + path];
  }
  uint64_t nanoseconds(uint64_t ticks) const {
    return static_cast<uint64_t>(static_cast<Uint128>(ticks) * 1'000'000'000u / options.tsc_hz);
  }
  uint64_t ticks(uint64_t ns) const {
    return static_cast<uint64_t>(static_cast<Uint128>(ns) * options.tsc_hz / 1'000'000'000u);
  }
  void drop(rte_mbuf* packet, Drop reason) {
    counters.drop(reason);
    rte_pktmbuf_free(packet);
  }
};

}  // namespace anabranch::dataplane
