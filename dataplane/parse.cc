// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/parse.h"

#include <cstring>

#include "dataplane/bounds.h"
#include "dataplane/bytes.h"

namespace anabranch::dataplane {
namespace {

// Of a header without options, as almost all are: it is only asked whether the sum is right, so
// octets need not be swapped (RFC 1071 2).
bool is_right_checksum(std::span<const uint8_t> header) {
  if (header.size() != 20) return internet_checksum(header) == 0;
  uint32_t words[5];
  std::memcpy(words, header.data(), sizeof words);
  uint64_t sum = uint64_t{words[0]} + words[1] + words[2] + words[3] + words[4];
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return sum == 0xffff;
}

bool is_icmp_error(uint8_t type) {
  return type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
}

void parse_ports(std::span<const uint8_t> payload, FlowKey& key) {
  key.source_port = load_be16(payload.data());
  key.destination_port = load_be16(payload.data() + 2);
}

// The quoted packet was going the other way: its destination is our source.
void parse_quoted(std::span<const uint8_t> quoted, FlowKey& key) {
  if (quoted.size() < 20 || quoted[0] >> 4 != 4) return;
  const size_t header = (quoted[0] & 0x0f) * 4u;
  key.protocol = quoted[9];
  key.source = load_be32(&quoted[16]);
  key.destination = load_be32(&quoted[12]);
  const bool fragment = (load_be16(&quoted[6]) & 0x3fff) != 0;
  if (fragment || header < 20 || quoted.size() < header + 8) return;
  const auto payload = quoted.subspan(header);
  if (key.protocol == kTcp || key.protocol == kUdp) {
    key.source_port = load_be16(&payload[2]);
    key.destination_port = load_be16(&payload[0]);
  } else if (key.protocol == kIcmp) {
    key.source_port = load_be16(&payload[4]);
  }
}

void parse_icmp(std::span<const uint8_t> message, PacketView& view) {
  if (is_icmp_error(message[0])) {
    view.quoted = static_cast<uint16_t>(view.header_length + 8);
    parse_quoted(message.subspan(8), view.key);
  } else {
    view.key.source_port = load_be16(&message[4]);
  }
}

}  // namespace

PacketView parse_frame(std::span<const uint8_t> frame, Checksum checksum) {
  PacketView view;
  if (frame.size() < kEthernetHeader) return view;
  const uint16_t type = load_be16(&frame[12]);
  if (type == kEtherTypeIpv4) return parse_ipv4(frame.subspan(kEthernetHeader), checksum);
  if (type == kEtherTypeIpv6) return parse_ipv6(frame.subspan(kEthernetHeader));
  view.result = Parsed::other;
  return view;
}

PacketView parse_ip(std::span<const uint8_t> packet) {
  return !packet.empty() && is_ipv6(packet.data()) ? parse_ipv6(packet) : parse_ipv4(packet);
}

PacketView parse_ipv4(std::span<const uint8_t> packet, Checksum checksum) {
  PacketView view;
  if (packet.size() < 20 || packet[0] >> 4 != 4) return view;
  view.header_length = static_cast<uint16_t>((packet[0] & 0x0f) * 4);
  view.total_length = load_be16(&packet[2]);
  if (view.header_length < 20 || view.total_length < view.header_length ||
      view.total_length > packet.size()) {
    return view;
  }
  if (checksum == Checksum::unverified && !is_right_checksum(packet.first(view.header_length))) {
    view.drop = Drop::bad_checksum;
    return view;
  }
  const uint16_t fragment_word = load_be16(&packet[6]);
  view.dont_fragment = (fragment_word & 0x4000) != 0;
  view.fragment = (fragment_word & 0x3fff) != 0;
  view.ttl = packet[8];
  view.key.protocol = packet[9];
  view.key.dscp = packet[1] >> 2;
  view.key.source = load_be32(&packet[12]);
  view.key.destination = load_be32(&packet[16]);
  view.result = Parsed::ipv4;

  const auto payload = packet.first(view.total_length).subspan(view.header_length);
  if (view.fragment || payload.size() < 8) return view;
  if (view.key.protocol == kTcp || view.key.protocol == kUdp) parse_ports(payload, view.key);
  if (view.key.protocol == kIcmp) parse_icmp(payload, view);
  return view;
}

uint16_t internet_checksum(std::span<const uint8_t> bytes, uint32_t initial) {
  const uint8_t* p = bytes.data();
  size_t left = bytes.size();
  uint64_t sum = initial;
  // Two words at a time: what is carried out of the lower comes back when the sum is folded.
  for (; left >= 4; left -= 4, p += 4) sum += load_be32(p);
  if (left >= 2) sum += load_be16(p);
  if (left % 2 != 0) sum += static_cast<uint32_t>(p[left - 1]) << 8;
  // How often it has to be folded depends on the packet; a branch on that is often mispredicted.
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

void add_ecn(uint8_t* ip, uint8_t ecn) {
  if (is_ipv6(ip)) {
    ip[1] = static_cast<uint8_t>(ip[1] | ecn << 4);
    return;
  }
  const uint16_t before = load_be16(ip);
  ip[1] |= ecn;
  store_be16(ip + 10, adjust_checksum(load_be16(ip + 10), before, load_be16(ip)));
}

bool mark_congestion(uint8_t* ip) {
  if (ecn_in(ip) == 0) return false;
  add_ecn(ip, kEcnMask);
  return true;
}

void decrement_ttl(uint8_t* ip) {
  if (is_ipv6(ip)) {
    ip[7] = static_cast<uint8_t>(ip[7] - 1);
    return;
  }
  ip[8] = static_cast<uint8_t>(ip[8] - 1);
  // RFC 1141 2, and as RFC 1624 has it: never 0xffff, which stands for 0.
  const uint32_t sum = load_be16(ip + 10) + 0x0100u;
  store_be16(ip + 10, static_cast<uint16_t>(sum + (sum >= 0xffff)));
}

}  // namespace anabranch::dataplane
