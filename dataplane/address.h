// SPDX-License-Identifier: BSD-3-Clause
// An address of either family, in host byte order. IPv4 ones are as ::ffff:0:0/96 holds them
// (RFC 4291 2.5.5.2), which no IPv6 packet bears; 0 is none.
#pragma once

#include <atomic>
#include <cstdint>

#include "dataplane/bytes.h"

namespace anabranch::dataplane {

using Address = Uint128;

constexpr Address address_of(uint32_t ipv4) {
  return Address{0xffff} << 32 | ipv4;
}
constexpr bool is_ipv4(Address address) {
  return address >> 32 == 0xffff;
}
// Where somebody is reached by UDP.
struct Endpoint {
  Address address = 0;
  uint16_t port = 0;
  bool operator==(const Endpoint&) const = default;
};
// One that its only writer tells others, who never see half of one and half of another.
class SharedEndpoint {
 public:
  SharedEndpoint() = default;
  SharedEndpoint(const SharedEndpoint& other) { set(other.get()); }
  SharedEndpoint& operator=(const SharedEndpoint& other) {
    set(other.get());
    return *this;
  }
  void set(const Endpoint& endpoint) {
    const uint64_t version = version_.load(std::memory_order_relaxed);
    version_.store(version + 1, std::memory_order_relaxed);  // odd: being written
    high_.store(static_cast<uint64_t>(endpoint.address >> 64), std::memory_order_release);
    low_.store(static_cast<uint64_t>(endpoint.address), std::memory_order_release);
    port_.store(endpoint.port, std::memory_order_release);
    version_.store(version + 2, std::memory_order_release);
  }
  // Acquire: who reads anything of a later endpoint reads its odd version behind it.
  Endpoint get() const {
    for (;;) {
      const uint64_t before = version_.load(std::memory_order_acquire);
      const Address high = high_.load(std::memory_order_acquire);
      const Endpoint endpoint{high << 64 | low_.load(std::memory_order_acquire),
                              port_.load(std::memory_order_acquire)};
      if (before % 2 == 0 && version_.load(std::memory_order_relaxed) == before) return endpoint;
    }
  }

 private:
  std::atomic<uint64_t> version_{0}, high_{0}, low_{0};
  std::atomic<uint16_t> port_{0};
};

// The first `length` bits of a number.
template <typename Number>
constexpr Number mask_of(uint8_t length) {
  constexpr uint8_t kBits = sizeof(Number) * 8;
  return length == 0 ? Number{0} : static_cast<Number>(~Number{0} << (kBits - length));
}

}  // namespace anabranch::dataplane
