// SPDX-License-Identifier: BSD-3-Clause
// ICMPv6 errors (RFC 4443): what icmp.cc is for IPv4.
#include "dataplane/stages.h"

namespace anabranch::dataplane {
namespace {

constexpr uint8_t kInformational = 128, kRedirect = 137;
constexpr uint16_t kErrorMax = 1280;  // RFC 4443 2.4 (c): as much as fits the least MTU
constexpr uint16_t kHeaders = kIpv6Header + 8;

struct TypeAndCode6 {
  uint8_t type, code;
};
constexpr TypeAndCode6 type_and_code6(IcmpError error) {
  switch (error) {
    case IcmpError::time_exceeded:
      return {3, 0};
    case IcmpError::too_big:
      return {2, 0};
    case IcmpError::prohibited:
      return {1, 1};
  }
  return {1, 1};
}

// RFC 8200 8.1.
uint16_t checksum_of(const uint8_t* ip, std::span<const uint8_t> message) {
  uint32_t sum = static_cast<uint32_t>(message.size()) + kIcmp6;
  for (size_t i = kSource6; i < kIpv6Header; i += 2) sum += load_be16(ip + i);
  return internet_checksum(message, sum);
}

}  // namespace

// RFC 4443 2.4 (e). "Too big" may be said about multicast, but none is forwarded here.
bool may_answer_icmp6(const PathTable& paths, const uint8_t* ip, const PacketView& view) {
  const uint8_t source = ip[kSource6], destination = ip[kDestination6];
  if (paths.lan_address6 == 0 || source == 0xff || destination == 0xff ||
      load_be128(ip + kSource6) == 0 || view.quoted != 0) {
    return false;
  }
  if (view.key.protocol != kIcmp6) return true;
  // A fragment's header is the last before the transport's.
  const bool begins = !view.fragment || load_be16(ip + view.header_length - 6) < 8;
  const bool type_is_known = begins && view.total_length > view.header_length;
  const uint8_t type = type_is_known ? ip[view.header_length] : uint8_t{0};
  return type >= kInformational && type != kRedirect;
}

rte_mbuf* make_icmp6(Context& context, const uint8_t* about, const PacketView& view,
                     IcmpError error, uint16_t mtu) {
  rte_mbuf* answer = rte_pktmbuf_alloc(context.options.pool);
  if (answer == nullptr) return nullptr;
  const auto quoted = std::min<uint16_t>(view.total_length, kErrorMax - kHeaders);
  auto* ip = reinterpret_cast<uint8_t*>(
      rte_pktmbuf_append(answer, static_cast<uint16_t>(kHeaders + quoted)));
  std::memset(ip, 0, kHeaders);
  std::memcpy(ip + kHeaders, about, quoted);
  ip[0] = 0x60;
  store_be16(ip + 4, static_cast<uint16_t>(8 + quoted));
  ip[6] = kIcmp6;
  ip[7] = 65;  // one is taken off as of packets that are forwarded
  store_be128(ip + kSource6, context.paths->lan_address6);
  std::memcpy(ip + kDestination6, about + kSource6, sizeof(Uint128));
  uint8_t* message = ip + kIpv6Header;
  message[0] = type_and_code6(error).type;
  message[1] = type_and_code6(error).code;
  store_be16(message + 6, mtu);
  store_be16(message + 2, checksum_of(ip, {message, size_t{8} + quoted}));
  return answer;
}

}  // namespace anabranch::dataplane
