// SPDX-License-Identifier: BSD-3-Clause
#include "billing/ipfix.h"

#include <algorithm>
#include <string_view>

namespace anabranch::billing {
namespace {

constexpr uint16_t kVersion = 10;
constexpr uint16_t kTemplateSet = 2, kOptionsTemplateSet = 3;
constexpr uint16_t kOfIpv4 = 256, kOfIpv6 = 257, kOfService = 258;
constexpr uint16_t kOfElement = 259, kOfLosses = 260;
constexpr uint16_t kVariable = 65535;
constexpr uint16_t kEnterpriseBit = 0x8000;
constexpr size_t kSetHeader = 4;

// Of IANA's registry "IPFIX Information Elements".
enum Element : uint16_t {
  octetDeltaCount = 1,
  packetDeltaCount = 2,
  protocolIdentifier = 4,
  ipClassOfService = 5,
  tcpControlBits = 6,
  sourceTransportPort = 7,
  sourceIPv4Address = 8,
  ingressInterface = 10,
  destinationTransportPort = 11,
  destinationIPv4Address = 12,
  egressInterface = 14,
  sourceIPv6Address = 27,
  destinationIPv6Address = 28,
  ipVersion = 60,
  flowDirection = 61,
  interfaceName = 82,
  flowEndReason = 136,
  observationPointId = 138,
  exportingProcessId = 144,
  flowStartMilliseconds = 152,
  flowEndMilliseconds = 153,
  notSentFlowTotalCount = 166,
  notSentPacketTotalCount = 167,
  notSentOctetTotalCount = 168,
  ingressVRFID = 234,
  informationElementId = 303,
  observationTimeMilliseconds = 323,
  informationElementDataType = 339,
  informationElementName = 341,
  informationElementSemantics = 344,
  privateEnterpriseNumber = 346,
};

struct Field {
  uint16_t element;
  uint16_t length;
  bool own = false;
};
constexpr Field own(OwnElement element, uint16_t length) {
  return {static_cast<uint16_t>(element), length, true};
}

constexpr Field kTimes[] = {{flowStartMilliseconds, 8}, {flowEndMilliseconds, 8}};
constexpr Field kIpv4[] = {{sourceIPv4Address, 4}, {destinationIPv4Address, 4}};
constexpr Field kIpv6[] = {{sourceIPv6Address, 16}, {destinationIPv6Address, 16}};
// Without it nfacctd leaves out what has no addresses.
constexpr Field kVersionAlone[] = {{ipVersion, 1}};
constexpr Field kTransport[] = {{sourceTransportPort, 2},
                                {destinationTransportPort, 2},
                                {protocolIdentifier, 1},
                                {ipClassOfService, 1},
                                {tcpControlBits, 2}};
constexpr Field kCounts[] = {{octetDeltaCount, 8},
                             {packetDeltaCount, 8},
                             {flowDirection, 1},
                             {flowEndReason, 1},
                             {ingressInterface, 4},
                             {egressInterface, 4},
                             {observationPointId, 8},
                             {ingressVRFID, 4},
                             {interfaceName, kVariable},
                             own(OwnElement::service, 8),
                             own(OwnElement::client, kVariable),
                             own(OwnElement::provider, kVariable),
                             own(OwnElement::kind, 1),
                             own(OwnElement::overhead_octets, 8)};
// Scopes first (RFC 5610 3.9).
constexpr Field kElements[] = {{privateEnterpriseNumber, 4},
                               {informationElementId, 2},
                               {informationElementDataType, 1},
                               {informationElementSemantics, 1},
                               {informationElementName, kVariable}};
constexpr Field kLosses[] = {{exportingProcessId, 4},          {notSentFlowTotalCount, 8},
                             {notSentPacketTotalCount, 8},     {notSentOctetTotalCount, 8},
                             {observationTimeMilliseconds, 8}, {observationTimeMilliseconds, 8}};

// RFC 5610 3.1 and 3.6.
enum DataType : uint8_t { kUnsigned8 = 1, kUnsigned64 = 4, kString = 13 };
enum Semantics : uint8_t { kDefault = 0, kDeltaCounter = 3, kIdentifier = 4 };
struct Described {
  OwnElement element;
  DataType type;
  Semantics semantics;
  const char* name;
};
constexpr Described kOwn[] = {
    {OwnElement::service, kUnsigned64, kIdentifier, "anabranchService"},
    {OwnElement::client, kString, kDefault, "anabranchClient"},
    {OwnElement::provider, kString, kDefault, "anabranchProvider"},
    {OwnElement::kind, kUnsigned8, kIdentifier, "anabranchKind"},
    {OwnElement::overhead_octets, kUnsigned64, kDeltaCounter, "anabranchOverheadOctets"},
};

// The last `octets` of a number, in network order.
void put(std::string& out, uint64_t value, int octets) {
  for (int shift = 8 * (octets - 1); shift >= 0; shift -= 8)
    out.push_back(static_cast<char>(value >> shift));
}

void put_at(std::string& out, size_t at, uint64_t value, int octets) {
  for (int i = octets - 1; i >= 0; --i, value >>= 8)
    out[at + static_cast<size_t>(i)] = static_cast<char>(value);
}

// RFC 7011 7: names are never of 255 octets or more.
void put_name(std::string& out, std::string_view name) {
  name = name.substr(0, kIpfixNameMax);
  put(out, name.size(), 1);
  out += name;
}

void put_address(std::string& out, const std::array<uint8_t, 16>& address, size_t octets) {
  out.append(reinterpret_cast<const char*>(address.data()), octets);
}

IpfixMessage begin(const IpfixDomain& domain) {
  IpfixMessage message;
  put(message.octets, kVersion, 2);
  put(message.octets, 0, 2);  // length; by finish()
  put(message.octets, 0, 4);  // export time; by stamp()
  put(message.octets, 0, 4);  // sequence number; by stamp()
  put(message.octets, domain.observation_domain, 4);
  return message;
}

size_t begin_set(std::string& out, uint16_t id) {
  const size_t at = out.size();
  put(out, id, 2);
  put(out, 0, 2);
  return at;
}
void finish_set(std::string& out, size_t at) {
  put_at(out, at + 2, out.size() - at, 2);
}
void finish(IpfixMessage& message) {
  put_at(message.octets, 2, message.octets.size(), 2);
}

void put_fields(std::string& out, const IpfixDomain& domain, std::span<const Field> fields) {
  for (const Field& field : fields) {
    put(out, field.own ? kEnterpriseBit | field.element : field.element, 2);
    put(out, field.length, 2);
    if (field.own) put(out, domain.enterprise, 4);
  }
}

void put_template(std::string& out, const IpfixDomain& domain, uint16_t id,
                  std::initializer_list<std::span<const Field>> parts) {
  size_t count = 0;
  for (const auto part : parts) count += part.size();
  put(out, id, 2);
  put(out, count, 2);
  for (const auto part : parts) put_fields(out, domain, part);
}

void put_options_template(std::string& out, const IpfixDomain& domain, uint16_t id, uint16_t scopes,
                          std::span<const Field> fields) {
  put(out, id, 2);
  put(out, fields.size(), 2);
  put(out, scopes, 2);
  put_fields(out, domain, fields);
}

uint16_t template_of(const FlowRecord& record) {
  switch (record.family) {
    case FlowRecord::Family::ipv4:
      return kOfIpv4;
    case FlowRecord::Family::ipv6:
      return kOfIpv6;
    case FlowRecord::Family::none:
      break;
  }
  return kOfService;
}

// In the order of the template's fields.
void put_record(std::string& out, const FlowRecord& r) {
  put(out, r.start_ms, 8);
  put(out, r.end_ms, 8);
  if (r.family != FlowRecord::Family::none) {
    const size_t octets = r.family == FlowRecord::Family::ipv4 ? 4 : 16;
    put_address(out, r.source, octets);
    put_address(out, r.destination, octets);
    put(out, r.source_port, 2);
    put(out, r.destination_port, 2);
    put(out, r.protocol, 1);
    put(out, r.class_of_service, 1);
    put(out, r.tcp_flags, 2);
  } else {
    put(out, r.ip_version, 1);
  }
  const bool sent = r.direction == Direction::sent;
  put(out, r.octets, 8);
  put(out, r.packets, 8);
  put(out, sent ? 1 : 0, 1);  // 0: ingress, 1: egress
  put(out, static_cast<uint8_t>(r.end), 1);
  put(out, sent ? 0 : r.path, 4);
  put(out, sent ? r.path : 0, 4);
  put(out, r.path, 8);
  put(out, r.service, 4);
  put_name(out, r.uplink);
  put(out, r.service, 8);
  put_name(out, r.client);
  put_name(out, r.provider);
  put(out, static_cast<uint8_t>(r.kind), 1);
  put(out, r.overhead_octets, 8);
}

}  // namespace

IpfixMessage ipfix_templates(const IpfixDomain& domain) {
  IpfixMessage message = begin(domain);
  std::string& out = message.octets;
  size_t set = begin_set(out, kTemplateSet);
  put_template(out, domain, kOfIpv4, {kTimes, kIpv4, kTransport, kCounts});
  put_template(out, domain, kOfIpv6, {kTimes, kIpv6, kTransport, kCounts});
  put_template(out, domain, kOfService, {kTimes, kVersionAlone, kCounts});
  finish_set(out, set);
  // A set for each: nfacctd takes the second of a set for malformed.
  set = begin_set(out, kOptionsTemplateSet);
  put_options_template(out, domain, kOfElement, 2, kElements);
  finish_set(out, set);
  set = begin_set(out, kOptionsTemplateSet);
  put_options_template(out, domain, kOfLosses, 1, kLosses);
  finish_set(out, set);
  finish(message);
  return message;
}

IpfixMessage ipfix_own_elements(const IpfixDomain& domain) {
  IpfixMessage message = begin(domain);
  std::string& out = message.octets;
  const size_t set = begin_set(out, kOfElement);
  for (const Described& one : kOwn) {
    put(out, domain.enterprise, 4);
    put(out, static_cast<uint16_t>(one.element), 2);
    put(out, one.type, 1);
    put(out, one.semantics, 1);
    put_name(out, one.name);
    ++message.data_records;
  }
  finish_set(out, set);
  finish(message);
  return message;
}

IpfixMessage ipfix_losses(const IpfixDomain& domain, uint32_t process, const IpfixLosses& losses) {
  IpfixMessage message = begin(domain);
  std::string& out = message.octets;
  const size_t set = begin_set(out, kOfLosses);
  put(out, process, 4);
  put(out, losses.flows, 8);
  put(out, losses.packets, 8);
  put(out, losses.octets, 8);
  put(out, losses.first_ms, 8);
  put(out, losses.last_ms, 8);
  finish_set(out, set);
  message.data_records = 1;
  finish(message);
  return message;
}

std::vector<IpfixMessage> ipfix_flows(const IpfixDomain& domain,
                                      std::span<const FlowRecord> records, size_t octets_max) {
  octets_max = std::min(octets_max, kIpfixMessageMax);
  std::vector<IpfixMessage> messages;
  size_t set = 0;
  uint16_t open = 0;  // the template of the set that records are put in; 0: none
  const auto close = [&] {
    if (open != 0) finish_set(messages.back().octets, set);
    open = 0;
  };
  std::string octets;
  for (const FlowRecord& record : records) {
    octets.clear();
    put_record(octets, record);
    const uint16_t id = template_of(record);
    const size_t room = octets.size() + (id == open ? 0 : kSetHeader);
    if (messages.empty() || messages.back().octets.size() + room > octets_max) {
      close();
      messages.push_back(begin(domain));
    }
    IpfixMessage& message = messages.back();
    if (id != open) {
      close();
      set = begin_set(message.octets, id);
      open = id;
    }
    message.octets += octets;
    ++message.data_records;
    ++message.flows;
    message.flow_octets += record.octets;
    message.flow_packets += record.packets;
  }
  close();
  for (IpfixMessage& message : messages) finish(message);
  return messages;
}

void stamp(IpfixMessage& message, uint32_t export_time_s, uint32_t sequence) {
  put_at(message.octets, 4, export_time_s, 4);
  put_at(message.octets, 8, sequence, 4);
}

}  // namespace anabranch::billing
