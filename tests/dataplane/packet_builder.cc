// SPDX-License-Identifier: BSD-3-Clause
#include "tests/dataplane/packet_builder.h"

#include <arpa/inet.h>

#include <cstdlib>
#include <string>

#include "dataplane/bytes.h"
#include "dataplane/ip_protocol.h"

namespace anabranch::dataplane {
namespace {

constexpr uint8_t kFragment = 44;

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

Bytes pseudo_header6(Uint128 source, Uint128 destination, uint8_t protocol, size_t length) {
  Bytes header(40, 0);
  store_be128(&header[0], source);
  store_be128(&header[16], destination);
  store_be32(&header[32], static_cast<uint32_t>(length));
  header[39] = protocol;
  return header;
}

// Of a packet without extension headers.
bool checksum_is_right6(const Bytes& ip) {
  const auto body = std::span(ip).subspan(40);
  return checksum_is_right(
      pseudo_header6(load_be128(&ip[8]), load_be128(&ip[24]), ip[6], body.size()) + body);
}

}  // namespace

uint32_t address(std::string_view dotted) {
  in_addr parsed{};
  if (inet_pton(AF_INET, std::string(dotted).c_str(), &parsed) != 1) std::abort();
  return ntohl(parsed.s_addr);
}

Uint128 address6(std::string_view text) {
  in6_addr parsed{};
  if (inet_pton(AF_INET6, std::string(text).c_str(), &parsed) != 1) std::abort();
  return load_be128(parsed.s6_addr);
}

bool checksum_is_right(std::span<const uint8_t> octets) {
  return ones_complement_sum(octets) == 0xffff;
}

bool checksums_are_right(const Bytes& ip) {
  if (ip[0] >> 4 == 6) return checksum_is_right6(ip);
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

PacketBuilder& PacketBuilder::from(std::string_view text) {
  is_ipv6_ = text.find(':') != std::string_view::npos;
  if (is_ipv6_) return source6_ = address6(text), *this;
  return source_ = address(text), *this;
}

PacketBuilder& PacketBuilder::to(std::string_view text) {
  is_ipv6_ = text.find(':') != std::string_view::npos;
  if (is_ipv6_) return destination6_ = address6(text), *this;
  return destination_ = address(text), *this;
}

PacketBuilder& PacketBuilder::extension(uint8_t type, const Bytes& rest) {
  extensions_.emplace_back(type, rest);
  return *this;
}

PacketBuilder& PacketBuilder::fragment(uint16_t offset_octets, bool more) {
  is_fragment_ = true;
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
  icmp_[0] = is_ipv6_ ? 128 : 8;
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

uint8_t PacketBuilder::protocol() const {
  return is_ipv6_ && protocol_ == kIcmp ? kIcmp6 : protocol_;
}

Bytes PacketBuilder::transport() const {
  const auto pseudo = [this](size_t length) {
    return is_ipv6_ ? pseudo_header6(source6_, destination6_, protocol(), length)
                    : pseudo_header(source_, destination_, protocol_, length);
  };
  if (protocol_ == kIcmp) {
    Bytes message = icmp_ + payload_;
    put_checksum(message, 2, (is_ipv6_ ? pseudo(message.size()) : Bytes{}) + message);
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
  put_checksum(message, protocol_ == kTcp ? 16 : 6, pseudo(message.size()) + message);
  return message;
}

Bytes PacketBuilder::ipv6() const {
  auto extensions = extensions_;
  if (is_fragment_) {
    const auto word = static_cast<uint16_t>((fragment_word_ & 0x1fff) * 8 |
                                            ((fragment_word_ & 0x2000) != 0 ? 1 : 0));
    Bytes rest(7, 0);
    store_be16(&rest[1], word);
    store_be16(&rest[5], identification_);
    extensions.emplace_back(kFragment, rest);
  }
  Bytes body = (fragment_word_ & 0x1fff) != 0 ? payload_ : transport();
  uint8_t next = protocol();
  for (auto e = extensions.rbegin(); e != extensions.rend(); ++e) {
    body = Bytes{next} + e->second + body;
    next = e->first;
  }
  Bytes header(40, 0);
  store_be32(&header[0], 6u << 28 | uint32_t{dscp_} << 22 | uint32_t{ecn_} << 20 | flow_label_);
  store_be16(&header[4], static_cast<uint16_t>(body.size()));
  header[6] = next;
  header[7] = ttl_;
  store_be128(&header[8], source6_);
  store_be128(&header[24], destination6_);
  return header + body;
}

Bytes PacketBuilder::ip() const {
  if (is_ipv6_) return ipv6();
  // A later fragment carries octets from the middle of a datagram, not a transport header.
  const Bytes body = (fragment_word_ & 0x1fff) != 0 ? payload_ : transport();
  Bytes header = Bytes(20, 0) + ip_options_;
  header[0] = static_cast<uint8_t>(0x40 | header.size() / 4);
  header[1] = static_cast<uint8_t>(dscp_ << 2 | ecn_);
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
  const Bytes type = !ip.empty() && ip[0] >> 4 == 6 ? Bytes{0x86, 0xdd} : Bytes{0x08, 0x00};
  return Bytes(destination.begin(), destination.end()) + source + type + ip;
}

}  // namespace anabranch::dataplane
