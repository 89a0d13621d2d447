// SPDX-License-Identifier: BSD-3-Clause
#include <arpa/inet.h>

#include <charconv>

#include "control/config.h"

namespace anabranch::control {
namespace {

template <typename T>
std::optional<T> parse_number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

std::optional<Ipv4> parse_ipv4(std::string_view text) {
  in_addr address{};
  // inet_pton would read up to a NUL and take what is before it.
  if (text.find('\0') != std::string_view::npos) return std::nullopt;
  if (inet_pton(AF_INET, std::string(text).c_str(), &address) != 1) return std::nullopt;
  return Ipv4{ntohl(address.s_addr)};
}

std::optional<Prefix> parse_prefix(std::string_view text) {
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto address = parse_ipv4(text.substr(0, slash));
  const auto length = parse_number<uint8_t>(text.substr(slash + 1));
  if (!address || !length || *length > 32) return std::nullopt;
  const Prefix prefix{*address, *length};
  const uint32_t host_bits = *length == 32 ? 0 : UINT32_MAX >> *length;
  if ((prefix.address.value & host_bits) != 0) return std::nullopt;
  return prefix;
}

std::optional<Endpoint> parse_endpoint(std::string_view text) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto address = parse_ipv4(text.substr(0, colon));
  const auto port = parse_number<uint16_t>(text.substr(colon + 1));
  if (!address || !port || *port == 0) return std::nullopt;
  return Endpoint{*address, *port};
}

std::string to_string(Ipv4 a) {
  return std::to_string(a.value >> 24) + "." + std::to_string(a.value >> 16 & 255) + "." +
         std::to_string(a.value >> 8 & 255) + "." + std::to_string(a.value & 255);
}
std::string to_string(const Prefix& p) {
  return to_string(p.address) + "/" + std::to_string(p.length);
}
std::string to_string(const Endpoint& e) {
  return to_string(e.address) + ":" + std::to_string(e.port);
}

}  // namespace anabranch::control
