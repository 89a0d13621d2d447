// SPDX-License-Identifier: BSD-3-Clause
#include "tests/simulation/oracle.h"

#include <fmt/format.h>

#include "dataplane/bytes.h"
#include "dataplane/parse.h"

namespace anabranch::simulation {
namespace {

constexpr uint16_t kFarPort = 7000;
constexpr size_t kComplaintsMax = 10;
constexpr uint16_t kPayloadMax6 = 1220;  // with TCP in 1280 octets, which are always carried

}  // namespace

Bytes Oracle::make(const FlowId& id, uint32_t number, uint16_t size, uint8_t ttl) const {
  auto builder = dataplane::packet();
  if (id.is_ipv6()) {
    const char *here = "2001:db8:1::2", *there = "2001:db8:2::2";
    builder.from(up_ ? here : there).to(up_ ? there : here);
    size = std::min(size, kPayloadMax6);
  } else {
    builder.from(up_ ? "10.10.0.2" : "10.20.0.2").to(up_ ? "10.20.0.2" : "10.10.0.2");
  }
  const auto low = static_cast<uint16_t>(number);
  builder.ttl(ttl).dscp(id.dscp()).identification(low).flow_label(low);
  id.protocol == 6 ? builder.tcp(id.port, kFarPort) : builder.udp(id.port, kFarPort);
  return builder.payload(size, number).ip();
}

Bytes Oracle::send(const FlowId& id, uint16_t size, uint32_t& number) {
  Flow& flow = flows_[id];
  number = flow.next++;
  flow.missing[number] = size;
  ++sent_;
  return make(id, number, size, 64);
}

void Oracle::complain(const FlowId& id, uint32_t number, const char* what) {
  if (complaints_.size() < kComplaintsMax)
    complaints_.push_back(fmt::format("{}: packet {} of flow {}/{} {}", up_ ? "up" : "down", number,
                                      id.protocol, id.port, what));
}

bool Oracle::receive(const Bytes& ip, FlowId& id, uint32_t& number) {
  const auto view = dataplane::parse_ip(ip);
  id = {view.key.protocol, view.key.source_port};
  const auto found = flows_.find(id);
  if (view.result == dataplane::Parsed::invalid || found == flows_.end()) {
    complain(id, 0, "was never sent");
    return false;
  }
  Flow& flow = found->second;
  // The 16 bits of it that the packet carries, nearest to what came last.
  const uint16_t low = dataplane::load_be16(&ip[id.is_ipv6() ? 2 : 4]);
  number = flow.last +
           static_cast<uint32_t>(static_cast<int16_t>(low - static_cast<uint16_t>(flow.last)));
  const auto missing = flow.missing.find(number);
  if (missing == flow.missing.end()) {
    complain(id, number, number < flow.next ? "came out twice" : "was never sent");
    return false;
  }
  if (ip != make(id, number, missing->second, 62)) complain(id, number, "was changed on the way");
  flow.missing.erase(missing);
  ++received_;
  if (number < flow.last) {
    ++out_of_order_;
  } else {
    flow.last = number + 1;
  }
  return true;
}

}  // namespace anabranch::simulation
