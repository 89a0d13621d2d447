// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/paths.h"

#include <algorithm>
#include <cstring>

#include "dataplane/parse.h"

namespace anabranch::dataplane {
namespace {

constexpr uint8_t kHopLimit = 64;
constexpr size_t kChecksum6 = kIpv6Header + 6;

void write_ipv4(uint8_t* ip, const Path& path) {
  ip[0] = 0x45;
  // Never fragmented on the way: it would be lost on every carrier-grade NAT.
  store_be16(ip + 6, 0x4000);
  ip[8] = kHopLimit;
  ip[9] = kUdp;
  store_be32(ip + 12, static_cast<uint32_t>(path.local));
}

void write_ipv6(uint8_t* ip, const Path& path) {
  ip[0] = 0x60;
  ip[6] = kUdp;
  ip[7] = kHopLimit;
  store_be128(ip + kSource6, path.local);
}

}  // namespace

void make_header(Path& path, const Mac& source, const Mac& next_hop, uint16_t udp_port) {
  path.link_header = kEthernetHeader + (path.vlan == 0 ? 0 : kVlanTag);
  path.outer_ip = path.is_ipv6() ? kOuterIp6 : kOuterIp;
  path.header.fill(0);
  uint8_t* p = path.header.data();
  std::memcpy(p, next_hop.data(), next_hop.size());
  std::memcpy(p + 6, source.data(), source.size());
  if (path.vlan != 0) {
    store_be16(p + 12, kEtherTypeVlan);
    store_be16(p + 14, path.vlan);
  }
  uint8_t* ip = p + path.link_header;
  store_be16(ip - 2, path.is_ipv6() ? kEtherTypeIpv6 : kEtherTypeIpv4);
  if (path.is_ipv6()) {
    write_ipv6(ip, path);
  } else {
    write_ipv4(ip, path);
  }
  store_be16(ip + path.outer_ip - kUdpHeader, udp_port);
  redirect(path, path.remote);
}

void redirect(Path& path, const Endpoint& remote) {
  path.remote = remote;
  uint8_t* ip = path.header.data() + path.link_header;
  store_be16(ip + path.outer_ip - kUdpHeader + 2, remote.port);
  if (path.is_ipv6()) return store_be128(ip + kDestination6, remote.address);
  store_be32(ip + 16, static_cast<uint32_t>(remote.address));
  store_be16(ip + 10, 0);
  store_be16(ip + 10, internet_checksum({ip, 20}));
}

void finish_header(uint8_t* ip, uint16_t ip_length) {
  if (!is_ipv6(ip)) return finish_header4(ip, ip_length);
  const auto udp_length = static_cast<uint16_t>(ip_length - kIpv6Header);
  store_be16(ip + 4, udp_length);
  store_be16(ip + kIpv6Header + 4, udp_length);
}

void finish_checksum6(uint8_t* ip, uint16_t ip_length) {
  store_be16(ip + kChecksum6, 0);
  // The pseudo-header (RFC 8200 8.1): addresses, length and protocol.
  const uint32_t rest = uint32_t{ip_length} - kIpv6Header + kUdp;
  const uint16_t sum = internet_checksum({ip + kSource6, ip_length - kSource6}, rest);
  store_be16(ip + kChecksum6, sum == 0 ? 0xffff : sum);  // 0 would be none
}

}  // namespace anabranch::dataplane
