// SPDX-License-Identifier: BSD-3-Clause
// What each flow was carried with: octets and packets of outer IP for each (service, flow, path,
// direction, kind), as detail of the meters (meter.h).
//
// It is counted where the meters are, by the worker alone: what is sent when the port has accepted
// it (tx.cc), what is received when it has been opened (open.cc). What cannot be said to be of a
// flow is counted for its service as the rest: fragments that arrive, what is no IP packet, and
// what there is no room for. So of a (service, path, direction), at any moment when the worker
// rests,
//   Σ octets of records and rest of kind k    = the meter of kind k, octets
//   Σ packets of records and rest of kind k   = the meter of kind k, packets
//   Σ overhead of records and rest            = the meter of kind overhead
// for the kinds first, repair and copy, where records are those handed out and those still held.
// Kinds control and refused are the house's, unattended is nobody's: they are not in here.
//
// A record is handed out when its flow has been counted for `active`, when nothing came for `idle`,
// when TCP has ended it, or when its place is needed for another. It goes through a ring to the
// control thread; while that is full the worker keeps counting in the same place. Where no place
// can be had at all, it is the rest that counts.
//
// Of a fixed size, allocated once: 10 MB. Cost where it is on: 130 cycles a packet received, 250
// one that is sent (of 1000 flows on 3 paths, busy machine, bench/whole_path_bench); off: a branch.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "dataplane/address.h"
#include "dataplane/bounds.h"
#include "dataplane/counters.h"
#include "dataplane/meter.h"
#include "dataplane/spsc_ring.h"

namespace anabranch::dataplane {

// What a packet says of its flow: as FlowKey has it, of either family.
struct FlowName {
  Address source = 0, destination = 0;
  uint16_t source_port = 0, destination_port = 0;
  uint8_t protocol = 0, dscp = 0;
  uint8_t tcp_flags = 0;  // of this packet
};
// nullopt: it is no IP packet.
std::optional<FlowName> name_flow(std::span<const uint8_t> ip);

enum class FlowEnd : uint8_t { idle = 1, active, ended, forced, no_room };  // as IPFIX has them

// All of it is compared and hashed: no padding.
struct alignas(16) AccountKey {
  Address source = 0, destination = 0;
  uint64_t service = 0;  // its id (MeterRegion::owners)
  uint16_t source_port = 0, destination_port = 0;
  uint8_t protocol = 0, dscp = 0;
  Place place = 0;
  uint8_t direction_and_kind = 0;

  Direction direction() const { return static_cast<Direction>(direction_and_kind >> 4); }
  Kind kind() const { return static_cast<Kind>(direction_and_kind & 0x0f); }
  static constexpr uint8_t both(Direction direction, Kind kind) {
    return static_cast<uint8_t>(static_cast<uint8_t>(direction) << 4 | static_cast<uint8_t>(kind));
  }
};
static_assert(sizeof(AccountKey) == 48);

struct AccountRecord {
  AccountKey key;
  uint64_t octets = 0;    // of clients' packets
  uint64_t overhead = 0;  // besides
  uint64_t packets = 0;
  uint64_t first_ns = 0, last_ns = 0;  // by the worker's clock
  uint8_t tcp_flags = 0;               // of all packets
  FlowEnd end = FlowEnd::active;
};

// Of one service what is of no flow: by path, direction and kind. Only grows; one writer.
struct RestCell {
  Counter octets, overhead, packets;
};
inline constexpr size_t kRestKinds = 3;  // first, repair, copy
static_assert(static_cast<size_t>(Kind::copy) == kRestKinds - 1);
struct RestOfService {
  RestCell cells[kPathsMax][kDirections][kRestKinds];
};

class FlowAccounts {
 public:
  struct Limits {
    uint64_t active_ns = 60'000'000'000;
    uint64_t idle_ns = 15'000'000'000;
    uint64_t ended_ns = 1'000'000'000;  // after TCP's end
    uint32_t places = 65536;            // a power of two, at most 65536
    uint32_t ring = 8192;               // records on their way to control; a power of two
  };
  explicit FlowAccounts(const Limits& limits);
  bool is_allocated() const { return rest_ != nullptr; }

  // A place for what is to be counted; 0: none. It may be lost before it is counted into, which
  // count() sees.
  using Ref = uint32_t;
  Ref find(const FlowName& flow, uint64_t service, Place place, Direction direction, Kind kind,
           uint64_t now_ns);
  // A packet of `inner` octets in an outer one of `outer`.
  void count(Ref ref, uint16_t slot, Place place, Direction direction, Kind kind, uint16_t inner,
             uint16_t outer, uint64_t now_ns);

  // Looks at the next `looks` places, and hands out what is due.
  void age(uint64_t now_ns, uint32_t looks);
  // Hands out all there is, as far as the ring has room. True: nothing is left. For the end.
  bool hand_out_all();

  uint32_t size() const { return size_; }
  uint32_t places() const { return limits_.places; }

  // Control thread.
  bool take(AccountRecord& record) { return ring_.take(record); }
  const RestOfService& rest(uint16_t slot) const { return rest_.get()[slot]; }
  // Bit n: slot 64 word + n has ever had any.
  uint64_t rest_slots(size_t word) const { return rest_slots_[word].get(); }

 private:
  struct alignas(64) Account {
    AccountKey key;
    uint64_t octets = 0, overhead = 0, packets = 0;
    uint64_t first_ns = 0;  // 0: nothing is counted yet
    uint64_t last_ns = 0;
    uint16_t generation = 0;
    uint8_t tcp_flags = 0;
  };
  static_assert(sizeof(Account) == 128);
  static constexpr uint32_t kWays = 8;  // whose tags are half a cache line

  struct FreeDelete {
    void operator()(void* p) const { std::free(p); }
  };
  void count_rest(uint16_t slot, Place place, Direction direction, Kind kind, uint16_t inner,
                  uint16_t outer);
  uint32_t take_place(std::span<uint32_t, kWays> tags, uint32_t set);
  bool hand_out(uint32_t place, FlowEnd end);
  void free_place(uint32_t place);
  std::optional<FlowEnd> due(const Account& account, uint64_t now_ns) const;

  const Limits limits_;
  std::vector<uint32_t> tags_;  // by place; 0: it is free
  std::vector<Account> accounts_;
  // Zero, and memory is touched only for services in use.
  std::unique_ptr<RestOfService, FreeDelete> rest_;  // [kServicesMax]
  std::array<Counter, kServicesMax / 64> rest_slots_;
  SpscRing<AccountRecord> ring_;
  uint32_t cursor_ = 0;
  uint32_t size_ = 0;
};

}  // namespace anabranch::dataplane
