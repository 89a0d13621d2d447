// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/flow_accounts.h"

#include <rte_hash_crc.h>

#include "dataplane/parse.h"

namespace anabranch::dataplane {
namespace {

constexpr uint8_t kFin = 1 << 0, kRst = 1 << 2;
constexpr size_t kFlags = 13;  // in a TCP header

}  // namespace

std::optional<FlowName> name_flow(std::span<const uint8_t> ip) {
  if (ip.empty()) return std::nullopt;
  const bool ipv6 = is_ipv6(ip.data());
  // The header's checksum was verified where the packet came from a LAN.
  const PacketView view = ipv6 ? parse_ipv6(ip) : parse_ipv4(ip, Checksum::verified);
  if (view.result == Parsed::invalid) return std::nullopt;
  FlowName name{.source_port = view.key.source_port,
                .destination_port = view.key.destination_port,
                .protocol = view.key.protocol,
                .dscp = view.key.dscp};
  if (ipv6) {
    const FlowKey6 key = flow_key6(ip, view);
    name.source = key.source;
    name.destination = key.destination;
  } else {
    name.source = address_of(view.key.source);
    name.destination = address_of(view.key.destination);
  }
  const bool is_tcp = name.protocol == kTcp && !view.fragment && view.quoted == 0;
  if (is_tcp && ip.size() > view.header_length + kFlags)
    name.tcp_flags = ip[view.header_length + kFlags];
  return name;
}

FlowAccounts::FlowAccounts(const Limits& limits)
    : limits_(limits),
      tags_(limits.places),
      accounts_(limits.places),
      rest_(static_cast<RestOfService*>(std::calloc(kServicesMax, sizeof(RestOfService)))),
      ring_(limits.ring) {}

FlowAccounts::Ref FlowAccounts::find(const FlowName& flow, uint64_t service, Place place,
                                     Direction direction, Kind kind, uint64_t now_ns) {
  const AccountKey key{.source = flow.source,
                       .destination = flow.destination,
                       .service = service,
                       .source_port = flow.source_port,
                       .destination_port = flow.destination_port,
                       .protocol = flow.protocol,
                       .dscp = flow.dscp,
                       .place = place,
                       .direction_and_kind = AccountKey::both(direction, kind)};
  const uint32_t hash = rte_hash_crc(&key, sizeof key, 0);
  const uint32_t tag = hash | 1;
  // Other bits than the tag's, mostly: what shares a set shall differ in its tag.
  const uint32_t set = (hash * 0x9e3779b1u >> 13) % (limits_.places / kWays) * kWays;
  const std::span<uint32_t, kWays> tags(&tags_[set], kWays);
  uint32_t index = UINT32_MAX;
  for (uint32_t way = 0; way < kWays; ++way) {
    if (tags[way] == tag && std::memcmp(&accounts_[set + way].key, &key, sizeof key) == 0) {
      index = set + way;
      break;
    }
  }
  if (index == UINT32_MAX) {
    index = take_place(tags, set);
    if (index == UINT32_MAX) return 0;
    tags_[index] = tag;
    ++size_;
    const auto generation = static_cast<uint16_t>(accounts_[index].generation | 1);
    accounts_[index] = Account{.key = key, .last_ns = now_ns, .generation = generation};
  }
  Account& account = accounts_[index];
  account.tcp_flags |= flow.tcp_flags;
  return uint32_t{account.generation} << 16 | index;
}

// A free one; else that of whom nothing came for the longest, if it can be handed out.
uint32_t FlowAccounts::take_place(std::span<uint32_t, kWays> tags, uint32_t set) {
  uint32_t oldest = set;
  for (uint32_t way = 0; way < kWays; ++way) {
    if (tags[way] == 0) return set + way;
    if (accounts_[set + way].last_ns < accounts_[oldest].last_ns) oldest = set + way;
  }
  return hand_out(oldest, FlowEnd::no_room) ? oldest : UINT32_MAX;
}

void FlowAccounts::count(Ref ref, uint16_t slot, Place place, Direction direction, Kind kind,
                         uint16_t inner, uint16_t outer, uint64_t now_ns) {
  Account& account = accounts_[ref & 0xffff];
  if (ref == 0 || account.generation != ref >> 16) [[unlikely]]
    return count_rest(slot, place, direction, kind, inner, outer);
  if (account.first_ns == 0) account.first_ns = now_ns;
  account.last_ns = now_ns;
  account.octets += inner;
  account.overhead += static_cast<uint16_t>(outer - inner);
  ++account.packets;
}

void FlowAccounts::count_rest(uint16_t slot, Place place, Direction direction, Kind kind,
                              uint16_t inner, uint16_t outer) {
  RestCell& rest =
      rest_.get()[slot].cells[place][static_cast<size_t>(direction)][static_cast<size_t>(kind)];
  rest.octets.add(inner);
  rest.overhead.add(static_cast<uint16_t>(outer - inner));
  rest.packets.add(1);
  Counter& slots = rest_slots_[slot / 64];
  slots.set(slots.get() | uint64_t{1} << slot % 64);
}

// False when the ring is full: then it goes on counting.
bool FlowAccounts::hand_out(uint32_t place, FlowEnd end) {
  const Account& account = accounts_[place];
  if (account.packets != 0 && !ring_.put({.key = account.key,
                                          .octets = account.octets,
                                          .overhead = account.overhead,
                                          .packets = account.packets,
                                          .first_ns = account.first_ns,
                                          .last_ns = account.last_ns,
                                          .tcp_flags = account.tcp_flags,
                                          .end = end}))
    return false;
  free_place(place);
  return true;
}

// References to what was there count no more.
void FlowAccounts::free_place(uint32_t place) {
  tags_[place] = 0;
  accounts_[place].generation = static_cast<uint16_t>(accounts_[place].generation + 2);
  --size_;
}

std::optional<FlowEnd> FlowAccounts::due(const Account& account, uint64_t now_ns) const {
  const uint64_t silent_ns = now_ns - account.last_ns;
  if (account.packets != 0 && now_ns - account.first_ns >= limits_.active_ns)
    return FlowEnd::active;
  if ((account.tcp_flags & (kFin | kRst)) != 0 && silent_ns >= limits_.ended_ns)
    return FlowEnd::ended;
  if (silent_ns >= limits_.idle_ns) return FlowEnd::idle;
  return std::nullopt;
}

void FlowAccounts::age(uint64_t now_ns, uint32_t looks) {
  for (uint32_t n = 0; n < looks && size_ != 0; ++n) {
    const uint32_t place = cursor_;
    cursor_ = (cursor_ + 1) % limits_.places;
    if (tags_[place] == 0) continue;
    if (const auto end = due(accounts_[place], now_ns)) hand_out(place, *end);
  }
}

bool FlowAccounts::hand_out_all() {
  for (uint32_t place = 0; place < limits_.places; ++place) {
    if (tags_[place] != 0 && !hand_out(place, FlowEnd::forced)) return false;
  }
  return true;
}

}  // namespace anabranch::dataplane
