// SPDX-License-Identifier: BSD-3-Clause
// ICMP errors a router owes its hosts (RFC 792, RFC 1191, RFC 1812 4.3.2). An error about a packet
// that came through the tunnel goes back through the same service: it quotes the packet, and so is
// classified as its flow (parse.cc).
#include "dataplane/stages.h"

namespace anabranch::dataplane {
namespace {

constexpr uint32_t kErrorsPerSecond = 100;  // of all workers together
constexpr uint16_t kQuoteMax = 548;         // RFC 1812 4.3.2.3: as much as fits 576 octets

struct TypeAndCode {
  uint8_t type, code;
};
constexpr TypeAndCode type_and_code(IcmpError error) {
  switch (error) {
    case IcmpError::time_exceeded:
      return {11, 0};
    case IcmpError::too_big:
      return {3, 4};
    case IcmpError::prohibited:
      return {3, 13};
  }
  return {3, 13};
}

// RFC 1812 4.3.2.7: never about an ICMP error, a later fragment, or a packet without a single
// sender.
bool may_answer(const PathTable& paths, const uint8_t* ip, const PacketView& view) {
  if (paths.lan_address == 0) return false;
  const uint32_t source = load_be32(ip + 12);
  const uint32_t destination = load_be32(ip + 16);
  const bool later_fragment = (load_be16(ip + 6) & 0x1fff) != 0;
  const bool single_sender =
      source != 0 && source >> 28 != 0xe && source >> 24 != 127 && source != UINT32_MAX;
  const bool single_target = destination >> 28 != 0xe && destination != UINT32_MAX;
  if (later_fragment || !single_sender || !single_target) return false;
  if (ip[9] != 1) return true;
  const uint8_t type = view.total_length > view.header_length ? ip[view.header_length] : 3;
  return type == 0 || type == 8 || type >= 13;
}

bool take_token(Context& context, uint64_t now) {
  if (now - context.icmp_tokens_at >= context.options.tsc_hz) {
    context.icmp_tokens_at = now;
    context.icmp_tokens = kErrorsPerSecond / context.workers();
  }
  if (context.icmp_tokens == 0) return false;
  --context.icmp_tokens;
  return true;
}

void write_error(uint8_t* ip, uint16_t length, uint32_t source, uint32_t destination,
                 IcmpError error, uint16_t mtu) {
  ip[0] = 0x45;
  ip[1] = 0xc0;  // RFC 1812 4.3.2.5: internetwork control
  store_be16(ip + 2, length);
  ip[8] = 65;  // one is taken off as of packets that are forwarded
  ip[9] = 1;
  store_be32(ip + 12, source);
  store_be32(ip + 16, destination);
  store_be16(ip + 10, internet_checksum({ip, 20}));
  uint8_t* icmp = ip + 20;
  icmp[0] = type_and_code(error).type;
  icmp[1] = type_and_code(error).code;
  store_be16(icmp + 6, mtu);
  store_be16(icmp + 2, internet_checksum({icmp, static_cast<size_t>(length - 20)}));
}

rte_mbuf* make_icmp(Context& context, const uint8_t* about, const PacketView& view, IcmpError error,
                    uint16_t mtu) {
  rte_mbuf* answer = rte_pktmbuf_alloc(context.options.pool);
  if (answer == nullptr) return nullptr;
  const uint16_t quoted = std::min(view.total_length, kQuoteMax);
  const auto length = static_cast<uint16_t>(28 + quoted);
  auto* ip = reinterpret_cast<uint8_t*>(rte_pktmbuf_append(answer, length));
  std::memset(ip, 0, 28);
  std::memcpy(ip + 28, about, quoted);
  write_error(ip, length, context.paths->lan_address, load_be32(about + 12), error, mtu);
  return answer;
}

}  // namespace

void answer_icmp(Context& context, rte_mbuf* packet, const PacketView& view, IcmpError error,
                 uint16_t mtu, bool to_lan, uint64_t now) {
  const uint8_t* about = octets(packet);
  const PathTable& paths = *context.paths;
  const bool ipv6 = view.result == Parsed::ipv6;
  if (!(ipv6 ? may_answer_icmp6(paths, about, view) : may_answer(paths, about, view))) return;
  if (!take_token(context, now)) {
    context.counters.made.add(1);
    return context.counters.drop(Drop::icmp_limited);
  }
  rte_mbuf* answer = ipv6 ? make_icmp6(context, about, view, error, mtu)
                          : make_icmp(context, about, view, error, mtu);
  if (answer == nullptr) return;
  context.counters.made.add(1);
  if (to_lan) {
    deliver(context, answer, now);
  } else {
    const PacketView answer_view = parse_ip(contents(answer));
    segment_burst(context, {&answer, 1}, {&answer_view, 1}, now);
  }
}

}  // namespace anabranch::dataplane
