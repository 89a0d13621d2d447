// SPDX-License-Identifier: BSD-3-Clause
// Addresses of either family, prefixes and endpoints, as people write them.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "dataplane/address.h"

namespace anabranch::control {

struct Ip {
  dataplane::Address value = 0;  // 0: none

  static constexpr Ip v4(uint32_t value) { return {dataplane::address_of(value)}; }
  constexpr bool is_given() const { return value != 0; }
  constexpr bool is_ipv4() const { return dataplane::is_ipv4(value); }
  constexpr uint32_t ipv4() const { return static_cast<uint32_t>(value); }
  bool is_loopback() const { return is_ipv4() ? ipv4() >> 24 == 127 : value == 1; }
  bool is_link_local() const { return value >> 118 == 0xfe80 >> 6; }
  auto operator<=>(const Ip&) const = default;
};

struct Prefix {
  Ip address;
  uint8_t length = 0;  // of the address as it is written: at most 32 of IPv4
  bool is_ipv4() const { return address.is_ipv4(); }
  // Of its family only.
  bool contains(Ip ip) const;
  bool contains(const Prefix& other) const {
    return other.length >= length && contains(other.address);
  }
  dataplane::Address mask() const;
  auto operator<=>(const Prefix&) const = default;
};

struct Endpoint {
  Ip address;
  uint16_t port = 0;
  auto operator<=>(const Endpoint&) const = default;
};

std::optional<Ip> parse_ipv4(std::string_view text);
// IPv4 written as IPv6 is none.
std::optional<Ip> parse_ipv6(std::string_view text);
std::optional<Ip> parse_ip(std::string_view text);
// "10.10.0.0/24", "2001:db8:1::/48"; host bits must be zero.
std::optional<Prefix> parse_prefix(std::string_view text);
// "10.10.0.1:8080", "[2001:db8::1]:8080"
std::optional<Endpoint> parse_endpoint(std::string_view text);
std::string to_string(Ip address);
std::string to_string(const Prefix& prefix);
std::string to_string(const Endpoint& endpoint);

// As the kernel has them: 4 or 16 octets in network order.
struct Octets {
  std::array<uint8_t, 16> octets{};
  uint8_t count = 0;
};
Octets octets_of(Ip address);
Ip ip_of_ipv4(const void* octets);
Ip ip_of_ipv6(const void* octets);

}  // namespace anabranch::control
