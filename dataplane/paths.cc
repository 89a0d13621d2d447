// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/paths.h"

#include <algorithm>
#include <cstring>

#include "dataplane/parse.h"

namespace anabranch::dataplane {

void make_header(Path& path, const Mac& source, const Mac& next_hop, uint16_t udp_port) {
  uint8_t* p = path.header.data();
  std::fill(path.header.begin(), path.header.end(), uint8_t{0});
  std::memcpy(p, next_hop.data(), next_hop.size());
  std::memcpy(p + 6, source.data(), source.size());
  store_be16(p + 12, 0x0800);
  uint8_t* ip = p + kEthernetHeader;
  ip[0] = 0x45;
  store_be16(ip + 6,
             0x4000);  // never fragmented on the way: it would be lost on every carrier-grade NAT
  ip[8] = 64;
  ip[9] = 17;
  store_be32(ip + 12, path.local);
  store_be16(ip + 20, udp_port);
  // UDP checksum 0, not used: the tag covers what matters (RFC 768; as RFC 6935 argues for
  // tunnels).
  redirect(path, path.remote, path.remote_port);
}

void redirect(Path& path, uint32_t remote, uint16_t remote_port) {
  path.remote = remote;
  path.remote_port = remote_port;
  uint8_t* ip = path.header.data() + kEthernetHeader;
  store_be32(ip + 16, remote);
  store_be16(ip + 22, remote_port);
  store_be16(ip + 10, 0);
  store_be16(ip + 10, internet_checksum({ip, 20}));
}

void finish_header(uint8_t* frame, uint16_t ip_length) {
  uint8_t* ip = frame + kEthernetHeader;
  store_be16(ip + 2, ip_length);
  // The template's checksum was made with the length 0 (RFC 1624).
  uint32_t sum = static_cast<uint16_t>(~load_be16(ip + 10)) + uint32_t{ip_length};
  sum = (sum & 0xffff) + (sum >> 16);
  store_be16(ip + 10, static_cast<uint16_t>(~sum));
  store_be16(ip + 24, static_cast<uint16_t>(ip_length - 20));
}

}  // namespace anabranch::dataplane
