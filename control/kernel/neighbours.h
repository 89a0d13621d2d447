// SPDX-License-Identifier: BSD-3-Clause
// The kernel's neighbour tables and link states, by netlink. Control thread.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <tl/expected.hpp>

#include "control/kernel/interface.h"

struct mnl_socket;
struct nlmsghdr;

namespace anabranch::control {

class Neighbours {
 public:
  static tl::expected<Neighbours, std::string> open();

  // Takes in what the kernel has told since; true when something changed. Never waits.
  bool poll();
  std::optional<MacAddress> lookup(int ifindex, Ip address) const;
  bool carrier(int ifindex) const;
  // Makes the kernel resolve the address, or confirm it when it is known: packets that bypass the
  // kernel do not do that by themselves.
  void kick(int ifindex, Ip address);

 private:
  struct Close {
    void operator()(mnl_socket* socket) const;
  };
  Neighbours() = default;
  bool read_all(bool wait_for_done);
  void dump(uint16_t type);
  static int received(const nlmsghdr* message, void* self);
  void take_neighbour(const nlmsghdr* message);
  void take_link(const nlmsghdr* message);

  std::unique_ptr<mnl_socket, Close> socket_;
  std::map<std::pair<int, Ip>, MacAddress> macs_;
  std::map<int, bool> carriers_;
  bool changed_ = false;
};

}  // namespace anabranch::control
