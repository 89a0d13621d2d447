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

constexpr int kMtuMax = 1500;

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

bool find_address(const std::string& name, InterfaceFacts& facts) {
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return false;
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owner(list, freeifaddrs);
  for (const ifaddrs* a = list; a != nullptr; a = a->ifa_next) {
    if (name != a->ifa_name || a->ifa_addr == nullptr || a->ifa_addr->sa_family != AF_INET)
      continue;
    facts.address = {ntohl(reinterpret_cast<const sockaddr_in*>(a->ifa_addr)->sin_addr.s_addr)};
    const uint32_t mask =
        ntohl(reinterpret_cast<const sockaddr_in*>(a->ifa_netmask)->sin_addr.s_addr);
    facts.network = {{facts.address.value & mask}, static_cast<uint8_t>(std::popcount(mask))};
    return true;
  }
  return false;
}

}  // namespace

tl::expected<InterfaceFacts, std::string> interface_facts(const std::string& name) {
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
  if (mtu.ifr.ifr_mtu > kMtuMax || mtu.ifr.ifr_mtu < 576) {
    return wrong(name, "has an MTU of " + std::to_string(mtu.ifr.ifr_mtu) +
                           "; expected 576 to 1500 (ip link set " + name + " mtu 1500)");
  }
  facts.mtu = static_cast<uint16_t>(mtu.ifr.ifr_mtu);
  if (!find_address(name, facts))
    return wrong(name, "has no IPv4 address (ip address add … dev " + name + ")");
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
