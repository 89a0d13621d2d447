// SPDX-License-Identifier: BSD-3-Clause
#include "control/kernel/neighbours.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include <cerrno>
#include <cstring>

namespace anabranch::control {
namespace {

constexpr uint16_t kUsable =
    NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY;

}  // namespace

void Neighbours::Close::operator()(mnl_socket* socket) const {
  mnl_socket_close(socket);
}

tl::expected<Neighbours, std::string> Neighbours::open() {
  Neighbours n;
  n.socket_.reset(mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC));
  if (n.socket_ == nullptr ||
      mnl_socket_bind(n.socket_.get(), RTMGRP_NEIGH | RTMGRP_LINK, MNL_SOCKET_AUTOPID) < 0) {
    return tl::unexpected(std::string("netlink: ") + std::strerror(errno));
  }
  n.dump(RTM_GETLINK);
  n.dump(RTM_GETNEIGH);
  const int fd = mnl_socket_get_fd(n.socket_.get());
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  return n;
}

void Neighbours::dump(uint16_t type) {
  char buffer[256] = {};
  nlmsghdr* message = mnl_nlmsg_put_header(buffer);
  message->nlmsg_type = type;
  message->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  auto* general = static_cast<rtgenmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(ndmsg)));
  general->rtgen_family = AF_UNSPEC;
  mnl_socket_sendto(socket_.get(), message, message->nlmsg_len);
  const int fd = mnl_socket_get_fd(socket_.get());
  const int flags = fcntl(fd, F_GETFL);
  fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
  read_all(true);
  fcntl(fd, F_SETFL, flags);
}

// Reads until there is nothing more, or until a dump is done. False: messages were lost.
bool Neighbours::read_all(bool wait_for_done) {
  char buffer[32768];
  while (true) {
    const ssize_t n = mnl_socket_recvfrom(socket_.get(), buffer, sizeof buffer);
    if (n < 0) return errno != ENOBUFS;
    const int result =
        mnl_cb_run(buffer, static_cast<size_t>(n), 0, 0, &Neighbours::received, this);
    if (wait_for_done && result <= MNL_CB_STOP) return true;
  }
}

bool Neighbours::poll() {
  changed_ = false;
  if (!read_all(false)) {
    // The kernel had more to tell than fits its buffer: everything is asked for again.
    macs_.clear();
    dump(RTM_GETLINK);
    dump(RTM_GETNEIGH);
    changed_ = true;
  }
  return changed_;
}

int Neighbours::received(const nlmsghdr* message, void* self) {
  auto* neighbours = static_cast<Neighbours*>(self);
  switch (message->nlmsg_type) {
    case RTM_NEWNEIGH:
    case RTM_DELNEIGH:
      neighbours->take_neighbour(message);
      break;
    case RTM_NEWLINK:
    case RTM_DELLINK:
      neighbours->take_link(message);
      break;
    default:
      break;
  }
  return MNL_CB_OK;
}

void Neighbours::take_neighbour(const nlmsghdr* message) {
  const auto* nd = static_cast<const ndmsg*>(mnl_nlmsg_get_payload(message));
  if (nd->ndm_family != AF_INET && nd->ndm_family != AF_INET6) return;
  const nlattr* attributes[NDA_MAX + 1] = {};
  mnl_attr_parse(
      message, sizeof(*nd),
      [](const nlattr* attribute, void* data) {
        const uint16_t type = mnl_attr_get_type(attribute);
        if (type <= NDA_MAX) static_cast<const nlattr**>(data)[type] = attribute;
        return MNL_CB_OK;
      },
      attributes);
  const auto payload = [&](uint16_t type, uint16_t length) -> const void* {
    const nlattr* attribute = attributes[type];
    return attribute == nullptr || mnl_attr_get_payload_len(attribute) != length
               ? nullptr
               : mnl_attr_get_payload(attribute);
  };
  const bool ipv4 = nd->ndm_family == AF_INET;
  const void* address = payload(NDA_DST, ipv4 ? sizeof(in_addr) : sizeof(in6_addr));
  const void* mac = payload(NDA_LLADDR, sizeof(MacAddress));
  if (address == nullptr) return;
  const std::pair key(nd->ndm_ifindex, ipv4 ? ip_of_ipv4(address) : ip_of_ipv6(address));
  if (message->nlmsg_type == RTM_DELNEIGH || mac == nullptr || (nd->ndm_state & kUsable) == 0) {
    changed_ |= macs_.erase(key) != 0;
    return;
  }
  MacAddress now;
  std::memcpy(now.data(), mac, now.size());
  auto [known, inserted] = macs_.try_emplace(key, now);
  changed_ |= inserted || known->second != now;
  known->second = now;
}

void Neighbours::take_link(const nlmsghdr* message) {
  const auto* info = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(message));
  const bool up = message->nlmsg_type == RTM_NEWLINK && (info->ifi_flags & IFF_UP) != 0 &&
                  (info->ifi_flags & IFF_LOWER_UP) != 0;
  auto [known, inserted] = carriers_.try_emplace(info->ifi_index, up);
  changed_ |= inserted || known->second != up;
  known->second = up;
}

std::optional<MacAddress> Neighbours::lookup(int ifindex, Ip address) const {
  const auto found = macs_.find({ifindex, address});
  if (found == macs_.end()) return std::nullopt;
  return found->second;
}

bool Neighbours::carrier(int ifindex) const {
  const auto found = carriers_.find(ifindex);
  return found != carriers_.end() && found->second;
}

void Neighbours::kick(int ifindex, Ip address) {
  char buffer[256] = {};
  nlmsghdr* message = mnl_nlmsg_put_header(buffer);
  message->nlmsg_type = RTM_NEWNEIGH;
  message->nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE;
  auto* nd = static_cast<ndmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(ndmsg)));
  nd->ndm_family = address.is_ipv4() ? AF_INET : AF_INET6;
  nd->ndm_ifindex = ifindex;
  nd->ndm_flags = NTF_USE;  // as if a packet had just been sent there
  nd->ndm_state = NUD_NONE;
  const Octets octets = octets_of(address);
  mnl_attr_put(message, NDA_DST, octets.count, octets.octets.data());
  mnl_socket_sendto(socket_.get(), message, message->nlmsg_len);
}

}  // namespace anabranch::control
