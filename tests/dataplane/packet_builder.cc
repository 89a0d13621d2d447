// SPDX-License-Identifier: BSD-3-Clause
#include "tests/dataplane/packet_builder.h"

#include <arpa/inet.h>

#include <cstdlib>
#include <string>

#include "dataplane/bytes.h"

namespace anabranch::dataplane {
namespace {

constexpr uint8_t kIcmp = 1, kTcp = 6, kUdp = 17;

uint16_t ones_complement_sum(std::span<const uint8_t> octets) {
  uint64_t sum = 0;
  for (size_t i = 0; i < octets.size(); ++i) {
    sum += i % 2 == 0 ? uint64_t{octets[i]} * 256 : octets[i];
  }
  return static_cast<uint16_t>(sum == 0 ? 0 : (sum - 1) % 65535 + 1);
}

void put_checksum(Bytes& octets, size_t at, std::span<const uint8_t> covered) {
  store_be16(&octets[at], static_cast<uint16_t>(~ones_complement_sum(covered)));
}

Bytes pseudo_header(uint32_t source, uint32_t destination, uint8_t protocol, size_t length) {
  Bytes header(12, 0);
  store_be32(&header[0], source);
  store_be32(&header[4], destination);
  header[9] = protocol;
  store_be16(&header[10], static_cast<uint16_t>(length));
  return header;
}

}  // namespace

uint32_t address(std::string_view dotted) {
  in_addr parsed{};
  if (inet_pton(AF_INET, std::string(dotted).c_str(), &parsed) != 1) std::abort();
  return ntohl(parsed.s_addr);
}

bool checksum_is_right(std::span<const uint8_t> octets) {
  return ones_complement_sum(octets) == 0xffff;
}

bool checksums_are_right(const Bytes& ip) {
  const size_t header = (ip[0] & 0x0f) * 4u;
  if (!checksum_is_right(std::span(ip).first(header))) return false;
  const auto body = std::span(ip).subspan(header);
  if (ip[9] == kIcmp) return checksum_is_right(body);
  return checksum_is_right(
      pseudo_header(load_be32(&ip[12]), load_be32(&ip[16]), ip[9], body.size()) + body);
}

Bytes operator+(Bytes head, std::span<const uint8_t> tail) {
  head.insert(head.end(), tail.begin(), tail.end());
  return head;
}

PacketBuilder& PacketBuilder::fragment(uint16_t offset_octets, bool more) {
  fragment_word_ = static_cast<uint16_t>(offset_octets / 8 | (more ? 0x2000 : 0));
  return *this;
}

PacketBuilder& PacketBuilder::tcp(uint16_t source_port, uint16_t destination_port) {
  protocol_ = kTcp;
  source_port_ = source_port;
  destination_port_ = destination_port;
  return *this;
}

PacketBuilder& PacketBuilder::udp(uint16_t source_port, uint16_t destination_port) {
  tcp(source_port, destination_port);
  protocol_ = kUdp;
  return *this;
}

PacketBuilder& PacketBuilder::echo_request(uint16_t identifier, uint16_t sequence) {
  protocol_ = kIcmp;
  icmp_.assign(8, 0);
  icmp_[0] = 8;
  store_be16(&icmp_[4], identifier);
  store_be16(&icmp_[6], sequence);
  return *this;
}

PacketBuilder& PacketBuilder::icmp_error(uint8_t type, uint8_t code, const Bytes& quoted) {
  protocol_ = kIcmp;
  icmp_ = Bytes{type, code, 0, 0, 0, 0, 0, 0} + quoted;
  return *this;
}

PacketBuilder& PacketBuilder::payload(size_t size, uint32_t seed) {
  payload_.resize(size);
  uint32_t x = seed * 2654435761u + 12345;
  for (uint8_t& octet : payload_) {
    x = x * 1664525 + 1013904223;
    octet = static_cast<uint8_t>(x >> 24);
  }
  return *this;
}

Bytes PacketBuilder::transport() const {
  if (protocol_ == kIcmp) {
    Bytes message = icmp_ + payload_;
    put_checksum(message, 2, message);
    return message;
  }
  Bytes message(protocol_ == kTcp ? 20 : 8, 0);
  store_be16(&message[0], source_port_);
  store_be16(&message[2], destination_port_);
  if (protocol_ == kTcp) {
    message[12] = static_cast<uint8_t>((20 + tcp_options_.size()) / 4 << 4);
    message[13] = tcp_flags_;
    message = message + tcp_options_;
  } else {
    store_be16(&message[4], static_cast<uint16_t>(8 + payload_.size()));
  }
  message = message + payload_;
  put_checksum(message, protocol_ == kTcp ? 16 : 6,
               pseudo_header(source_, destination_, protocol_, message.size()) + message);
  return message;
}

Bytes PacketBuilder::ip() const {
  // A later fragment carries octets from the middle of a datagram, not a transport header.
  const Bytes body = (fragment_word_ & 0x1fff) != 0 ? payload_ : transport();
  Bytes header = Bytes(20, 0) + ip_options_;
  header[0] = static_cast<uint8_t>(0x40 | header.size() / 4);
  header[1] = static_cast<uint8_t>(dscp_ << 2);
  store_be16(&header[2], static_cast<uint16_t>(header.size() + body.size()));
  store_be16(&header[4], identification_);
  store_be16(&header[6], fragment_word_);
  header[8] = ttl_;
  header[9] = protocol_;
  store_be32(&header[12], source_);
  store_be32(&header[16], destination_);
  put_checksum(header, 10, header);
  return header + body;
}

Bytes PacketBuilder::frame(const Mac& destination, const Mac& source) const {
  return frame_of(ip(), destination, source);
}

Bytes frame_of(const Bytes& ip, const Mac& destination, const Mac& source) {
  return Bytes(destination.begin(), destination.end()) + source + Bytes{0x08, 0x00} + ip;
}

}  // namespace anabranch::dataplane
