// SPDX-License-Identifier: BSD-3-Clause
#include "control/flow_records.h"

#include <bit>

namespace anabranch::control {

using dataplane::Direction;
using dataplane::Kind;

static_assert(static_cast<int>(billing::Kind::copy) == static_cast<int>(Kind::copy));
static_assert(static_cast<int>(billing::Direction::received) ==
              static_cast<int>(Direction::received));
static_assert(static_cast<int>(billing::FlowEnd::no_room) ==
              static_cast<int>(dataplane::FlowEnd::no_room));

namespace {

constexpr uint64_t kNsASecond = 1'000'000'000;
// A service that has ended: its last record is out by then.
constexpr uint64_t kRememberNs = 600 * kNsASecond;
constexpr uint8_t kNetwork4 = 24, kNetwork6 = 48;

std::array<uint8_t, 16> octets_of(dataplane::Address address, bool truncated) {
  const bool ipv4 = dataplane::is_ipv4(address);
  if (truncated) {
    address &= dataplane::mask_of<dataplane::Address>(
        static_cast<uint8_t>(ipv4 ? 96 + kNetwork4 : kNetwork6));
  }
  return control::octets_of(Ip{address}).octets;
}

}  // namespace

FlowRecords::FlowRecords(const Config& config, std::vector<dataplane::FlowAccounts*> accounts,
                         const dataplane::MeterRegion& region, const Carrier& carrier)
    : flows_(config.flows.value()),
      accounts_(std::move(accounts)),
      region_(region),
      carrier_(carrier) {
  for (const PathConfig& path : config.peer.paths)
    names_[path.id] = {path.uplink, config.find_uplink(path.uplink)->provider,
                       static_cast<uint8_t>(config.is_ipv6(path) ? 6 : 4)};
}

std::vector<billing::FlowRecord> FlowRecords::take(const Now& now) {
  learn_clients(now);
  std::vector<billing::FlowRecord> records;
  take_handed_out(now, records);
  read_rest(now);
  // Intervals are the workers' clock's, which nobody sets.
  if (rest_due_ns_ != 0 && now.worker_ns >= rest_due_ns_) take_rest(now, records);
  if (now.worker_ns >= rest_due_ns_) rest_due_ns_ = now.worker_ns + flows_.active_s * kNsASecond;
  return records;
}

std::vector<billing::FlowRecord> FlowRecords::take_last(const Now& now) {
  std::vector<billing::FlowRecord> records;
  for (dataplane::FlowAccounts* accounts : accounts_) {
    bool all = false;
    while (!all) {
      all = accounts->hand_out_all();
      take_handed_out(now, records);
    }
  }
  read_rest(now);
  take_rest(now, records);
  return records;
}

// There may be many: once a second is enough, since a service that has just begun is still there.
void FlowRecords::learn_clients(const Now& now) {
  if (now.worker_ns < learn_at_ns_) return;
  learn_at_ns_ = now.worker_ns + kNsASecond;
  for (const auto& [id, service] : carrier_.all()) {
    clients_[id] = {service.client, now.worker_ns};
    owners_[service.slot] = id;
  }
  std::erase_if(clients_,
                [&](const auto& one) { return one.second.seen_ns + kRememberNs < now.worker_ns; });
}

std::string FlowRecords::client_of(uint64_t service) const {
  if (const Carried* carried = carrier_.find(service)) return carried->client;
  const auto ended = clients_.find(service);
  return ended == clients_.end() ? "" : ended->second.name;
}

billing::FlowRecord FlowRecords::begin_record(uint64_t service, uint8_t path, Direction direction,
                                              Kind kind) const {
  billing::FlowRecord record;
  record.direction = static_cast<billing::Direction>(direction);
  record.kind = static_cast<billing::Kind>(kind);
  record.path = path;
  record.service = service;
  record.uplink = names_[path].uplink;
  record.provider = names_[path].provider;
  record.ip_version = names_[path].ip_version;
  record.client = client_of(service);
  return record;
}

billing::FlowRecord FlowRecords::record_of(const dataplane::AccountRecord& account,
                                           const Now& now) const {
  const dataplane::AccountKey& key = account.key;
  billing::FlowRecord record = begin_record(key.service, key.place, key.direction(), key.kind());
  record.family = dataplane::is_ipv4(key.source) ? billing::FlowRecord::Family::ipv4
                                                 : billing::FlowRecord::Family::ipv6;
  record.source = octets_of(key.source, flows_.truncated);
  record.destination = octets_of(key.destination, flows_.truncated);
  record.source_port = key.source_port;
  record.destination_port = key.destination_port;
  record.protocol = key.protocol;
  record.class_of_service = static_cast<uint8_t>(key.dscp << 2);
  record.tcp_flags = account.tcp_flags;
  record.octets = account.octets + account.overhead;
  record.overhead_octets = account.overhead;
  record.packets = account.packets;
  // It may be a moment later than `now`.
  const auto wall = [&](uint64_t ns) {
    return now.wall_ms -
           static_cast<uint64_t>(static_cast<int64_t>(now.worker_ns - ns) / 1'000'000);
  };
  record.start_ms = wall(account.first_ns);
  record.end_ms = wall(account.last_ns);
  record.end = static_cast<billing::FlowEnd>(account.end);
  return record;
}

void FlowRecords::take_handed_out(const Now& now, std::vector<billing::FlowRecord>& records) {
  dataplane::AccountRecord account;
  for (dataplane::FlowAccounts* accounts : accounts_) {
    while (accounts->take(account)) {
      if ((account.key.service & Carried::kVisitor) == 0)
        records.push_back(record_of(account, now));
    }
  }
}

void FlowRecords::read_rest(const Now& now) {
  for (size_t worker = 0; worker < accounts_.size(); ++worker) {
    const dataplane::FlowAccounts& accounts = *accounts_[worker];
    for (size_t word = 0; word < dataplane::kServicesMax / 64; ++word) {
      for (uint64_t slots = accounts.rest_slots(word); slots != 0; slots &= slots - 1)
        read_rest_of(worker, static_cast<uint16_t>(word * 64 + std::countr_zero(slots)), now);
    }
  }
  rest_read_ms_ = now.wall_ms;
}

// It is the slot's service's, or, when that has just ended, was.
void FlowRecords::read_rest_of(size_t worker, uint16_t slot, const Now& now) {
  uint64_t service = region_.owners[slot].load(std::memory_order_acquire);
  if (service == 0) service = owners_[slot];
  owners_[slot] = service;
  Known& known = known_[{worker, slot}];
  const auto& cells = accounts_[worker]->rest(slot).cells;
  for (uint8_t path = 0; path < dataplane::kPathsMax; ++path) {
    for (size_t d = 0; d < dataplane::kDirections; ++d) {
      for (size_t k = 0; k < dataplane::kRestKinds; ++k) {
        Rest& before = known[path][d][k];
        const Rest read{cells[path][d][k].octets.get(), cells[path][d][k].overhead.get(),
                        cells[path][d][k].packets.get()};
        if (read.packets == before.packets && read.octets == before.octets &&
            read.overhead == before.overhead)
          continue;
        Rest& rest = rest_[{service, path, static_cast<Direction>(d), static_cast<Kind>(k)}];
        if (rest.since_ms == 0) rest.since_ms = rest_read_ms_ != 0 ? rest_read_ms_ : now.wall_ms;
        rest.octets += read.octets - before.octets;
        rest.overhead += read.overhead - before.overhead;
        rest.packets += read.packets - before.packets;
        before = read;
      }
    }
  }
}

void FlowRecords::take_rest(const Now& now, std::vector<billing::FlowRecord>& records) {
  for (const auto& [key, rest] : rest_) {
    if ((key.service & Carried::kVisitor) != 0) continue;
    billing::FlowRecord record = begin_record(key.service, key.path, key.direction, key.kind);
    record.octets = rest.octets + rest.overhead;
    record.overhead_octets = rest.overhead;
    record.packets = rest.packets;
    record.start_ms = rest.since_ms;
    record.end_ms = now.wall_ms;
    record.end = billing::FlowEnd::active;
    records.push_back(std::move(record));
  }
  rest_.clear();
}

}  // namespace anabranch::control
