// SPDX-License-Identifier: BSD-3-Clause
#include "control/addresses.h"

#include <arpa/inet.h>

#include <charconv>
#include <cstring>

namespace anabranch::control {
namespace {

constexpr uint8_t kMapped = 96;  // bits before an IPv4 address

template <typename T>
std::optional<T> parse_number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

template <typename Address>
bool read(int family, std::string_view text, Address& address) {
  // inet_pton would read up to a NUL and take what is before it.
  return text.find('\0') == std::string_view::npos &&
         inet_pton(family, std::string(text).c_str(), &address) == 1;
}

}  // namespace

bool Prefix::contains(Ip ip) const {
  return ip.is_ipv4() == is_ipv4() && ((ip.value ^ address.value) & mask()) == 0;
}

dataplane::Address Prefix::mask() const {
  return dataplane::mask_of<dataplane::Address>(
      static_cast<uint8_t>(is_ipv4() ? kMapped + length : length));
}

std::optional<Ip> parse_ipv4(std::string_view text) {
  in_addr address{};
  if (!read(AF_INET, text, address)) return std::nullopt;
  return ip_of_ipv4(&address);
}

std::optional<Ip> parse_ipv6(std::string_view text) {
  in6_addr address{};
  if (!read(AF_INET6, text, address)) return std::nullopt;
  const Ip ip = ip_of_ipv6(&address);
  if (ip.is_ipv4()) return std::nullopt;
  return ip;
}

std::optional<Ip> parse_ip(std::string_view text) {
  const auto ipv4 = parse_ipv4(text);
  return ipv4 ? ipv4 : parse_ipv6(text);
}

std::optional<Prefix> parse_prefix(std::string_view text) {
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto address = parse_ip(text.substr(0, slash));
  const auto length = parse_number<uint8_t>(text.substr(slash + 1));
  if (!address || !length || *length > (address->is_ipv4() ? 32 : 128)) return std::nullopt;
  const Prefix prefix{*address, *length};
  if ((prefix.address.value & ~prefix.mask()) != 0) return std::nullopt;
  return prefix;
}

std::optional<Endpoint> parse_endpoint(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  const auto address = bracketed ? parse_ipv6(host.substr(1, host.size() - 2)) : parse_ipv4(host);
  const auto port = parse_number<uint16_t>(text.substr(colon + 1));
  if (!address || !port || *port == 0) return std::nullopt;
  return Endpoint{*address, *port};
}

std::string to_string(Ip a) {
  const Octets octets = octets_of(a);
  char text[INET6_ADDRSTRLEN] = {};
  inet_ntop(a.is_ipv4() ? AF_INET : AF_INET6, octets.octets.data(), text, sizeof text);
  return text;
}
std::string to_string(const Prefix& p) {
  return to_string(p.address) + "/" + std::to_string(p.length);
}
std::string to_string(const Endpoint& e) {
  const std::string host = to_string(e.address);
  return (e.address.is_ipv4() ? host : "[" + host + "]") + ":" + std::to_string(e.port);
}

Octets octets_of(Ip address) {
  Octets result{.count = static_cast<uint8_t>(address.is_ipv4() ? 4 : 16)};
  if (address.is_ipv4()) {
    dataplane::store_be32(result.octets.data(), address.ipv4());
  } else {
    dataplane::store_be128(result.octets.data(), address.value);
  }
  return result;
}
Ip ip_of_ipv4(const void* octets) {
  return Ip::v4(dataplane::load_be32(static_cast<const uint8_t*>(octets)));
}
Ip ip_of_ipv6(const void* octets) {
  return {dataplane::load_be128(static_cast<const uint8_t*>(octets))};
}

}  // namespace anabranch::control
