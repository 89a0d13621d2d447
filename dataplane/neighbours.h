// SPDX-License-Identifier: BSD-3-Clause
// Next hops on the LAN: IPv4 address → MAC address, and which address to ask for.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace anabranch::dataplane {

using Mac = std::array<uint8_t, 6>;

struct Ipv4Prefix {
  uint32_t address = 0;
  uint32_t mask = 0;
  bool contains(uint32_t a) const { return (a & mask) == address; }
};

// Immutable once published. Open addressing, at most half full; a lookup touches one line mostly.
class NeighbourTable {
 public:
  NeighbourTable() : entries_(2) {}
  explicit NeighbourTable(std::span<const std::pair<uint32_t, Mac>> neighbours)
      : entries_(std::bit_ceil(neighbours.size() * 2 + 2)) {
    for (const auto& [address, mac] : neighbours) {
      size_t i = place(address);
      while (entries_[i].address != 0 && entries_[i].address != address) i = (i + 1) & mask();
      entries_[i] = {address, mac};
    }
  }

  const Mac* find(uint32_t address) const {
    for (size_t i = place(address); entries_[i].address != 0; i = (i + 1) & mask()) {
      if (entries_[i].address == address) return &entries_[i].mac;
    }
    return nullptr;
  }

  // What is behind this gateway, and how to reach what is not on the LAN itself.
  std::vector<Ipv4Prefix> behind;
  Ipv4Prefix on_link;
  uint32_t gateway = 0;           // next hop for the rest; 0: none
  std::optional<Mac> everything;  // a device port has one next hop for all

  bool is_behind(uint32_t address) const {
    for (const Ipv4Prefix& p : behind) {
      if (p.contains(address)) return true;
    }
    return false;
  }
  uint32_t next_hop(uint32_t address) const {
    return on_link.contains(address) ? address : gateway;
  }

 private:
  struct Entry {
    uint32_t address = 0;  // 0.0.0.0: free
    Mac mac{};
  };
  size_t mask() const { return entries_.size() - 1; }
  size_t place(uint32_t address) const { return (address * 0x9e3779b1u >> 7) & mask(); }
  std::vector<Entry> entries_;
};

}  // namespace anabranch::dataplane
