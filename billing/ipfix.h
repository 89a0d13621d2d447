// SPDX-License-Identifier: BSD-3-Clause
// Flow records as IPFIX messages (RFC 7011): templates, records, what explains and vouches for
// them. Pure: octets out of values.
//
// A record is of a flow's packets of one kind, on one path, in one direction, for some time. Its
// octetDeltaCount is octets of outer IP packets, as they are charged. Of a service, a path, a
// direction and a time all records together come to what the meters have (billing/usage.h):
//   octetDeltaCount - overheadOctets   of records of kind k   is meter k's octets
//   packetDeltaCount                   of records of kind k   is meter k's packets
//   overheadOctets                     of all records         is meter overhead's octets
// for the kinds first, repair and copy. What cannot be said to be of a flow is in records without
// addresses (Family::none). Kinds control, refused and unattended are the house's, and in no
// record.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "billing/usage.h"

namespace anabranch::billing {

// As flowEndReason has them (RFC 5102 5.11.3).
enum class FlowEnd : uint8_t { idle = 1, active = 2, ended = 3, forced = 4, no_room = 5 };

struct FlowRecord {
  enum class Family : uint8_t { none, ipv4, ipv6 } family = Family::none;
  // In network order; of IPv4 the first four octets.
  std::array<uint8_t, 16> source{}, destination{};
  uint16_t source_port = 0, destination_port = 0;
  uint8_t protocol = 0;
  uint8_t class_of_service = 0;  // the octet of the IP header, without ECN
  uint8_t tcp_flags = 0;         // of all its packets together
  uint64_t octets = 0, packets = 0;
  uint64_t overhead_octets = 0;       // of `octets`
  uint64_t start_ms = 0, end_ms = 0;  // since 1970
  FlowEnd end = FlowEnd::active;
  Direction direction = Direction::sent;
  Kind kind = Kind::first;
  uint8_t path = 0;        // its number
  uint8_t ip_version = 4;  // of the outer packets; told where there are no addresses
  uint64_t service = 0;
  std::string client, uplink, provider;
};

// Who exports.
struct IpfixDomain {
  uint32_t observation_domain = 1;
  uint32_t enterprise = 32473;  // whose numbers our own information elements have (RFC 5612)
};

// Our own information elements: their numbers below the enterprise's.
enum class OwnElement : uint16_t { service = 1, client, provider, kind, overhead_octets };

// A message that has no place in a stream yet.
struct IpfixMessage {
  std::string octets;
  uint32_t data_records = 0;  // that the sequence number counts
  // Of these, flow records and what they count.
  uint32_t flows = 0;
  uint64_t flow_octets = 0, flow_packets = 0;
};

inline constexpr size_t kIpfixHeader = 16;
inline constexpr size_t kIpfixMessageMax = 65535;
// No record is longer: fixed fields, and three names of at most kIpfixNameMax octets.
inline constexpr size_t kIpfixNameMax = 64;
inline constexpr size_t kIpfixRecordMax = 384;

// All templates; no data. Sent before anything else, and now and then over UDP.
IpfixMessage ipfix_templates(const IpfixDomain& domain);
// What our own elements are (RFC 5610).
IpfixMessage ipfix_own_elements(const IpfixDomain& domain);

// What was measured and not exported, since the exporter began (RFC 7011 4.3).
struct IpfixLosses {
  uint64_t flows = 0, packets = 0, octets = 0;
  uint64_t first_ms = 0, last_ms = 0;  // when; 0: never
};
IpfixMessage ipfix_losses(const IpfixDomain& domain, uint32_t process, const IpfixLosses& losses);

// Records in order, in messages of at most `octets_max`, which is at least kIpfixHeader + 4 +
// kIpfixRecordMax. Names are cut off at kIpfixNameMax.
std::vector<IpfixMessage> ipfix_flows(const IpfixDomain& domain,
                                      std::span<const FlowRecord> records, size_t octets_max);

// Its place: when it is sent, and how many data records were sent before it.
void stamp(IpfixMessage& message, uint32_t export_time_s, uint32_t sequence);

}  // namespace anabranch::billing
