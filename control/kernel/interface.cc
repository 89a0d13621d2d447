// SPDX-License-Identifier: BSD-3-Clause
#include "control/kernel/interface.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstring>
#include <memory>

namespace anabranch::control {
namespace {

// One ioctl on an interface, by a socket of its own.
class Request {
 public:
  explicit Request(const std::string& name) : fd_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    std::strncpy(ifr.ifr_name, name.c_str(), IFNAMSIZ - 1);
  }
  ~Request() { close(fd_); }
  bool run(unsigned long code) { return ioctl(fd_, code, &ifr) == 0; }
  ifreq ifr{};

 private:
  int fd_;
};

tl::unexpected<std::string> wrong(const std::string& name, const std::string& what) {
  return tl::unexpected("interface " + name + " " + what);
}

void take_address(const ifaddrs& a, InterfaceFacts& facts) {
  if (facts.address.is_given()) return;
  const auto ip = [](const sockaddr* of) {
    return ip_of_ipv4(&reinterpret_cast<const sockaddr_in*>(of)->sin_addr);
  };
  facts.address = ip(a.ifa_addr);
  const uint32_t mask = ip(a.ifa_netmask).ipv4();
  facts.network = {Ip::v4(facts.address.ipv4() & mask), static_cast<uint8_t>(std::popcount(mask))};
}

void take_address6(const ifaddrs& a, InterfaceFacts& facts) {
  const auto ip = [](const sockaddr* of) {
    return ip_of_ipv6(&reinterpret_cast<const sockaddr_in6*>(of)->sin6_addr);
  };
  const Ip address = ip(a.ifa_addr);
  if (facts.address6.is_given() || address.is_link_local()) return;
  facts.address6 = address;
  const dataplane::Address mask = ip(a.ifa_netmask).value;
  facts.network6 = {{address.value & mask},
                    static_cast<uint8_t>(std::popcount(static_cast<uint64_t>(mask >> 64)) +
                                         std::popcount(static_cast<uint64_t>(mask)))};
}

bool find_addresses(const std::string& name, InterfaceFacts& facts) {
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return false;
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owner(list, freeifaddrs);
  for (const ifaddrs* a = list; a != nullptr; a = a->ifa_next) {
    if (name != a->ifa_name || a->ifa_addr == nullptr) continue;
    if (a->ifa_addr->sa_family == AF_INET) take_address(*a, facts);
    if (a->ifa_addr->sa_family == AF_INET6) take_address6(*a, facts);
  }
  return facts.address.is_given() || facts.address6.is_given();
}

}  // namespace

tl::expected<InterfaceFacts, std::string> interface_facts(const std::string& name,
                                                          uint16_t mtu_max) {
  InterfaceFacts facts;
  facts.index = static_cast<int>(if_nametoindex(name.c_str()));
  if (facts.index == 0) return wrong(name, "does not exist in this network namespace");
  Request flags(name), hardware(name), mtu(name);
  if (!flags.run(SIOCGIFFLAGS) || !hardware.run(SIOCGIFHWADDR) || !mtu.run(SIOCGIFMTU)) {
    return wrong(name, std::string("cannot be asked: ") + std::strerror(errno));
  }
  if ((flags.ifr.ifr_flags & IFF_UP) == 0)
    return wrong(name, "is down; set it up first (ip link set " + name + " up)");
  if (hardware.ifr.ifr_hwaddr.sa_family != ARPHRD_ETHER)
    return wrong(name, "is no Ethernet interface");
  std::memcpy(facts.mac.data(), hardware.ifr.ifr_hwaddr.sa_data, facts.mac.size());
  if (mtu.ifr.ifr_mtu > mtu_max || mtu.ifr.ifr_mtu < dataplane::kMtuMin) {
    const std::string most = std::to_string(mtu_max);
    return wrong(name, "has an MTU of " + std::to_string(mtu.ifr.ifr_mtu) + "; expected 576 to " +
                           most + " (ip link set " + name + " mtu " + most +
                           ", or for more dataplane.mtu_max)");
  }
  facts.mtu = static_cast<uint16_t>(mtu.ifr.ifr_mtu);
  if (!find_addresses(name, facts))
    return wrong(name, "has no address (ip address add … dev " + name + ")");
  return facts;
}

tl::expected<void, std::string> forbid_merging(const std::string& name) {
  Request request(name);
  ethtool_value value{};
  request.ifr.ifr_data = reinterpret_cast<char*>(&value);
  value.cmd = ETHTOOL_SGRO;
  if (!request.run(SIOCETHTOOL))
    return wrong(name, std::string("does not let GRO be turned off: ") + std::strerror(errno));
  value.cmd = ETHTOOL_GFLAGS;
  if (!request.run(SIOCETHTOOL) || (value.data & ETH_FLAG_LRO) == 0) return {};
  value.cmd = ETHTOOL_SFLAGS;
  value.data &= ~static_cast<uint32_t>(ETH_FLAG_LRO);
  if (!request.run(SIOCETHTOOL))
    return wrong(name, std::string("does not let LRO be turned off: ") + std::strerror(errno));
  return {};
}

}  // namespace anabranch::control
