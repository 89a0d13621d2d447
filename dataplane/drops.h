// SPDX-License-Identifier: BSD-3-Clause
// Every way a packet can end other than being sent on. A packet ends in exactly one counted place.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace anabranch::dataplane {

enum class Drop : uint8_t {
  // LAN side, towards the peer
  bad_length,       // headers contradict the frame's length, or the kernel merged packets (GRO)
  bad_checksum,     // IPv4 header checksum wrong
  bad_extension,    // IPv6 extension headers or a fragment contradict the packet or each other
  bad_scope,        // an IPv6 source that no router forwards (RFC 4291 2.5.6)
  ttl_exceeded,     // answered with ICMP time exceeded
  no_service,       // no admitted service wants it; answered with ICMP administratively prohibited
  flow_table_full,  // more flows at once than configured
  path_down,        // no path of the service's plan is alive
  quota_used_up,    // … but for those whose quota is used up
  too_big,          // does not fit the paths and must not be fragmented; answered with ICMP
  no_buffer,        // packet buffers ran out
  tx_full,          // the uplink's port did not take it after bounded retries
  no_session,       // the peer has not confirmed the service, or there is no key yet
  queue_full,       // all paths are busy, and as many packets wait as may
  codel,            // waited for too long in a queue that does not get shorter (RFC 8289)
  handover_full,    // another worker, whom the packet is for or who has the port, did not keep up
  key_worn,         // the key has sealed all it may; the control session is away for too long
  // uplink side, from the peer
  bad_segment,       // shorter than its headers, wrong version or flags
  unknown_receiver,  // receiver index stands for nothing here
  bad_path,          // path number is not that uplink's
  unknown_key,       // key phase that is not in force
  replayed,          // its packet number was accepted before, or is too old to know
  bad_tag,           // authentication tag wrong
  incomplete,        // fragments whose packet did not become whole in time
  not_ect,           // the way marked congestion on a packet that knows no marks (RFC 6040 4.2)
  bad_inner,         // what was inside is not an IP packet of the stated length
  duplicate,         // its number was delivered before
  not_for_lan,       // addressed to something that is not behind this gateway
  no_neighbour,      // next hop on the LAN not resolved within a second
  lan_tx_full,       // the LAN port did not take it
  icmp_limited,      // an ICMP error not sent because of its rate limit
  wrong_vlan,        // on a port whose frames have a tag: another one, or none
  count_,
};
inline constexpr size_t kDropCount = static_cast<size_t>(Drop::count_);

inline constexpr std::array<std::string_view, kDropCount> kDropNames{
    "bad_length",    "bad_checksum",    "bad_extension", "bad_scope",        "ttl_exceeded",
    "no_service",    "flow_table_full", "path_down",     "quota_used_up",    "too_big",
    "no_buffer",     "tx_full",         "no_session",    "queue_full",       "codel",
    "handover_full", "key_worn",        "bad_segment",   "unknown_receiver", "bad_path",
    "unknown_key",   "replayed",        "bad_tag",       "incomplete",       "not_ect",
    "bad_inner",     "duplicate",       "not_for_lan",   "no_neighbour",     "lan_tx_full",
    "icmp_limited",  "wrong_vlan"};
static_assert(!kDropNames.back().empty());

}  // namespace anabranch::dataplane
