// SPDX-License-Identifier: BSD-3-Clause
// Next hops on the LAN: IP address → MAC address, and which address to ask for.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "dataplane/address.h"

namespace anabranch::dataplane {

using Mac = std::array<uint8_t, 6>;

template <typename Number>
struct PrefixOf {
  Number address = 0;
  Number mask = 0;
  bool contains(Number a) const { return (a & mask) == address; }
};
using Ipv4Prefix = PrefixOf<uint32_t>;
using Ipv6Prefix = PrefixOf<Uint128>;

// Of one family. Open addressing, at most half full; a lookup touches one line mostly.
template <typename Number>
class NextHops {
 public:
  NextHops() : entries_(2) {}
  explicit NextHops(std::span<const std::pair<Number, Mac>> neighbours)
      : entries_(std::bit_ceil(neighbours.size() * 2 + 2)) {
    for (const auto& [address, mac] : neighbours) {
      size_t i = place(address);
      while (entries_[i].address != 0 && entries_[i].address != address) i = (i + 1) & mask();
      entries_[i] = {address, mac};
    }
  }

  const Mac* find(Number address) const {
    for (size_t i = place(address); entries_[i].address != 0; i = (i + 1) & mask()) {
      if (entries_[i].address == address) return &entries_[i].mac;
    }
    return nullptr;
  }

  // What is behind this gateway, and how to reach what is not on the LAN itself.
  std::vector<PrefixOf<Number>> behind;
  PrefixOf<Number> on_link;
  Number gateway = 0;  // next hop for the rest; 0: none

  bool is_behind(Number address) const {
    for (const PrefixOf<Number>& p : behind) {
      if (p.contains(address)) return true;
    }
    return false;
  }
  Number next_hop(Number address) const { return on_link.contains(address) ? address : gateway; }

 private:
  struct Entry {
    Number address = 0;  // 0.0.0.0 or ::: free
    Mac mac{};
  };
  size_t mask() const { return entries_.size() - 1; }
  size_t place(Number address) const {
    if constexpr (sizeof(Number) == sizeof(uint32_t)) {
      return (address * 0x9e3779b1u >> 7) & mask();
    } else {
      return (static_cast<uint64_t>(address ^ address >> 64) * 0x9e3779b97f4a7c15u >> 32) & mask();
    }
  }
  std::vector<Entry> entries_;
};

// Immutable once published.
struct NeighbourTable : NextHops<uint32_t> {
  using NextHops::NextHops;
  NextHops<Uint128> ipv6;
  std::optional<Mac> everything;  // a device port has one next hop for all
};

}  // namespace anabranch::dataplane
